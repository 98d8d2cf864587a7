import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Stat } from '../../model/process.js';
import { Tables } from '../../model/tables.js';
import { TICK_DECIMALS } from '../../model/units.js';
import { holdProcess, type ProcfsProcess } from './held-process.js';

const METRICS = {
  vhost: metric({
    json: 'cpu.vhost_seconds',
    decimals: TICK_DECIMALS,
    family: counter({
      name: 'vmgauge_vm_vhost_cpu_seconds_total',
      help: 'CPU time of the kernel threads vhost-<pid> that move frames for the VM. The CPU time of the process does not include it.',
      unit: 'seconds',
    }),
  }),
};

/**
 * stat of the kernel threads `vhost-<pid>`. Linux before 6.4 runs vhost-net in such threads; later ones make them threads of the VMM,
 * where `cpu` counts them already.
 */
@Injectable()
export class VhostCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'vhost',
    tier: 'sweep',
    reads: '`/proc/<tid>/stat` of the kernel threads `vhost-<pid>`',
    enabled: true,
  };
  readonly about = VhostCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly held = new Map<number, readonly ProcfsProcess[]>();
  private readonly failed = new Map<number, Outcome>();

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  attach(subject: Subject): void {
    this.devices(subject);
  }

  devices(subject: Subject): void {
    this.detach(subject);
    const threads: ProcfsProcess[] = [];
    for (const pid of subject.vhostThreads) {
      try {
        threads.push(holdProcess(this.host, pid));
      } catch (error) {
        // A thread that ended since it was listed is no failure; the next rescan no longer lists it.
        const outcome = outcomeOfErrno(error);
        if (outcome !== Outcome.gone) this.failed.set(subject.row, outcome);
      }
    }
    if (threads.length > 0) this.held.set(subject.row, threads);
  }

  detach({ row }: Subject): void {
    for (const thread of this.held.get(row) ?? []) thread.close();
    this.held.delete(row);
    this.failed.delete(row);
  }

  collect(subject: Subject): Outcome {
    const { row, process } = subject;
    if (!process) return Outcome.gone;
    const failed = this.failed.get(row);
    if (failed !== undefined) {
      subject.devicesChanged();
      return failed;
    }
    const threads = this.held.get(row);
    if (!threads) return Outcome.notConfigured;
    let ticks = Number.NaN;
    for (const thread of threads) {
      const outcome = thread.readStat();
      if (outcome !== Outcome.ok) return outcome;
      const own = thread.stat[Stat.userTicks] + thread.stat[Stat.systemTicks];
      ticks = Number.isNaN(ticks) ? own : ticks + own;
    }
    this.columns.vhost.back[row] = ticks;
    return Outcome.ok;
  }
}
