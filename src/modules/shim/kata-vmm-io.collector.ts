import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ProcessIo } from './process-io.js';
import { VMM } from './roles.js';

/** /proc/<pid>/io and the size of /proc/<pid>/fd of a VMM that is no part of its shim. */
@Injectable()
export class KataVmmIoCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'kata_vmm_io',
    tier: 'sweep',
    reads: '`/proc/<pid>/io` and the size of `/proc/<pid>/fd` of the VMM of a Kata sandbox (needs CAP_SYS_PTRACE)',
    enabled: true,
  };
  readonly about = KataVmmIoCollector.about;
  readonly metrics = [];
  readonly sandboxMetrics;
  readonly concerns = VMM.concerns;
  private readonly io: ProcessIo;

  constructor(tables: Tables) {
    this.io = new ProcessIo(tables, VMM);
    this.sandboxMetrics = this.io.metrics;
  }

  collect(subject: Subject): Outcome {
    return this.io.collect(subject);
  }
}
