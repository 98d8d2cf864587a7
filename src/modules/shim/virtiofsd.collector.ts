import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ProcessStat } from './process-stat.js';
import { VIRTIOFSD } from './roles.js';

/** Fields 14 to 17 and 20 of /proc/<pid>/stat of virtiofsd. */
@Injectable()
export class VirtiofsdCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'virtiofsd',
    tier: 'sweep',
    reads: '`/proc/<pid>/stat` of the virtiofsd of a Kata sandbox: CPU time, threads',
    enabled: true,
  };
  readonly about = VirtiofsdCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = VIRTIOFSD.concerns;
  private readonly stat: ProcessStat;

  constructor(tables: Tables) {
    this.stat = new ProcessStat(tables, VIRTIOFSD);
    this.sandboxMetrics = this.stat.metrics;
  }

  collect(subject: Subject): Outcome {
    return this.stat.collect(subject);
  }
}
