import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';
import { parseSchedstat } from './schedstat.js';
import { ThreadTotals, updateFromThreads } from './thread-totals.js';

const METRICS = {
  wait: metric({
    json: 'cpu.wait_seconds',
    decimals: MICROSECOND_DECIMALS,
    family: counter({
      name: 'vmgauge_vm_cpu_wait_seconds_total',
      help: 'Time that threads of the VMM were ready to run and had no CPU, summed over threads. Waiting for the own CPU quota is in it.',
      unit: 'seconds',
    }),
    rate: 'cpu_wait_cores',
  }),
  timeslices: metric({
    json: 'cpu.timeslices',
    family: counter({ name: 'vmgauge_vm_cpu_timeslices_total', help: 'How often a thread of the VMM got a CPU, summed over threads.' }),
  }),
};
const WORDS = ['waitMicroseconds', 'timeslices'] as const;

/**
 * /proc/<pid>/task/<tid>/schedstat of every thread: the file of the process covers its main thread only. About 6 µs a thread, hence an
 * interval of its own.
 */
@Injectable()
export class WaitCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'wait',
    tier: 'threads',
    reads: '`/proc/<pid>/task/*/schedstat`: run-queue wait, summed over threads',
    enabled: true,
  };
  static readonly seconds = METRICS.wait;
  readonly about = WaitCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly totals = new Map<number, ThreadTotals<(typeof WORDS)[number]>>();

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  attach({ row }: Subject): void {
    this.totals.set(row, new ThreadTotals(WORDS));
  }

  detach({ row }: Subject): void {
    this.totals.delete(row);
  }

  collect({ row, process }: Subject): Outcome {
    const totals = this.totals.get(row);
    if (!process || !totals) return Outcome.gone;
    const outcome = updateFromThreads(totals, process, 'schedstat', parseSchedstat);
    if (outcome !== Outcome.ok) return outcome;
    this.columns.wait.back[row] = totals.totals.waitMicroseconds;
    this.columns.timeslices.back[row] = totals.totals.timeslices;
    return Outcome.ok;
  }
}
