import { counter, metric } from '../../model/metric.js';
import { numbersOf } from './numbers-topic.js';

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
export class ExitsCollector extends numbersOf({
  about: {
    name: 'exits',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: exits it handled, by kind and direction',
    enabled: true,
  },
  metrics: METRICS,
  of: ({ exits }) => exits,
}) {}
