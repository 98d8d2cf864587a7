import type { FixedWords } from '../exposition/text-rules.js';
import { namesOf, type WireType } from '../exposition/wire-types.js';

/**
 * What shims, agents and VMMs of Kata say of themselves, by the source of both runtimes at 4.1.0: each family with its type on the wire and
 * its help. A name that stands here means the same in every sandbox, whatever a sandbox says.
 */

export interface KnownFamily extends FixedWords {
  readonly type: WireType;
}

type Words = Readonly<Record<string, string | KnownFamily>>;

const counter = (help: string): KnownFamily => ({ type: 'counter', help });
const histogram = (help: string): KnownFamily => ({ type: 'histogram', help });

/** Of every process that Kata looks at. */
const PROCESS_WORDS = (of: string): Words => ({
  threads: `${of} process threads.`,
  proc_status: `${of} process status.`,
  proc_stat: `${of} process statistics.`,
  io_stat: `${of} process IO statistics.`,
  fds: `Open FDs of the ${of.toLowerCase()} process.`,
});

/** Durations of calls, which only the Go runtime keeps. */
export const RPC_FAMILIES = {
  shim: 'kata_shim_rpc_durations_histogram_milliseconds',
  agent: 'kata_shim_agent_rpc_durations_histogram_milliseconds',
} as const;

