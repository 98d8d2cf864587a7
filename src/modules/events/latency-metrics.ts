import { counter, type Exposure, type Family, gauge, histogram, type Metric, metric } from '../../model/metric.js';
import { type Amount, BOUNDS_NANOSECONDS, type Latency } from './words.js';

const NANOSECOND_DECIMALS = 9;
/** 0.0001 … 52.4288 */
const BOUNDS = [...BOUNDS_NANOSECONDS.map((bound) => String(bound / 1e9)), '+Inf'];

type Labels = Readonly<Record<string, string>>;
/** A family and the labels that tell this metric's lines in it. */
interface In {
  readonly family: Family;
  readonly labels?: Labels;
}

/** Columns of one latency, in the order of their lines. Buckets and counts are whole numbers, the times nanoseconds. */
export interface TimingMetrics {
  /** Those within each bound, added up; the last is all of them. */
  readonly buckets: readonly Metric[];
  readonly sum: Metric;
  readonly count: Metric;
  readonly last: Metric;
}

interface TimingSpec {
  /** `tcp_rtt`; its members are tcp_rtt_count, tcp_rtt_sum_seconds and tcp_rtt_last_seconds. */
  readonly json: string;
  readonly what: string;
  readonly histograms: readonly In[];
  readonly gauges?: readonly In[];
}

function timing({ json, what, histograms, gauges = [] }: TimingSpec): TimingMetrics {
  const lines = (suffix: NonNullable<Exposure['suffix']>, le?: string): Exposure[] =>
    histograms.map(({ family, labels }) => ({ family, suffix, labels: { ...labels, ...(le === undefined ? {} : { le }) } }));
  return {
    buckets: BOUNDS.map((le) => metric({ json: '', description: `${what}, within ${le} s.`, also: lines('_bucket', le) })),
    sum: metric({
      json: `${json}_sum_seconds`,
      description: `${what}: all together.`,
      decimals: NANOSECOND_DECIMALS,
      also: lines('_sum'),
    }),
    count: metric({ json: `${json}_count`, description: `${what}: how many.`, also: lines('_count') }),
    last: metric({ json: `${json}_last_seconds`, description: `${what}: the latest.`, decimals: NANOSECOND_DECIMALS, also: gauges }),
  };
}

const SEED = 'traced_process_named';
const NATIVE = 'traced_process';
const NET = { type: 'NET' };
const DNS = { type: 'DNS' };
const FS = { type: 'FS' };
const CPU = { type: 'CPU' };

const FS_HISTOGRAM = histogram({
  name: 'podtrace_fs_latency_seconds_histogram',
  help: 'Distribution of file system operation latencies.',
  identity: SEED,
});
const FS_GAUGE = gauge({ name: 'podtrace_fs_latency_seconds_gauge', help: 'Latest file system operation latency.', identity: SEED });
const FILE_OPERATIONS = histogram({
  name: 'vmgauge_vm_file_operation_seconds',
  help: 'Time that reads, writes and syncs of files took the processes of the VM, from call to return or completion.',
  unit: 'seconds',
  identity: NATIVE,
});
const file = (operation: string, what: string): TimingMetrics =>
  timing({
    json: `file_${operation}`,
    what,
    histograms: [
      { family: FS_HISTOGRAM, labels: { ...FS, operation } },
      { family: FILE_OPERATIONS, labels: { operation } },
    ],
    gauges: [{ family: FS_GAUGE, labels: { ...FS, operation } }],
  });

