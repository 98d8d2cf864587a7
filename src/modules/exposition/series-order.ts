import { type FamilyDraft, Part } from './family-book.js';

/** A series of several samples, as far as it was read. */
interface Open {
  readonly family: FamilyDraft;
  readonly low: number;
  readonly high: number;
  /** Where its lines begin in what was written. */
  readonly start: number;
  samples: number;
  part: Part;
  /** Of the last bucket or quantile. */
  bound: number;
  /** What the last bucket counted. */
  height: number;
  /** Its first bound is below zero, so that no sum of it is one that only grows. */
  readonly isBelowZero: boolean;
  isBroken: boolean;
}

/** 53 bits of the hash: what a number holds exactly. */
export const keyOf = (low: number, high: number): number => (low >>> 0) * 2 ** 21 + (high >>> 11);

/**
 * Histograms and summaries as both formats want them and both runtimes write them: the samples of a series together, bounds rising, `+Inf`
 * last, then sum, then count. What is out of this order is not passed on, so that nothing has to be sorted and nothing kept. A series whose
 * numbers OpenMetrics forbids is not passed on at all: a reader of it refuses the whole page.
 */
export class SeriesOrder {
  private open: Open | null = null;

  /** Whether the series that is open is this one. @param low,high hash of its labels without the bound */
  goesOn(family: FamilyDraft, low: number, high: number): boolean {
    return this.open !== null && this.open.family === family && this.open.low === low && this.open.high === high;
  }

  /** A sample of the open series. @param bound of a bucket or quantile @returns whether it may stand here */
  takes(part: Part, bound: number): boolean {
    const { open } = this;
    if (!open) return false;
    if (part === Part.bucket || part === Part.quantile) {
      if (part !== open.part || !(bound > open.bound)) return false;
      open.bound = bound;
    } else if (part <= open.part || (part === Part.count && open.part === Part.bucket)) return false;
    open.part = part;
    open.samples++;
    return true;
  }

  /** A sample of another series than the one before, which has been closed. @param start where its line begins in what was written */
  opens(family: FamilyDraft, part: Part, low: number, high: number, bound: number, start: number): boolean {
    const isBound = part === Part.bucket || part === Part.quantile;
    if (isBound ? Number.isNaN(bound) : family.words.type === 'histogram') return false;
    if (family.ended.has(keyOf(low, high))) return false;
    this.open = { family, low, high, start, samples: 1, part, bound, height: 0, isBelowZero: bound < 0, isBroken: false };
    return true;
  }

  /** @param value of the sample that has just been placed */
  weigh(part: Part, value: number): void {
    const { open } = this;
    if (open && !fits(open, part, value)) open.isBroken = true;
    if (open && part === Part.bucket) open.height = value;
  }

  /** Ends the open series. @returns it where it is incomplete or broken: its samples are to be taken back */
  close(): { readonly family: FamilyDraft; readonly start: number; readonly samples: number } | null {
    const { open } = this;
    this.open = null;
    if (!open) return null;
    open.family.ended.add(keyOf(open.low, open.high));
    // A histogram has the bucket of everything, and a count where it has a sum.
    const isWhole = open.family.words.type !== 'histogram' || (open.bound === Number.POSITIVE_INFINITY && open.part !== Part.sum);
    return isWhole && !open.isBroken ? null : open;
  }
}

/** Buckets count whole numbers that do not fall, and the count is that of `+Inf`; a sum of what is counted does not fall below zero. */
function fits({ family, height, isBelowZero }: Open, part: Part, value: number): boolean {
  if (part === Part.quantile) return !(value < 0);
  if (part === Part.sum) return value >= 0 && !isBelowZero;
  if (!Number.isInteger(value)) return false;
  if (part === Part.bucket) return value >= height;
  return family.words.type !== 'histogram' || value === height;
}
