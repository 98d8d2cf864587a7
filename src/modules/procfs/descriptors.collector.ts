import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { DescriptorCounter } from './descriptor-counter.js';

const METRICS = {
  fds: metric({ json: 'process.fds', family: gauge({ name: 'vmgauge_vm_open_fds', help: 'Open file descriptors of the VMM process.' }) }),
};

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
  private readonly counter = new DescriptorCounter();

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    try {
      this.columns.fds.back[row] = this.counter.count(process);
    } catch (error) {
      return outcomeOfErrno(error);
    }
    return Outcome.ok;
  }
}
