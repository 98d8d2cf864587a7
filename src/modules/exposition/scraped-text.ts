import type { Dropped } from './drop-reasons.js';
import type { FamilyDraft } from './family-book.js';
import type { PassedBody, PassedFamily } from './passed-family.js';
import type { WireType } from './wire-types.js';

const NEWLINE = 10;
const BLANK = 32;
const OPEN = 123;

/** A family of one text: lines with the owner's labels at the end of each, under the name of a page of many. */
export interface ScrapedFamily extends PassedBody {
  readonly name: string;
  readonly ownName: string;
  readonly type: WireType;
  readonly help: string;
  lines: Buffer;
}

/** Whose a text is. */
export interface Belonging {
  readonly owner: string;
  /** Labels that each sample gets, rendered; one at least. */
  readonly labels: string;
}

/** What a text came to. */
interface Found {
  readonly series: number;
  readonly dropped: Dropped;
  /** Help of families without any. */
  readonly fallbackHelp: string;
}

/** What one stranger answered, read and ready to be written. All its lines stand in one buffer of just that size. */
export class ScrapedText {
  /** By name. */
  readonly families: readonly ScrapedFamily[];
  readonly owner: string;
  readonly series: number;
  readonly dropped: Dropped;
  /** That its lines take. */
  bytes: number;
  private rendered: string;

  /** @param written holds the ranges of the drafts; not kept */
  constructor({ owner, labels }: Belonging, drafts: readonly FamilyDraft[], written: Buffer, { series, dropped, fallbackHelp }: Found) {
    this.owner = owner;
    this.rendered = labels;
    this.series = series;
    this.dropped = dropped;
    const kept = drafts.filter(({ series }) => series > 0).sort((a, b) => (a.words.name < b.words.name ? -1 : 1));
    const all = Buffer.allocUnsafeSlow(kept.reduce((bytes, { ranges }) => bytes + lengthOf(ranges), 0));
    this.bytes = all.length;
    let to = 0;
    this.families = kept.map(({ words: { name, ownName, type }, help = fallbackHelp, series, ranges, open }) => {
      const from = to;
      for (let i = 0; i < ranges.length; i += 2) to += written.copy(all, to, ranges[i], ranges[i + 1]);
      return { owner, name, ownName, type, help, series, lines: all.subarray(from, to), ...(open ? { open } : {}) };
    });
  }

  /**
   * Other labels of the owner, such as a pod's name that is known now. Only for texts of rules in which nothing gives way and every sample
   * stands where it was written.
   * @returns whether they are others
   */
  relabel(labels: string): boolean {
    if (labels === this.rendered) return false;
    for (const family of this.families) family.lines = respliced(family.lines, this.rendered, labels, 0);
    this.bytes = this.families.reduce((bytes, { lines }) => bytes + lines.length, 0);
    this.rendered = labels;
    return true;
  }

  /** The same as it was sent: its names, its labels. By name. For the same texts as `relabel`. */
  own(): PassedFamily[] {
    return this.families
      .map(({ name, ownName, type, help, series, lines }) => {
        const bare = respliced(lines, this.rendered, '', name.length - ownName.length);
        return { name: ownName, type, help, bodies: [{ owner: this.owner, series, lines: bare }] };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

function lengthOf(ranges: readonly number[]): number {
  let bytes = 0;
  for (let i = 0; i < ranges.length; i += 2) bytes += ranges[i + 1] - ranges[i];
  return bytes;
}

/**
 * Lines with other labels at their ends. What stands there is found from behind: a value has no blank.
 * @param old labels that every line ends in
 * @param next labels instead, or nothing
 * @param skipped bytes left out at the beginning of each line
 */
function respliced(lines: Buffer, old: string, next: string, skipped: number): Buffer {
  const oldBytes = Buffer.byteLength(old);
  const nextBytes = Buffer.from(next);
  const out = Buffer.allocUnsafeSlow(lines.length + countLines(lines) * Math.max(0, nextBytes.length - oldBytes));
  let to = 0;
  for (let from = 0; from < lines.length; ) {
    const end = lines.indexOf(NEWLINE, from) + 1;
    let value = end - 2;
    while (lines[value] !== BLANK) value--;
    // `…,<old>} value` or `…{<old>} value`
    const labelsFrom = value - 1 - oldBytes;
    const isOnly = lines[labelsFrom - 1] === OPEN;
    if (next === '') {
      to += lines.copy(out, to, from + skipped, labelsFrom - 1);
      to += lines.copy(out, to, isOnly ? value : value - 1, end);
    } else {
      to += lines.copy(out, to, from + skipped, labelsFrom);
      to += nextBytes.copy(out, to);
      to += lines.copy(out, to, value - 1, end);
    }
    from = end;
  }
  return to === out.length ? out : Buffer.from(out.subarray(0, to));
}

function countLines(lines: Buffer): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
