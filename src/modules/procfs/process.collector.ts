import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Stat } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { TICK_DECIMALS, USER_HZ } from '../../model/units.js';

const METRICS = {
  threads: metric({
    json: 'process.threads',
    family: gauge({ name: 'vmgauge_vm_threads', help: 'Threads of the VMM process: vCPUs, I/O threads, workers.' }),
  }),
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

/** Fields 20 and 22 of /proc/<pid>/stat, which the sweep has just read. */
@Injectable()
export class ProcessCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'process',
    tier: 'sweep',
    reads: '`/proc/<pid>/stat`: threads, start time',
    enabled: true,
  };
  readonly about = ProcessCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly bootTicks: number;

  constructor(tables: Tables, host: Host) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.bootTicks = host.bootMs === null ? Number.NaN : (host.bootMs / 1000) * USER_HZ;
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    if (process.statOutcome !== Outcome.ok) return process.statOutcome;
    const { threads, start } = this.columns;
    threads.back[row] = process.stat[Stat.threads];
    start.back[row] = this.bootTicks + process.stat[Stat.startTicks];
    return Outcome.ok;
  }
}
