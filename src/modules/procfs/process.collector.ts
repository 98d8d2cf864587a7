import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Stat } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { TICK_DECIMALS, USER_HZ } from '../../model/units.js';

const METRICS = {
  threads: metric({
    json: 'process.threads',
    family: gauge({ name: 'vmgauge_vm_threads', help: 'Threads of the VMM process: vCPUs, I/O threads, workers.' }),
  }),
  fds: metric({ json: 'process.fds', family: gauge({ name: 'vmgauge_vm_open_fds', help: 'Open file descriptors of the VMM process.' }) }),
  start: metric({
    json: 'process.start_time_seconds',
    decimals: TICK_DECIMALS,
    family: gauge({
      name: 'vmgauge_vm_start_time_seconds',
      help: 'Start of the VMM process in seconds since 1970; all its counters start there.',
      unit: 'seconds',
    }),
  }),
};

/** Sweeps between two counts by listing, where a descriptor count is not to be had for an fstat: 98 µs at 105 descriptors. */
const LISTING_EVERY = 12;

/** Fields 20 and 22 of /proc/<pid>/stat and the size of /proc/<pid>/fd, which is the count since Linux 6.2. */
@Injectable()
export class ProcessCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'process',
    tier: 'sweep',
    reads: '`/proc/<pid>/stat` and the size of `/proc/<pid>/fd`: threads, start time, open descriptors (these need CAP_SYS_PTRACE)',
    enabled: true,
  };
  readonly about = ProcessCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly bootTicks: number;
  private readonly lastListed = new Map<number, number>();

  constructor(tables: Tables, host: Host) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.bootTicks = host.bootMs === null ? Number.NaN : (host.bootMs / 1000) * USER_HZ;
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    if (process.statOutcome !== Outcome.ok) return process.statOutcome;
    const { threads, fds, start } = this.columns;
    threads.back[row] = process.stat[Stat.threads];
    start.back[row] = this.bootTicks + process.stat[Stat.startTicks];
    try {
      const count = process.descriptorCount();
      if (count >= 0) fds.back[row] = count;
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
