import { counter, type Metric, metric } from '../../model/metric.js';
import { FS, NATIVE, NET, SEED } from './podtrace-labels.js';
import type { Amount } from './words.js';

const NETWORK_BYTES = counter({
  name: 'podtrace_network_bytes_total',
  help: 'Total bytes transferred over network (TCP/UDP send/receive).',
  unit: 'bytes',
  identity: SEED,
});
const SOCKET_BYTES = counter({
  name: 'vmgauge_vm_socket_bytes_total',
  help: 'Bytes that the VM’s processes sent and received over TCP and UDP sockets of their own; the guest’s frames on a tap are not among them.',
  unit: 'bytes',
  identity: NATIVE,
});
const FILESYSTEM_BYTES = counter({
  name: 'podtrace_filesystem_bytes_total',
  help: 'Total bytes transferred via filesystem operations (read/write).',
  unit: 'bytes',
  identity: SEED,
});
const FILE_BYTES = counter({
  name: 'vmgauge_vm_file_bytes_total',
  help: 'Bytes that the VM’s processes read from files and wrote to them; where nothing is traced, those that reached storage.',
  unit: 'bytes',
  identity: NATIVE,
});

const socketBytes = (json: string, direction: string, description: string): Metric =>
  metric({
    json,
    description,
    family: NETWORK_BYTES,
    labels: { ...NET, direction },
    also: [{ family: SOCKET_BYTES, labels: { direction } }],
  });
const fileBytes = (json: string, operation: string, description: string): Metric =>
  metric({
    json,
    description,
    family: FILESYSTEM_BYTES,
    labels: { ...FS, operation },
    also: [{ family: FILE_BYTES, labels: { operation } }],
  });

/** By process. */
export const TOTALS: Readonly<Record<Amount, Metric>> = {
  send_bytes: socketBytes('socket_send_bytes', 'send', 'Bytes sent over TCP and UDP sockets of its own.'),
  receive_bytes: socketBytes('socket_receive_bytes', 'recv', 'Bytes received over TCP and UDP sockets of its own.'),
  read_bytes: fileBytes('file_read_bytes', 'read', 'Bytes read from files; where nothing is traced, from storage.'),
  write_bytes: fileBytes('file_write_bytes', 'write', 'Bytes written to files; where nothing is traced, to storage.'),
  connect_errors: metric({
    json: 'tcp_connect_errors',
    family: counter({
      name: 'vmgauge_vm_tcp_connect_errors_total',
      help: 'TCP connections that the VM’s processes tried to open in vain.',
      identity: NATIVE,
    }),
  }),
  retransmits: metric({
    json: 'tcp_retransmits',
    family: counter({
      name: 'vmgauge_vm_tcp_retransmits_total',
      help: 'TCP segments that the VM’s processes had to send again.',
      identity: NATIVE,
    }),
  }),
};
