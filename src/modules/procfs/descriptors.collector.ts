import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';

const METRICS = {
  fds: metric({ json: 'process.fds', family: gauge({ name: 'vmgauge_vm_open_fds', help: 'Open file descriptors of the VMM process.' }) }),
};

/** Sweeps between two counts by listing, where a descriptor count is not to be had for an fstat: 98 µs at 105 descriptors. */
const LISTING_EVERY = 12;

/** The size of /proc/<pid>/fd, which is the count since Linux 6.2; a listing where it is not. */
@Injectable()
export class DescriptorsCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'descriptors',
    tier: 'sweep',
    reads: 'the size of `/proc/<pid>/fd`: open descriptors (needs CAP_SYS_PTRACE)',
    enabled: true,
  };
  readonly about = DescriptorsCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly lastListed = new Map<number, number>();

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    try {
      const count = process.descriptorCount();
      if (count >= 0) this.columns.fds.back[row] = count;
      else this.list(row, () => process.countDescriptors());
    } catch (error) {
      return outcomeOfErrno(error);
    }
    return Outcome.ok;
  }

  /** A listing that failed is tried again in the next sweep: its cell must not be empty under an outcome of ok. */
  private list(row: number, count: () => number): void {
    const sweeps = this.lastListed.get(row);
    if (sweeps !== undefined && sweeps < LISTING_EVERY) {
      this.lastListed.set(row, sweeps + 1);
      return;
    }
    this.lastListed.delete(row);
    this.columns.fds.back[row] = count();
    this.lastListed.set(row, 1);
  }

  attach({ row }: Subject): void {
    this.lastListed.delete(row);
  }
}