/** By process. */
export const TIMINGS: Readonly<Record<Latency, TimingMetrics>> = {
  rtt: timing({
    json: 'tcp_rtt',
    what: 'Round-trip time of TCP connections, smoothed by the kernel, at each segment received',
    histograms: [
      {
        family: histogram({
          name: 'podtrace_rtt_seconds',
          help: 'Distribution of TCP RTT (Round-Trip Time) measurements: the kernel’s smoothed RTT at each segment received.',
          unit: 'seconds',
          identity: SEED,
        }),
        labels: NET,
      },
      {
        family: histogram({
          name: 'vmgauge_vm_tcp_rtt_seconds',
          help: 'Round-trip time of TCP connections of the VM’s processes, smoothed by the kernel, at each segment received.',
          unit: 'seconds',
          identity: NATIVE,
        }),
      },
    ],
    gauges: [
      {
        family: gauge({ name: 'podtrace_rtt_latest_seconds', help: 'Most recent TCP RTT measurement.', unit: 'seconds', identity: SEED }),
        labels: NET,
      },
    ],
  }),
  connect: timing({
    json: 'tcp_connect',
    what: 'Time from SYN_SENT to ESTABLISHED of TCP connections',
    histograms: [
      {
        family: histogram({
          name: 'podtrace_latency_seconds',
          help: 'Distribution of TCP connection latencies, from SYN_SENT to ESTABLISHED.',
          unit: 'seconds',
          identity: SEED,
        }),
        labels: NET,
      },
      {
        family: histogram({
          name: 'vmgauge_vm_tcp_connect_seconds',
          help: 'Time from SYN_SENT to ESTABLISHED of TCP connections that the VM’s processes opened.',
          unit: 'seconds',
          identity: NATIVE,
        }),
      },
    ],
    gauges: [
      {
        family: gauge({
          name: 'podtrace_latency_latest_seconds',
          help: 'Most recent TCP connection latency.',
          unit: 'seconds',
          identity: SEED,
        }),
        labels: NET,
      },
    ],
  }),
  dns: timing({
    json: 'dns_lookup',
    what: 'Time from a DNS query of the process itself to its answer',
    histograms: [
      {
        family: histogram({
          name: 'podtrace_dns_latency_seconds_histogram',
          help: 'Distribution of DNS query latencies of the VMM and what runs beside it; the guest’s own are vmgauge_vm_guest_dns_seconds.',
          identity: SEED,
        }),
        labels: DNS,
      },
      {
        family: histogram({
          name: 'vmgauge_vm_dns_lookup_seconds',
          help: 'Time from a DNS query that a process of the VM sent for itself over UDP to the answer. No lookup of the guest is among them.',
          unit: 'seconds',
          identity: NATIVE,
        }),
      },
    ],
    gauges: [
      {
        family: gauge({
          name: 'podtrace_dns_latency_seconds_gauge',
          help: 'Latest DNS query latency per process, of the VMM and what runs beside it.',
          identity: SEED,
        }),
        labels: DNS,
      },
    ],
  }),
  read: file('read', 'Time that reads of files took'),
  write: file('write', 'Time that writes of files took'),
  fsync: file('fsync', 'Time that syncs of files took'),
  cpu_block: timing({
    json: 'off_cpu',
    what: 'Time that threads were off the CPU, for whatever reason',
    histograms: [
      {
        family: histogram({
          name: 'podtrace_cpu_block_seconds_histogram',
          help: 'Distribution of CPU block times: threads off the CPU, for whatever reason.',
          identity: SEED,
        }),
        labels: CPU,
      },
      {
        family: histogram({
          name: 'vmgauge_vm_off_cpu_seconds',
          help: 'Time that threads of the VM’s processes were off the CPU at a stretch, asleep, stopped or waiting for one.',
          unit: 'seconds',
          identity: NATIVE,
        }),
      },
    ],
    gauges: [
      {
        family: gauge({
          name: 'podtrace_cpu_block_seconds_gauge',
          help: 'Latest CPU block time (thread blocking duration).',
          identity: SEED,
        }),
        labels: CPU,
      },
    ],
  }),
  run_queue: timing({
    json: 'run_queue_wait',
    what: 'Time that threads were ready to run without a CPU',
    histograms: [
      {
        family: histogram({
          name: 'vmgauge_vm_run_queue_wait_seconds',
          help: 'Time that threads of the VM’s processes were ready to run without a CPU, at a stretch: what others on the host cost them.',
          unit: 'seconds',
          identity: NATIVE,
        }),
      },
    ],
  }),
};

/** By instance. */
export const GUEST_DNS: TimingMetrics = timing({
  json: 'events.guest_dns',
  what: 'Time from a DNS query of the guest to its answer, as seen on its tap',
  histograms: [
    {
      family: histogram({
        name: 'vmgauge_vm_guest_dns_seconds',
        help:
          'Time from a DNS query of the guest itself over UDP to its answer, as seen on its tap; ' +
          'podtrace_dns_latency_seconds_histogram counts lookups of the VMM.',
        unit: 'seconds',
        identity: 'id',
      }),
    },
  ],
});

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

/** Where the numbers of an instance are from: counted in the kernel, or read from `ss` and /proc. */
export const SOURCES = ['ebpf', 'proc'] as const;
export const SOURCE = metric({
  json: 'events.source',
  description:
    'Where latencies and bytes of processes are from: counted in the kernel, or sockets and files of /proc, which tell no distribution.',
  words: { label: 'source', list: SOURCES },
});

export const metricsOf = ({ buckets, sum, count, last }: TimingMetrics): readonly Metric[] => [...buckets, sum, count, last];