/** By prefix; what is no gauge says so. */
const FAMILIES: Readonly<Record<string, Words>> = {
  kata_shim_: {
    ...PROCESS_WORDS('Kata containerd shim v2'),
    netdev: 'Kata containerd shim v2 network devices statistics.',
    [RPC_FAMILIES.shim.slice('kata_shim_'.length)]: histogram('RPC latency distributions.'),
    [RPC_FAMILIES.agent.slice('kata_shim_'.length)]: histogram('RPC latency distributions.'),
    pod_overhead_cpu: 'Kata Pod overhead for CPU resources(percent).',
    pod_overhead_memory_in_bytes: 'Kata Pod overhead for memory resources(bytes).',
  },
  kata_hypervisor_: {
    ...PROCESS_WORDS('Hypervisor'),
    netdev: 'Net devices statistics.',
    scrape_count: counter('Metrics scrape count.'),
    vcpu: 'Hypervisor metrics specific to VCPUs’ mode of functioning.',
    seccomp: 'Hypervisor metrics for the seccomp filtering.',
    signals: 'Hypervisor metrics related to signals.',
  },
  kata_virtiofsd_: PROCESS_WORDS('Virtiofsd'),
  /** Gauges that hold what grew since Firecracker last wrote its file. */
  kata_firecracker_: {
    api_server: 'Firecracker: metrics of the API server.',
    block: 'Firecracker: metrics of the block devices, all together.',
    get_api_requests: 'Firecracker: GET requests on its API.',
    i8042: 'Firecracker: metrics of the i8042 device.',
    latencies_us: 'Firecracker: latencies of its API, in microseconds.',
    logger: 'Firecracker: metrics of its logger.',
    mmds: 'Firecracker: metrics of the metadata service.',
    net: 'Firecracker: metrics of the network devices, all together.',
    patch_api_requests: 'Firecracker: PATCH requests on its API.',
    put_api_requests: 'Firecracker: PUT requests on its API.',
    rtc: 'Firecracker: metrics of the real-time clock.',
    seccomp: 'Firecracker: metrics of the seccomp filtering.',
    vcpu: 'Firecracker: metrics of the vCPUs.',
    vmm: 'Firecracker: metrics of the machine manager.',
    uart: 'Firecracker: metrics of the UART device.',
    signals: 'Firecracker: metrics related to signals.',
    vsock: 'Firecracker: metrics of the vsock device.',
  },
  kata_agent_: {
    scrape_count: counter('Times the agent in the guest was asked for its metrics.'),
    threads: 'Agent process threads.',
    total_time: 'CPU time of the agent process, in seconds.',
    total_vm: 'Virtual memory of the agent process, in bytes.',
    total_rss: 'Resident memory of the agent process, in bytes.',
    proc_status: 'Agent process status, memory in KiB.',
    proc_stat: 'Agent process statistics, in clock ticks.',
    io_stat: 'Agent process IO statistics.',
  },
  /** The Rust client's process collector, in agents that still had it. */
  kata_agent_process_: {
    cpu_seconds_total: counter('CPU time of the agent process, in seconds.'),
    max_fds: 'Maximum number of open file descriptors of the agent process.',
    open_fds: 'Open file descriptors of the agent process.',
    resident_memory_bytes: 'Resident memory of the agent process, in bytes.',
    start_time_seconds: 'Start of the agent process by the guest’s clock, in seconds since 1970.',
    virtual_memory_bytes: 'Virtual memory of the agent process, in bytes.',
    virtual_memory_max_bytes: 'Most virtual memory that the agent process may have, in bytes.',
  },
  kata_guest_: {
    load: 'Guest system load.',
    tasks: 'Guest system tasks.',
    cpu_time: 'Guest CPU statistics, in milliseconds.',
    vm_stat: 'Guest virtual memory statistics, from /proc/vmstat.',
    meminfo: 'Guest memory information, in bytes but for counts of huge pages.',
    netdev_stat: 'Guest net devices statistics.',
    diskstat: 'Guest disk statistics, sectors of 512 bytes and milliseconds.',
    filesystem_bytes: 'Space on file systems of the guest, in bytes.',
    filesystem_inodes: 'Inodes of file systems of the guest.',
  },
  /** client_golang's process collector, named so by kata-monitor. */
  kata_shim_process_: {
    cpu_seconds_total: counter('Total user and system CPU time spent in seconds.'),
    max_fds: 'Maximum number of open file descriptors.',
    open_fds: 'Number of open file descriptors.',
    resident_memory_bytes: 'Resident memory size in bytes.',
    start_time_seconds: 'Start time of the process since unix epoch in seconds.',
    virtual_memory_bytes: 'Virtual memory size in bytes.',
    virtual_memory_max_bytes: 'Maximum amount of virtual memory available in bytes.',
    network_receive_bytes_total: counter('Bytes received in the network namespace of the process.'),
    network_transmit_bytes_total: counter('Bytes sent in the network namespace of the process.'),
  },
  /** client_golang's Go collector, named so by kata-monitor. */
  kata_shim_go_: {
    gc_duration_seconds: { type: 'summary', help: 'Pause duration of garbage collection cycles.' },
    gc_gogc_percent: 'Heap size target percentage (GOGC).',
    gc_gomemlimit_bytes: 'Go runtime memory limit (GOMEMLIMIT).',
    goroutines: 'Number of goroutines that currently exist.',
    info: 'Information about the Go environment.',
    sched_gomaxprocs_threads: 'GOMAXPROCS: threads that may run Go code at the same time.',
    threads: 'Number of OS threads created.',
  },
  kata_shim_go_memstats_: {
    alloc_bytes: 'Bytes of the heap that are allocated and in use.',
    // A counter in OpenMetrics would be the family `…_alloc_bytes`, which is the gauge above.
    alloc_bytes_total: { type: 'counter', printed: 'unknown', help: 'Bytes of the heap allocated until now, even if released already.' },
    buck_hash_sys_bytes: 'Bytes used by the profiling bucket hash table.',
    frees_total: counter('Heap objects freed.'),
    gc_cpu_fraction: 'Share of the available CPU time that garbage collection used since the program started.',
    gc_sys_bytes: 'Bytes used for garbage collection metadata.',
    heap_alloc_bytes: 'Heap bytes allocated and in use.',
    heap_idle_bytes: 'Heap bytes waiting to be used.',
    heap_inuse_bytes: 'Heap bytes that are in use.',
    heap_objects: 'Number of currently allocated objects.',
    heap_released_bytes: 'Heap bytes released to the system.',
    heap_sys_bytes: 'Heap bytes obtained from the system.',
    last_gc_time_seconds: 'Seconds since 1970 of the last garbage collection.',
    lookups_total: counter('Pointer lookups.'),
    mallocs_total: counter('Heap objects allocated.'),
    mcache_inuse_bytes: 'Bytes in use by mcache structures.',
    mcache_sys_bytes: 'Bytes used for mcache structures obtained from the system.',
    mspan_inuse_bytes: 'Bytes in use by mspan structures.',
    mspan_sys_bytes: 'Bytes used for mspan structures obtained from the system.',
    next_gc_bytes: 'Heap bytes when the next garbage collection will take place.',
    other_sys_bytes: 'Bytes used for other system allocations.',
    stack_inuse_bytes: 'Bytes in use by the stack allocator.',
    stack_sys_bytes: 'Bytes obtained from the system for the stack allocator.',
    sys_bytes: 'Bytes obtained from the system.',
  },
};

/** By the name under which it is printed on a page of many sandboxes. */
export const VOCABULARY: ReadonlyMap<string, KnownFamily> = new Map(
  Object.entries(FAMILIES).flatMap(([prefix, words]) =>
    Object.entries(words).map(([word, family]): [string, KnownFamily] => [
      prefix + word,
      typeof family === 'string' ? { type: 'gauge', help: family } : family,
    ]),
  ),
);

/** All names of the vocabulary's families: no other family may have one of them. */
export const VOCABULARY_NAMES: ReadonlySet<string> = new Set(
  [...VOCABULARY].flatMap(([name, { type, printed }]) => namesOf(name, printed ?? type)),
);
