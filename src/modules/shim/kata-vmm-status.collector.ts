import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ProcessStatus } from './process-status.js';
import { VMM } from './roles.js';

/** /proc/<pid>/status of a VMM that is no part of its shim. */
@Injectable()
export class KataVmmStatusCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'kata_vmm_status',
    tier: 'slow',
    reads: '`/proc/<pid>/status` of the VMM of a Kata sandbox: memory by kind, context switches',
    enabled: true,
  };
  readonly about = KataVmmStatusCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = VMM.concerns;
  private readonly status: ProcessStatus;

  constructor(tables: Tables) {
    this.status = new ProcessStatus(tables, VMM);
    this.sandboxMetrics = this.status.metrics;
  }

  collect(subject: Subject): Outcome {
    return this.status.collect(subject);
  }
}
