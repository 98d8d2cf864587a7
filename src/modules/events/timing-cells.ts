import type { Column, Table } from '../../model/table.js';
import type { TimingMetrics } from './latency-metrics.js';
import type { Timing } from './measure.js';

/** The cells of one latency in a row. */
export class TimingCells {
  readonly columns: readonly Column[];
  private readonly buckets: readonly Column[];
  private readonly sum: Column;
  private readonly count: Column;
  private readonly last: Column;

  constructor(table: Pick<Table<unknown>, 'column'>, metrics: TimingMetrics) {
    this.buckets = metrics.buckets.map((metric) => table.column(metric));
    this.sum = table.column(metrics.sum);
    this.count = table.column(metrics.count);
    this.last = table.column(metrics.last);
    this.columns = [...this.buckets, this.sum, this.count, this.last];
  }

  /** Before the first there is none: not even zeros. @param isCounted false: nobody knows how many there were, only the latest */
  put(row: number, { buckets, count, sumNanoseconds, lastNanoseconds }: Timing, isCounted: boolean): void {
    this.last.back[row] = lastNanoseconds;
    if (!isCounted || count === 0) return;
    this.sum.back[row] = sumNanoseconds;
    if (this.count.back[row] === count) return;
    this.count.back[row] = count;
    let within = 0;
    for (let bound = 0; bound < this.buckets.length; bound++) {
      within += buckets[bound];
      this.buckets[bound].back[row] = within;
    }
  }
}
