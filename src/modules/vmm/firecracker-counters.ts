import type { Disk, DiskNumber, VmmEvents, VmmExits, Vnic, VnicNumber } from './answer.js';
import {
  addTo,
  at,
  BALLOON_DELTAS,
  DISK_DELTAS,
  DISK_STORED,
  EXIT_DELTAS,
  type Numbers,
  type Rules,
  VNIC_DELTAS,
} from './firecracker-rules.js';
import { countOf, type Fields, fieldsOf, parseFields, textOf } from './json-fields.js';

/** `WRITE_METRICS_PERIOD_MS`, src/firecracker/src/metrics.rs. */
const PERIOD_MS = 60_000;
/** Later than this after its neighbour, a line is one of which those between are missing. */
const GAP_MS = 90_000;
const MAX_DEVICES = 512;
const ID_LIMIT = 128;
/** How every line begins; inside a string its quotes would be escaped. */
const BEGINNING = '{"utc_timestamp_ms"';

type StoredEvent = 'vmm-panic' | 'seccomp-fault' | 'fatal-signal';
/** Stored as 0 or 1: the signals that end a VMM. `sigpipe` does not. */
const FATAL_SIGNALS = ['sigbus', 'sigsegv', 'sigxfsz', 'sigxcpu', 'sighup', 'sigill'];

/**
 * Firecracker's metrics, which tell what happened since the line before, made into counters that never go back, for one process. They begin
 * with the first line that is seen: where that is not the first that was written, what came before is in none of them.
 */
export class FirecrackerCounters {
  readonly exits: Numbers<keyof VmmExits> = {};
  readonly balloon: Numbers<'inflations' | 'deflations'> = {};
  private readonly stored: Numbers<StoredEvent> = {};
  private readonly drives = new DeviceCounters<DiskNumber>('block', DISK_DELTAS, DISK_STORED);
  private readonly interfaces = new DeviceCounters<VnicNumber>('net', VNIC_DELTAS, []);
  /** Milliseconds since 1970 by Firecracker's clock, of the last line. */
  private lastMs: number | null = null;
  private missed = 0;
  /** Since the last good line: lines that were broken or lost. */
  private broken = 0;

  /** @param startMs when the process began, milliseconds since 1970; null where nobody knows */
  constructor(private readonly startMs: number | null) {}

  /** Whether any line was understood. */
  get hasLines(): boolean {
    return this.lastMs !== null;
  }

  get disks(): readonly Disk[] {
    return this.drives.list();
  }

  get vnics(): readonly Vnic[] {
    return this.interfaces.list();
  }

  /** Flushes that never arrived here: written nowhere, overwritten, read by somebody else, or broken. */
  get events(): VmmEvents {
    return { ...this.stored, 'missed-metrics': this.missed + this.broken };
  }

  /** Something was lost of which no line is left. */
  lose(): void {
    this.broken++;
  }

  /** One line, or null for one that could not be kept. */
  add(line: string | null): void {
    const fields = line === null ? undefined : this.parse(line);
    const ms = countOf(fields?.utc_timestamp_ms);
    if (!fields || ms === undefined) {
      this.broken++;
      return;
    }
    this.missed += Math.max(
      this.missedBefore(ms, fields),
      countOf(fieldsOf(fields.logger)?.missed_metrics_count) ?? this.broken,
      this.broken,
    );
    this.broken = 0;
    this.lastMs = ms;
    this.count(fields);
  }

  /**
   * A line that a full FIFO cut short has no end: what it began with stands before the next one, which is whole (Rust's LineWriter keeps what
   * it could not write, 1 KiB at most, and writes it first).
   */
  private parse(line: string): Fields | undefined {
    const whole = parseFields(line);
    if (whole) return whole;
    const start = line.lastIndexOf(BEGINNING);
    const rest = start > 0 ? parseFields(line.slice(start)) : undefined;
    if (rest) this.broken++;
    return rest;
  }

  private missedBefore(ms: number, fields: Fields): number {
    if (this.lastMs !== null) return ms - this.lastMs > GAP_MS ? Math.max(1, Math.round((ms - this.lastMs) / PERIOD_MS) - 1) : 0;
    return this.startMs !== null && ms - this.startMs > GAP_MS && !isFirst(fields) ? 1 : 0;
  }

  private count(fields: Fields): void {
    addTo(this.exits, EXIT_DELTAS, fieldsOf(fields.vcpu));
    addTo(this.balloon, BALLOON_DELTAS, fieldsOf(fields.balloon));
    this.drives.add(fields);
    this.interfaces.add(fields);
    this.store('vmm-panic', countOf(fieldsOf(fields.vmm)?.panic_count));
    this.store('seccomp-fault', countOf(fieldsOf(fields.seccomp)?.num_faults));
    const signals = fieldsOf(fields.signals);
    const fatal = FATAL_SIGNALS.flatMap((name) => countOf(signals?.[name]) ?? []);
    this.store('fatal-signal', fatal.length > 0 ? fatal.reduce((sum, one) => sum + one) : undefined);
  }

  /** What only ever grows. */
  private store(event: StoredEvent, now: number | undefined): void {
    if (now !== undefined) this.stored[event] = Math.max(this.stored[event] ?? now, now);
  }
}

/**
 * A VM that was configured over the API has been told where its metrics go, or to start, or to load a snapshot, just before its first flush:
 * only the first line counts that request.
 */
function isFirst(fields: Fields): boolean {
  const put = fieldsOf(fields.put_api_requests);
  const counts = [put?.metrics_count, put?.actions_count, fieldsOf(fields.latencies_us)?.load_snapshot];
  return counts.some((value) => (countOf(value) ?? Number.NaN) > 0);
}

/** Groups of one kind, `block_<drive>`, and `block` for all together, which is all that versions before 1.6 tell. */
class DeviceCounters<Word extends string> {
  private readonly byId = new Map<string, Numbers<Word>>();
  private readonly together: Numbers<Word> = {};

  constructor(
    private readonly kind: string,
    private readonly deltas: Rules<Word>,
    private readonly stored: Rules<Word>,
  ) {}

  add(fields: Fields): void {
    const prefix = `${this.kind}_`;
    for (const [name, value] of Object.entries(fields)) {
      const group = fieldsOf(value);
      if (!group) continue;
      if (name === this.kind) this.put(this.together, group);
      else if (name.startsWith(prefix)) this.put(this.numbersOf(textOf(name.slice(prefix.length), ID_LIMIT)), group);
    }
  }

  list(): readonly { readonly device: string; readonly numbers: Numbers<Word> }[] {
    if (this.byId.size > 0) return [...this.byId].map(([device, numbers]) => ({ device, numbers: { ...numbers } }));
    // A VM without devices has this group too, full of zeros.
    const counts = Object.values<number | undefined>(this.together);
    return counts.some((count) => count !== undefined && count > 0) ? [{ device: this.kind, numbers: { ...this.together } }] : [];
  }

  private numbersOf(id: string | undefined): Numbers<Word> | undefined {
    if (id === undefined) return undefined;
    const numbers = this.byId.get(id) ?? {};
    if (!this.byId.has(id) && this.byId.size < MAX_DEVICES) this.byId.set(id, numbers);
    return numbers;
  }

  private put(numbers: Numbers<Word> | undefined, group: Fields): void {
    if (!numbers) return;
    addTo(numbers, this.deltas, group);
    for (const [word, path] of this.stored) {
      const value = at(group, path);
      if (value !== undefined && value > 0) numbers[word] = value;
    }
  }
}
