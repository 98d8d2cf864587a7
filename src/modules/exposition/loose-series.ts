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

/** A histogram of more is none that anybody could use, and sorting it would hold up everybody. */
const MAX_SAMPLES = 1024;

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
  private unsorted: Iterator<Series> | undefined;
  private readonly order = new SeriesOrder();
  private readonly textOnly: LooseSample[] = [];
  private opened = 0;
  private openBytes = 0;
  /** Samples that stand twice, of those that were sorted: the first of them stays. */
  duplicates = 0;

  constructor(private readonly family: FamilyDraft) {}

  /** @param low,high hash of the labels without the bound @returns false for a sample too many */
  add(low: number, high: number, sample: LooseSample): boolean {
    const key = keyOf(low, high);
    const known = this.series.get(key);
    if (known && known.samples.length >= MAX_SAMPLES) return false;
    if (known) known.samples.push(sample);
    else this.series.set(key, { low, high, samples: [sample] });
    return true;
  }

  /** Writes the family's ranges, what OpenMetrics takes before the rest, when all are there. @returns whether there is more to sort */
  sort(enough: number): boolean {
    this.unsorted ??= this.series.values();
    for (let done = 0; done < enough; ) {
      const { value: series, done: isEnd } = this.unsorted.next();
      if (isEnd) {
        this.end();
        return false;
      }
      done += series.samples.length;
      this.sortSeries(series);
    }
    return true;
  }

  private sortSeries({ low, high, samples }: Series): void {
    const sorted = samples.sort(bySense).filter((sample, index) => index === 0 || bySense(samples[index - 1], sample) !== 0);
    this.duplicates += samples.length - sorted.length;
    if (!this.isOpen(this.order, low, high, sorted)) {
      for (const sample of sorted) this.textOnly.push(sample);
      return;
    }
    this.opened += sorted.length;
    for (const sample of sorted) this.openBytes += this.write(sample);
  }

  private end(): void {
    for (const sample of this.textOnly) this.write(sample);
    if (this.textOnly.length > 0) this.family.open = { series: this.opened, bytes: this.openBytes };
  }

  /** @returns its length */
  private write({ from, to }: LooseSample): number {
    const { ranges } = this.family;
    if (ranges.at(-1) === from) ranges[ranges.length - 1] = to;
    else ranges.push(from, to);
    return to - from;
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
