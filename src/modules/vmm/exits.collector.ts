import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isTold } from './answer.js';
import { VmmAsker } from './asker.js';
import { hasAnswered, TopicCells, topic } from './topics.js';

const EXITS = counter({
  name: 'vmgauge_vm_exits_total',
  help: 'Exits of the guest that the VMM handled itself, seen from the guest. What the kernel handled is in the families of KVM.',
});

const METRICS = {
  ioIn: metric({
    json: 'exits.io_in',
    description: 'Reads of I/O ports that the VMM answered.',
    family: EXITS,
    labels: { kind: 'io', direction: 'in' },
  }),
  ioOut: metric({
    json: 'exits.io_out',
    description: 'Writes to I/O ports that the VMM handled.',
    family: EXITS,
    labels: { kind: 'io', direction: 'out' },
  }),
  mmioRead: metric({
    json: 'exits.mmio_read',
    description: 'Reads of device memory that the VMM answered.',
    family: EXITS,
    labels: { kind: 'mmio', direction: 'read' },
  }),
  mmioWrite: metric({
    json: 'exits.mmio_write',
    description: 'Writes to device memory that the VMM handled.',
    family: EXITS,
    labels: { kind: 'mmio', direction: 'write' },
  }),
  failures: metric({
    json: 'exits.failures',
    family: counter({ name: 'vmgauge_vm_exit_failures_total', help: 'Exits of the guest that the VMM could not handle.' }),
  }),
};

/** Exits that reached the VMM. Only Firecracker and Dragonball count them, and tell the direction; KVM's own counts are another quantity. */
@Injectable()
export class ExitsCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'exits',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: exits it handled, by kind and direction',
    enabled: true,
  };
  readonly about = ExitsCollector.about;
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
    const exits = topic(this.asker, subject, ({ exits }) => exits);
    return isTold(exits) ? this.cells.put(subject.row, exits) : exits;
  }
}
