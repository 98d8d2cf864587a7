/** Different zones that are shown; the smaller ones are left out. */
export const MAX_ZONES = 1024;
/** A line has some 170 bytes, 400 with IPv6, counters and a security context. */
const MAX_LINE = 16_384;
const MAX_ZONE = 65_535;

/** A line that is whole: it ends in the reference count. */
const ENTRY = /^[a-z]\w* +\d+ .* use=\d+ ?$/;
/** One of three words, by the directions in which the zone tells connections apart. */
const ZONE = / zone(?:-orig|-reply)?=(\d+) /;
/** Which the kernel does not print; one without zones has no other. */
const DEFAULT_ZONE = 0;

export interface ZoneCounts {
  /** Entries by zone, by number of the zone. */
  readonly zones: ReadonlyMap<number, number>;
  /** Entries in zones that are not shown. */
  readonly inOthers: number;
  /** Lines that are no entry. */
  readonly malformed: number;
}

/**
 * Counts the lines of `net/nf_conntrack` by zone, as they come. Kernel net/netfilter/nf_conntrack_standalone.c, ct_seq_show:
 * `ipv4     2 udp      17 29 src=… dst=… sport=… dport=… [UNREPLIED] src=… dst=… sport=… dport=… mark=0 zone=65520 use=2`.
 */
export class ZoneCounter {
  /** Lines so far. */
  lines = 0;
  private malformed = 0;
  private rest = '';
  private readonly zones = new Map<number, number>();

  /** @returns false for a text that is no such table: a line is far longer than any */
  take(piece: Buffer): boolean {
    const lines = (this.rest + piece.toString('latin1')).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.count(line);
    return this.rest.length <= MAX_LINE;
  }

  /** What is left of a cut line counts as one that does not parse. */
  finish(): ZoneCounts {
    if (this.rest !== '') this.count('');
    this.rest = '';
    const shown = [...this.zones].sort(([a, entries], [b, others]) => others - entries || a - b).slice(0, MAX_ZONES);
    const inShown = shown.reduce((sum, [, entries]) => sum + entries, 0);
    return {
      zones: new Map(shown.sort(([a], [b]) => a - b)),
      inOthers: this.lines - this.malformed - inShown,
      malformed: this.malformed,
    };
  }

  private count(line: string): void {
    this.lines++;
    const zone = ENTRY.test(line) ? Number(ZONE.exec(line)?.[1] ?? DEFAULT_ZONE) : Number.NaN;
    if (zone <= MAX_ZONE) this.zones.set(zone, (this.zones.get(zone) ?? 0) + 1);
    else this.malformed++;
  }
}
