import { type FamilyDraft, Part } from './family-book.js';
import { keyOf, SeriesOrder } from './series-order.js';

/** A sample of a series of several, and where its line stands in what was written. */
export interface LooseSample {
  readonly part: Part;
  /** Of a bucket or quantile. */
  readonly bound: number;
  readonly value: number;
  readonly from: number;
  readonly to: number;
}

interface Series {
  readonly low: number;
  readonly high: number;
  readonly samples: LooseSample[];
}

/**
 * The histograms or summaries of a family whose text has their samples in any order: Python writes the count before the sum, C++ the buckets
 * last. Kept by series until all are there, then each is sorted as both formats want it. An object a sample, which the other order saves.
 */
export class LooseSeries {
  private readonly series = new Map<number, Series>();

  constructor(private readonly family: FamilyDraft) {}

  /** @param low,high hash of the labels without the bound */
  add(low: number, high: number, sample: LooseSample): void {
    const key = keyOf(low, high);
    const known = this.series.get(key);
    if (known) known.samples.push(sample);
    else this.series.set(key, { low, high, samples: [sample] });
  }

  /** Writes the family's ranges, what OpenMetrics takes before the rest. @returns how many samples stand twice: the first of them stays */
  sort(): number {
    const { ranges } = this.family;
    const order = new SeriesOrder();
    const textOnly: LooseSample[] = [];
    let [duplicates, series, bytes] = [0, 0, 0];
    for (const { low, high, samples } of this.series.values()) {
      const sorted = samples.sort(bySense).filter((sample, index) => index === 0 || bySense(samples[index - 1], sample) !== 0);
      duplicates += samples.length - sorted.length;
      if (!this.isOpen(order, low, high, sorted)) {
        for (const sample of sorted) textOnly.push(sample);
        continue;
      }
      series += sorted.length;
      for (const { from, to } of sorted) {
        ranges.push(from, to);
        bytes += to - from;
      }
    }
    for (const { from, to } of textOnly) ranges.push(from, to);
    if (textOnly.length > 0) this.family.open = { series, bytes };
    return duplicates;
  }

  /** Whether OpenMetrics takes the series, told by the order that its samples have now. */
  private isOpen(order: SeriesOrder, low: number, high: number, [first, ...others]: readonly LooseSample[]): boolean {
    if (!order.opens(this.family, first.part, low, high, first.bound, 0)) return false;
    order.weigh(first.part, first.value);
    const isInPlace = others.every(({ part, bound, value }) => {
      const takes = order.takes(part, bound);
      order.weigh(part, value);
      return takes;
    });
    return order.close() === null && isInPlace;
  }
}

/** Buckets or quantiles by their bound, then sum, then count. */
const bySense = (a: LooseSample, b: LooseSample): number => a.part - b.part || (a.part < Part.sum ? compare(a.bound, b.bound) : 0);
/** Not by subtraction: infinity less infinity is no number. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);
