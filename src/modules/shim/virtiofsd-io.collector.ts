import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ProcessIo } from './process-io.js';
import { VIRTIOFSD } from './roles.js';

/** /proc/<pid>/io and the size of /proc/<pid>/fd of virtiofsd. */
@Injectable()
export class VirtiofsdIoCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'virtiofsd_io',
    tier: 'sweep',
    reads: '`/proc/<pid>/io` and the size of `/proc/<pid>/fd` of the virtiofsd of a Kata sandbox (needs CAP_SYS_PTRACE)',
    enabled: true,
  };
  readonly about = VirtiofsdIoCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = VIRTIOFSD.concerns;
  private readonly io: ProcessIo;

  constructor(tables: Tables) {
    this.io = new ProcessIo(tables, VIRTIOFSD);
    this.sandboxMetrics = this.io.metrics;
  }

  collect(subject: Subject): Outcome {
    return this.io.collect(subject);
  }
}
