import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { parseStatus } from './status.js';
import { ThreadTotals, updateFromThreads } from './thread-totals.js';

const SWITCHES = counter({
  name: 'vmgauge_vm_context_switches_total',
  help: 'Context switches of the VMM, summed over threads: voluntary ones waited for something, involuntary ones lost the CPU.',
});
const METRICS = {
  voluntary: metric({ json: 'process.context_switches.voluntary', family: SWITCHES, labels: { kind: 'voluntary' } }),
  involuntary: metric({ json: 'process.context_switches.involuntary', family: SWITCHES, labels: { kind: 'involuntary' } }),
};
const WORDS = ['voluntarySwitches', 'involuntarySwitches'] as const;

/** /proc/<pid>/task/<tid>/status of every thread: the file of the process covers its main thread only. About 11 µs a thread. */
@Injectable()
export class ContextSwitchesCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'context_switches',
    tier: 'slow',
    reads: '`/proc/<pid>/task/*/status`: context switches, summed over threads',
    enabled: true,
  };
  readonly about = ContextSwitchesCollector.about;
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
    const outcome = updateFromThreads(totals, process, 'status', parseStatus);
    if (outcome !== Outcome.ok) return outcome;
    this.columns.voluntary.back[row] = totals.totals.voluntarySwitches;
    this.columns.involuntary.back[row] = totals.totals.involuntarySwitches;
    return Outcome.ok;
  }
}
