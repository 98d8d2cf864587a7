import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isTold } from './answer.js';
import { VmmAsker } from './asker.js';
import { hasAnswered, TopicCells, topic } from './topics.js';

const METRICS = {
  bytes: metric({
    json: 'memory.vmm.allocated_bytes',
    family: gauge({
      name: 'vmgauge_vm_vmm_memory_allocated_bytes',
      help: 'Memory the VM has by the VMM’s word, plugged in memory included, whatever a balloon took back.',
      unit: 'bytes',
    }),
  }),
  hotpluggedBytes: metric({
    json: 'memory.vmm.hotplugged_bytes',
    family: gauge({
      name: 'vmgauge_vm_vmm_memory_hotplugged_bytes',
      help: 'The part of the VM’s memory that was plugged in while it ran.',
      unit: 'bytes',
    }),
  }),
  maxBytes: metric({
    json: 'memory.vmm.max_bytes',
    family: gauge({
      name: 'vmgauge_vm_vmm_memory_max_bytes',
      help: 'Memory the VM could have when all that may be plugged in is.',
      unit: 'bytes',
    }),
  }),
};

/** What the VMM gave the guest. The allocation by the sources' word stands beside it: they do not see what was plugged in since. */
@Injectable()
export class VmmMemoryCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'vmm_memory',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: memory it gave the guest, plugged in memory included',
    enabled: true,
  };
  readonly about = VmmMemoryCollector.about;
  readonly metrics;
  private readonly cells;

  constructor(
    tables: Tables,
    _host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.cells = new TopicCells(tables.instances, METRICS);
    this.metrics = this.cells.metrics;
  }

  concerns(subject: Subject): boolean {
    return hasAnswered(this.asker, subject);
  }

  collect(subject: Subject): Outcome {
    const memory = topic(this.asker, subject, ({ memory }) => memory);
    if (!isTold(memory)) return memory;
    subject.vmmMemoryBytes = memory.bytes ?? null;
    return this.cells.put(subject.row, memory);
  }

  clear(subject: Subject): void {
    subject.vmmMemoryBytes = null;
  }

  detach(subject: Subject): void {
    subject.vmmMemoryBytes = null;
  }
}
