import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Stat } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { TICK_DECIMALS, USER_HZ } from '../../model/units.js';
import { ProcessStat } from './process-stat.js';
import { SHIM } from './roles.js';

const METRICS = {
  cpu: metric({
    json: 'shim.cpu.total_seconds',
    decimals: TICK_DECIMALS,
    family: counter({
      name: 'kata_shim_process_cpu_seconds_total',
      help: 'Total user and system CPU time spent in seconds.',
      unit: 'seconds',
      identity: 'sandbox',
    }),
  }),
  resident: metric({
    json: 'shim.memory.rss_bytes',
    family: gauge({
      name: 'kata_shim_process_resident_memory_bytes',
      help: 'Resident memory size in bytes.',
      unit: 'bytes',
      identity: 'sandbox',
    }),
  }),
  virtual: metric({
    json: 'shim.memory.virtual_bytes',
    family: gauge({
      name: 'kata_shim_process_virtual_memory_bytes',
      help: 'Virtual memory size in bytes.',
      unit: 'bytes',
      identity: 'sandbox',
    }),
  }),
  start: metric({
    json: 'shim.start_time_seconds',
    decimals: TICK_DECIMALS,
    family: gauge({
      name: 'kata_shim_process_start_time_seconds',
      help: 'Start time of the process since `unix` epoch in seconds.',
      unit: 'seconds',
      identity: 'sandbox',
    }),
  }),
};

/** Fields 14 to 17, 20 and 22 to 24 of the shim's /proc/<pid>/stat. */
@Injectable()
export class ShimCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'shim',
    tier: 'sweep',
    reads: '`/proc/<pid>/stat` of the Kata shim: CPU time, threads, resident and virtual size, start time',
    enabled: true,
  };
  readonly about = ShimCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = SHIM.concerns;
  private readonly stat: ProcessStat;
  private readonly columns;
  private readonly bootTicks: number;
  private readonly pageBytes: number;

  constructor(tables: Tables, host: Host) {
    this.stat = new ProcessStat(tables, SHIM);
    this.columns = tables.sandboxes.columnsOf(METRICS);
    this.sandboxMetrics = [...this.stat.metrics, ...Object.values(METRICS)];
    this.bootTicks = host.bootMs === null ? Number.NaN : (host.bootMs / 1000) * USER_HZ;
    this.pageBytes = host.pageBytes;
  }

  collect(subject: Subject): Outcome {
    const outcome = this.stat.collect(subject);
    const shim = SHIM.process(subject);
    if (!shim || outcome !== Outcome.ok) return outcome;
    const { stat } = shim;
    const { cpu, resident, virtual, start } = this.columns;
    const row = subject.sandboxRow;
    cpu.back[row] = stat[Stat.userTicks] + stat[Stat.systemTicks];
    resident.back[row] = stat[Stat.residentPages] * this.pageBytes;
    virtual.back[row] = stat[Stat.virtualBytes];
    start.back[row] = this.bootTicks + stat[Stat.startTicks];
    return Outcome.ok;
  }
}
