import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge } from '../../model/metric.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ProcessIo } from './process-io.js';
import { SHIM } from './roles.js';

const OPEN_FDS = gauge({ name: 'kata_shim_process_open_fds', help: 'Number of open file descriptors.', identity: 'sandbox' });

/** /proc/<pid>/io and the size of /proc/<pid>/fd of the shim. */
@Injectable()
export class ShimIoCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'shim_io',
    tier: 'sweep',
    reads: '`/proc/<pid>/io` and the size of `/proc/<pid>/fd` of the Kata shim (needs CAP_SYS_PTRACE)',
    enabled: true,
  };
  readonly about = ShimIoCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = SHIM.concerns;
  private readonly io: ProcessIo;

  constructor(tables: Tables) {
    this.io = new ProcessIo(tables, SHIM, [{ family: OPEN_FDS }]);
    this.sandboxMetrics = this.io.metrics;
  }

  collect(subject: Subject): Outcome {
    return this.io.collect(subject);
  }
}
