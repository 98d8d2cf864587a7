import type { Column, Table } from '../../model/table.js';
import type { Timing } from './measure.js';
import type { TimingMetrics } from './timing-metrics.js';

/** The cells of one latency in a row. */
export class TimingCells {
  readonly columns: readonly Column[];
  /** All but the latest: those that a tracing program alone can fill. */
  readonly counted: readonly Column[];
  private readonly buckets: readonly Column[];
  private readonly sum: Column;
  private readonly count: Column;
  private readonly last: Column;

  constructor(table: Pick<Table<unknown>, 'column'>, metrics: TimingMetrics) {
    this.buckets = metrics.buckets.map((metric) => table.column(metric));
    this.sum = table.column(metrics.sum);
    this.count = table.column(metrics.count);
    this.last = table.column(metrics.last);
    this.counted = [...this.buckets, this.sum, this.count];
    this.columns = [...this.counted, this.last];
  }

  get isAsleep(): boolean {
    return this.count.isAsleep;
  }

  /** The columns of what is counted must be awake. */
  put(row: number, timing: Timing): void {
    const { buckets, count, sumNanoseconds } = timing;
    this.putLatest(row, timing);
    this.sum.back[row] = sumNanoseconds;
    if (this.count.back[row] === count) return;
    this.count.back[row] = count;
    let within = 0;
    for (let bound = 0; bound < this.buckets.length; bound++) {
      within += buckets[bound];
      this.buckets[bound].back[row] = within;
    }
  }

  /** Where nobody knows how many there were, or there was none yet: not even zeros. */
  putLatest(row: number, { lastNanoseconds }: Timing): void {
    this.last.back[row] = lastNanoseconds;
  }
}
