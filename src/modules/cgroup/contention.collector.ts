import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, CollectorClass, Subject } from '../../model/collector.js';
import { counter, type Metric, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { Column } from '../../model/table.js';
import { Tables } from '../../model/tables.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';
import { WaitCollector } from '../procfs/wait.collector.js';
import { cellsOf, outcomeIn, turnsOf } from './neighbours.js';
import { ThrottlingCollector } from './throttling.collector.js';

const METRICS = {
  contention: metric({
    json: 'cpu.contention_seconds',
    decimals: MICROSECOND_DECIMALS,
    family: counter({
      name: 'vmgauge_vm_cpu_contention_seconds_total',
      help: 'Estimate of how long the VM waited for CPUs that others used: between two readings, what the run-queue wait of its threads grew by more than the throttled time of its cgroups. Wait is added up over threads, throttled time over CPUs and cgroups.',
      unit: 'seconds',
    }),
    rate: 'cpu_contention_cores',
  }),
};

/** Both in microseconds, and what is made of them. */
interface Attribution {
  wait: number;
  throttled: number;
  contention: number;
}

/** The cells that another collector has just written, and how its turn went. */
interface Input {
  readonly value: Column;
  readonly outcome: Column;
}

/**
 * Run-queue wait less throttled time. Reads no file: it has its turn right after the two others had theirs at the same instance, and uses
 * what they publish, so that anybody can do the sum again.
 */
@Injectable()
export class ContentionCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'contention',
    tier: 'threads',
    reads: 'nothing of its own: what `wait` and `throttling` read at the same moment',
    enabled: true,
  };
  readonly about = ContentionCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly attributions = new Map<number, Attribution>();
  private found: readonly [wait: Input, throttled: Input] | undefined;

  constructor(private readonly tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  attach({ row }: Subject): void {
    this.attributions.set(row, { wait: 0, throttled: 0, contention: 0 });
  }

  detach({ row }: Subject): void {
    this.attributions.delete(row);
  }

  collect({ row, process }: Subject): Outcome {
    const attribution = this.attributions.get(row);
    if (!process || !attribution) return Outcome.gone;
    const [wait, throttled] = this.inputs();
    for (const { outcome } of [wait, throttled]) if (outcome.back[row] !== Outcome.ok) return outcomeIn(outcome.back[row]);
    this.columns.contention.back[row] = attribute(attribution, wait.value.back[row], throttled.value.back[row]);
    return Outcome.ok;
  }

  /** Looked up at the first turn: the other collectors' columns may be made after ours. */
  private inputs(): readonly [wait: Input, throttled: Input] {
    this.found ??= [this.input(WaitCollector, WaitCollector.seconds), this.input(ThrottlingCollector, ThrottlingCollector.seconds)];
    return this.found;
  }

  private input(collector: CollectorClass, metric: Metric): Input {
    return { value: cellsOf(this.tables.instances, metric), outcome: turnsOf(this.tables, collector).outcome };
  }
}

/** Takes over the two readings. @returns the contention so far, which never goes back */
function attribute(before: Attribution, wait: number, throttled: number): number {
  before.contention += Math.max(0, wait - before.wait - (throttled - before.throttled));
  before.wait = wait;
  before.throttled = throttled;
  return before.contention;
}
