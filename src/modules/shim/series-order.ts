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
}

/** 53 bits of the hash: what a number holds exactly. */
const keyOf = (low: number, high: number): number => (low >>> 0) * 2 ** 21 + (high >>> 11);

/**
 * Histograms and summaries as both formats want them and both runtimes write them: the samples of a series together, bounds rising, `+Inf`
 * last, then sum, then count. What is out of this order is not passed on, so that nothing has to be sorted and nothing kept.
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
    this.open = { family, low, high, start, samples: 1, part, bound };
    return true;
  }

  /** Ends the open series. @returns it where it is incomplete: its samples are to be taken back */
  close(): { readonly family: FamilyDraft; readonly start: number; readonly samples: number } | null {
    const { open } = this;
    this.open = null;
    if (!open) return null;
    open.family.ended.add(keyOf(open.low, open.high));
    // A histogram has the bucket of everything, and a count where it has a sum.
    const isWhole = open.family.words.type !== 'histogram' || (open.bound === Number.POSITIVE_INFINITY && open.part !== Part.sum);
    return isWhole ? null : open;
  }
}
