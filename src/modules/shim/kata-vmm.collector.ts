import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ProcessStat } from './process-stat.js';
import { VMM } from './roles.js';

/** Fields 14 to 17 and 20 of /proc/<pid>/stat, which the sweep has just read, under the names that Kata gives them. */
@Injectable()
export class KataVmmCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'kata_vmm',
    tier: 'sweep',
    reads: '`/proc/<pid>/stat` of the VMM of a Kata sandbox, which the sweep has read: CPU time in ticks, threads',
    enabled: true,
  };
  readonly about = KataVmmCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = VMM.concerns;
  private readonly stat: ProcessStat;

  constructor(tables: Tables) {
    this.stat = new ProcessStat(tables, VMM);
    this.sandboxMetrics = this.stat.metrics;
  }

  collect(subject: Subject): Outcome {
    return this.stat.collect(subject);
  }
}
