import { counter, type Family, gauge, type Metric, metric } from '../../model/metric.js';

const identity = 'cgroup_device';
const WHOSE = 'by the cgroup that is its own. A device that is made of others counts what they count again';

const BYTES = counter({
  name: 'vmgauge_vm_cgroup_io_bytes_total',
  help: `Bytes that the VM and what works for it moved at a block device of the host, ${WHOSE}.`,
  unit: 'bytes',
  identity,
});
const OPERATIONS = counter({
  name: 'vmgauge_vm_cgroup_io_operations_total',
  help: `Requests of the VM and of what works for it to a block device of the host, ${WHOSE}.`,
  identity,
});
const BYTE_LIMIT = gauge({
  name: 'vmgauge_vm_cgroup_io_limit_bytes_per_second',
  help: 'How much the cgroups of the VM let it move at a block device of the host, bytes a second: the least of its own and those it lies in.',
  identity,
});
const OPERATION_LIMIT = gauge({
  name: 'vmgauge_vm_cgroup_io_limit_operations_per_second',
  help: 'How many requests a second the cgroups of the VM let it make to a block device of the host: the least of its own and those it lies in.',
  identity,
});

const ofDevice = (json: string, family: Family, operation: string): Metric => metric({ json, family, labels: { operation } });
export const IO_DEVICE = {
  readBytes: ofDevice('read_bytes', BYTES, 'read'),
  writeBytes: ofDevice('write_bytes', BYTES, 'write'),
  discardBytes: ofDevice('discard_bytes', BYTES, 'discard'),
  readOperations: ofDevice('read_operations', OPERATIONS, 'read'),
  writeOperations: ofDevice('write_operations', OPERATIONS, 'write'),
  discardOperations: ofDevice('discard_operations', OPERATIONS, 'discard'),
};
export const IO_DEVICE_LIMITS = {
  readBytes: ofDevice('read_limit_bytes_per_second', BYTE_LIMIT, 'read'),
  writeBytes: ofDevice('write_limit_bytes_per_second', BYTE_LIMIT, 'write'),
  readOperations: ofDevice('read_limit_operations_per_second', OPERATION_LIMIT, 'read'),
  writeOperations: ofDevice('write_limit_operations_per_second', OPERATION_LIMIT, 'write'),
};

const sum = (word: string, what: string): Metric =>
  metric({
    json: `limits.io.${word}`,
    description: `${what} at all block devices, ${WHOSE}.`,
    rate: `cgroup_io_${word}_per_second`,
  });
export const IO_SUMS = {
  readBytes: sum('read_bytes', 'Bytes read'),
  writeBytes: sum('write_bytes', 'Bytes written'),
  discardBytes: sum('discard_bytes', 'Bytes discarded'),
  readOperations: sum('read_operations', 'Requests to read'),
  writeOperations: sum('write_operations', 'Requests to write'),
  discardOperations: sum('discard_operations', 'Requests to discard'),
};
