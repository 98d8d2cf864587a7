import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { parseLimits } from './limits.js';

const METRICS = {
  maxFds: metric({
    json: 'process.max_fds',
    family: gauge({ name: 'vmgauge_vm_max_fds', help: 'Soft limit of open file descriptors of the VMM process.' }),
  }),
};

const text = Buffer.allocUnsafeSlow(8192);

/** /proc/<pid>/limits, proc_pid_limits(5). */
@Injectable()
export class LimitsCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'limits',
    tier: 'slow',
    reads: '`/proc/<pid>/limits`: the descriptor limit',
    enabled: true,
  };
  readonly about = LimitsCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    let limits: ReturnType<typeof parseLimits>;
    try {
      limits = parseLimits(text.toString('latin1', 0, process.readOnce('limits', text)));
    } catch (error) {
      return outcomeOfErrno(error);
    }
    if (!limits) return Outcome.malformed;
    this.columns.maxFds.back[row] = Number.isFinite(limits.maxOpenFiles) ? limits.maxOpenFiles : Number.NaN;
    return Outcome.ok;
  }
}
