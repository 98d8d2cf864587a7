import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ProcessStatus } from './process-status.js';
import { VIRTIOFSD } from './roles.js';

/** /proc/<pid>/status of virtiofsd. */
@Injectable()
export class VirtiofsdStatusCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'virtiofsd_status',
    tier: 'slow',
    reads: '`/proc/<pid>/status` of the virtiofsd of a Kata sandbox: memory by kind, context switches',
    enabled: true,
  };
  readonly about = VirtiofsdStatusCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = VIRTIOFSD.concerns;
  private readonly status: ProcessStatus;

  constructor(tables: Tables) {
    this.status = new ProcessStatus(tables, VIRTIOFSD);
    this.sandboxMetrics = this.status.metrics;
  }

  collect(subject: Subject): Outcome {
    return this.status.collect(subject);
  }
}
