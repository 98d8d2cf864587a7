import { gauge, histogram, metric } from '../../model/metric.js';
import { CPU, DNS, FS, NATIVE, NET, SEED } from './podtrace-labels.js';
import { type TimingMetrics, timing } from './timing-metrics.js';
import type { Latency } from './words.js';

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

/** Where the numbers of an instance are from: counted in the kernel, or read from `ss` and /proc. */
export const SOURCES = ['ebpf', 'proc'] as const;
export const SOURCE = metric({
  json: 'events.source',
  description:
    'Where latencies and bytes of processes are from: counted in the kernel, or sockets and files of /proc, which tell no distribution.',
  words: { label: 'source', list: SOURCES },
});
