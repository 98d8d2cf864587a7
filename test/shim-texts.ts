/**
 * Texts in the shape in which Kata's shims answer, of any size: names, labels, order and spelling of numbers as the runtimes at 4.1.0 write
 * them, values of no real machine. The bench loads this file as it is: types that can be erased only.
 */

/** All that the seed's table has. */
export const SHIM_ACTIONS =
  'checkpoint close_io connect create delete exec kill pause pids resize_pty resume shutdown start state stats update wait'.split(' ');
export const AGENT_ACTIONS =
  `CheckRequest CloseStdinRequest CopyFileRequest CreateContainerRequest CreateSandboxRequest DestroySandboxRequest ExecProcessRequest
  GetMetricsRequest GuestDetailsRequest ListInterfacesRequest ListProcessesRequest ListRoutesRequest MemHotplugByProbeRequest
  OnlineCPUMemRequest PauseContainerRequest RemoveContainerRequest ReseedRandomDevRequest ResumeContainerRequest SetGuestDateTimeRequest
  SignalProcessRequest StartContainerRequest StatsContainerRequest TtyWinResizeRequest UpdateContainerRequest UpdateInterfaceRequest
  UpdateRoutesRequest WaitProcessRequest WriteStreamRequest`
    .split(/\s+/)
    .map((word) => `grpc.${word}`);

const PROC_STATUS =
  `hugetlbpages nonvoluntary_ctxt_switches rssanon rssfile rssshmem vmdata vmexe vmhwm vmlck vmlib vmpeak vmpin vmpmd vmpte vmrss
  vmsize vmstk vmswap voluntary_ctxt_switches`.split(/\s+/);
const PROC_STAT = 'cstime cutime stime utime'.split(' ');
const IO_GO = 'cancelledwritebytes rchar readbytes syscr syscw wchar writebytes'.split(' ');
const IO_RUST = 'cancelled_write_bytes rchar read_bytes syscr syscw wchar write_bytes'.split(' ');
const NETDEV =
  `recv_bytes recv_compressed recv_drop recv_errs recv_fifo recv_frame recv_multicast recv_packets sent_bytes sent_carrier sent_colls
  sent_compressed sent_drop sent_errs sent_fifo sent_packets`.split(/\s+/);
const CPU_TIME = 'guest guest_nice idle iowait irq nice softirq steal system user'.split(' ');
const MEMINFO =
  `active active_anon active_file anon_huge_pages anon_pages bounce buffers cached cma_free cma_total commit_limit committed_as
  direct_map_1G direct_map_2M direct_map_4k direct_map_4M dirty file_huge_pages file_pmd_mapped hardware_corrupted high_free high_total
  hugepages_free hugepages_rsvd hugepages_surp hugepages_total hugepagesize hugetlb inactive inactive_anon inactive_file k_reclaimable
  kernel_stack low_free low_total mapped mem_available mem_free mem_total mlocked mmap_copy nfs_unstable page_tables per_cpu quicklists
  s_reclaimable s_unreclaim shmem shmem_huge_pages shmem_pmd_mapped slab swap_cached swap_free swap_total unevictable vmalloc_chunk
  vmalloc_total vmalloc_used writeback writeback_tmp`.split(/\s+/);
const DISKSTAT = `discards discards_merged flushes in_progress merged reads sectors_discarded sectors_read sectors_written time_discarding
  time_flushing time_in_progress time_reading time_writing weighted_time_in_progress writes writes_merged`.split(/\s+/);
const VM_STAT =
  `allocstall_dma allocstall_dma32 allocstall_movable allocstall_normal balloon_deflate balloon_inflate balloon_migrate compact_fail
  compact_free_scanned compact_isolated compact_migrate_scanned compact_stall compact_success drop_pagecache drop_slab htlb_buddy_alloc_fail
  htlb_buddy_alloc_success kswapd_high_wmark_hit_quickly kswapd_inodesteal kswapd_low_wmark_hit_quickly nr_active_anon nr_active_file
  nr_anon_pages nr_anon_transparent_hugepages nr_bounce nr_dirtied nr_dirty nr_dirty_background_threshold nr_dirty_threshold nr_file_hugepages
  nr_file_pages nr_file_pmdmapped nr_foll_pin_acquired nr_foll_pin_released nr_free_pages nr_inactive_anon nr_inactive_file nr_isolated_anon
  nr_isolated_file nr_kernel_misc_reclaimable nr_kernel_stack nr_mapped nr_mlock nr_page_table_pages nr_shmem nr_shmem_hugepages
  nr_shmem_pmdmapped nr_slab_reclaimable nr_slab_unreclaimable nr_swapcached nr_unevictable nr_vmscan_immediate_reclaim nr_vmscan_write
  nr_writeback nr_writeback_temp nr_written nr_zone_active_anon nr_zone_active_file nr_zone_inactive_anon nr_zone_inactive_file
  nr_zone_unevictable nr_zone_write_pending oom_kill pageoutrun pgactivate pgalloc_dma pgalloc_dma32 pgalloc_movable pgalloc_normal
  pgdeactivate pgfault pgfree pginodesteal pglazyfree pglazyfreed pgmajfault pgmigrate_fail pgmigrate_success pgpgin pgpgout pgrefill
  pgreuse pgrotated pgscan_anon pgscan_direct pgscan_direct_throttle pgscan_file pgscan_kswapd pgskip_dma pgskip_dma32 pgskip_movable
  pgskip_normal pgsteal_anon pgsteal_direct pgsteal_file pgsteal_kswapd pswpin pswpout slabs_scanned swap_ra swap_ra_hit
  thp_collapse_alloc thp_fault_alloc thp_split_page unevictable_pgs_culled unevictable_pgs_mlocked workingset_activate_anon
  workingset_activate_file workingset_nodereclaim workingset_refault_anon workingset_refault_file workingset_restore_anon`.split(/\s+/);
const GO_GAUGES =
  `buck_hash_sys_bytes gc_sys_bytes heap_alloc_bytes heap_idle_bytes heap_inuse_bytes heap_objects heap_released_bytes heap_sys_bytes
  last_gc_time_seconds mcache_inuse_bytes mcache_sys_bytes mspan_inuse_bytes mspan_sys_bytes next_gc_bytes other_sys_bytes
  stack_inuse_bytes stack_sys_bytes sys_bytes`.split(/\s+/);
const BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

type Labels = Readonly<Record<string, string>>;

/** Numbers that look like the machine's, the same for the same seed. */
class Numbers {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2_654_435_761 + 1) >>> 0;
  }

  next(below: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * below);
  }

  /** From nothing to gigabytes, as often small as large; a third is 0. */
  amount(): number {
    return this.next(3) === 0 ? 0 : this.next(10 ** (1 + this.next(10)));
  }
}

/** Go's `%g` in its shortest form, as client_golang's text encoder writes it. */
export function goNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const [digits, exponent] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 21 && (power < 6 || value === 0)) return String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

class Text {
  readonly numbers: Numbers;
  private blocks: { readonly name: string; readonly lines: string[] }[] = [];
  private readonly spelled: (value: number) => string;

  constructor(seed: number, spelled: (value: number) => string) {
    this.numbers = new Numbers(seed);
    this.spelled = spelled;
  }

  family(name: string, type: string, help: string, samples: readonly (readonly [Labels, number])[]): void {
    const lines = this.block(name, type, help);
    for (const [labels, value] of samples) lines.push(`${name}${labelText(labels)} ${this.spelled(value)}`);
  }

  gauge(name: string, help: string, samples: readonly Labels[] = [{}]): void {
    this.family(
      name,
      'gauge',
      help,
      samples.map((labels) => [labels, this.numbers.amount()]),
    );
  }

  items(name: string, help: string, items: readonly string[], others: readonly Labels[] = [{}]): void {
    this.gauge(
      name,
      help,
      others.flatMap((labels) => items.map((item) => ({ ...labels, item }))),
    );
  }

  histogram(name: string, help: string, actions: readonly string[]): void {
    const lines = this.block(name, 'histogram', help);
    for (const action of actions) {
      let count = 0;
      for (const bound of BUCKETS) {
        count += this.numbers.next(4);
        lines.push(`${name}_bucket{action="${action}",le="${bound}"} ${this.spelled(count)}`);
      }
      count += this.numbers.next(3);
      lines.push(`${name}_bucket{action="${action}",le="+Inf"} ${this.spelled(count)}`);
      lines.push(`${name}_sum{action="${action}"} ${this.spelled(count * 37)}`, `${name}_count{action="${action}"} ${this.spelled(count)}`);
    }
  }

  summary(name: string, help: string): void {
    const lines = this.block(name, 'summary', help);
    for (const quantile of ['0', '0.25', '0.5', '0.75', '1'])
      lines.push(`${name}{quantile="${quantile}"} ${this.spelled((1 + this.numbers.next(1000)) / 1e7)}`);
    lines.push(`${name}_sum ${this.spelled(this.numbers.next(1e6) / 1e8)}`, `${name}_count ${this.spelled(this.numbers.next(300))}`);
  }

  counter(name: string, help: string, value: number): void {
    this.family(name, 'counter', help, [[{}, value]]);
  }

  process(prefix: string, help: string, io: readonly string[], status: readonly string[] = PROC_STATUS): void {
    this.gauge(`${prefix}_fds`, `Open FDs for ${help}.`);
    this.items(`${prefix}_io_stat`, `Process IO statistics of ${help}.`, io);
    this.items(`${prefix}_proc_stat`, `Process statistics of ${help}.`, PROC_STAT);
    this.items(`${prefix}_proc_status`, `Process status of ${help}.`, status);
    this.gauge(`${prefix}_threads`, `Process threads of ${help}.`);
  }

  /** As registries give their families. */
  sort(): void {
    this.blocks = this.blocks.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  toString(): string {
    return `${this.blocks.flatMap(({ lines }) => lines).join('\n')}\n`;
  }

  private block(name: string, type: string, help: string): string[] {
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
    this.blocks.push({ name, lines });
    return lines;
  }
}

/** As the Go shim answers with QEMU and virtiofsd: about 1,100 series in 100 KB. */
export function goShimText(seed = 1): string {
  const text = new Text(seed, goNumber);
  goRuntime(text);
  text.process('kata_hypervisor', 'hypervisor', IO_GO);
  text.items('kata_hypervisor_netdev', 'Net devices statistics.', NETDEV, interfaces('lo', 'eth0', 'tap0_kata'));
  text.histogram('kata_shim_agent_rpc_durations_histogram_milliseconds', 'RPC latency distributions.', AGENT_ACTIONS);
  text.process('kata_shim', 'Kata containerd shim v2', IO_GO);
  text.gauge('kata_shim_pod_overhead_cpu', 'Kata Pod overhead for CPU resources(percent).');
  text.gauge('kata_shim_pod_overhead_memory_in_bytes', 'Kata Pod overhead for memory resources(bytes).');
  text.histogram('kata_shim_rpc_durations_histogram_milliseconds', 'RPC latency distributions.', SHIM_ACTIONS);
  text.process('kata_virtiofsd', 'virtiofsd', IO_GO);
  goProcess(text);
  text.sort();
  agent(text);
  return text.toString();
}

/** As runtime-rs answers with Dragonball: agent, hypervisor, shim; numbers without exponent, KiB, no runtime and no RPC histograms. */
export function dragonballText(seed = 1, vcpus = 2): string {
  const text = new Text(seed, String);
  agent(text);
  text.counter('kata_hypervisor_scrape_count', 'Hypervisor metrics scrape count.', text.numbers.next(1000));
  text.items('kata_hypervisor_seccomp', 'Hypervisor metrics for the seccomp filtering.', ['num_faults']);
  text.items('kata_hypervisor_signals', 'Hypervisor metrics for signals.', ['sigbus', 'sigsegv']);
  const cpus = Array.from({ length: vcpus }, (_, cpu) => ({ cpu_id: String(cpu) }));
  const exits = ['exit_io_in', 'exit_io_out', 'exit_mmio_read', 'exit_mmio_write', 'failures', 'filter_cpuid'];
  text.items('kata_hypervisor_vcpu', 'Hypervisor metrics specific to VCPUs mode of functioning.', exits, cpus);
  text.process('kata_shim', 'Kata containerd shim v2', IO_RUST, withoutPmd);
  return text.toString();
}

const withoutPmd = PROC_STATUS.filter((item) => item !== 'vmpmd');
const interfaces = (...names: readonly string[]): Labels[] => names.map((name) => ({ interface: name }));

function goRuntime(text: Text): void {
  text.summary('go_gc_duration_seconds', 'A summary of the wall-time pause (stop-the-world) duration in garbage collection cycles.');
  text.family('go_gc_gogc_percent', 'gauge', 'Heap size target percentage configured by the user, otherwise 100.', [[{}, 100]]);
  text.family('go_gc_gomemlimit_bytes', 'gauge', 'Go runtime memory limit configured by the user.', [[{}, 2 ** 63]]);
  text.gauge('go_goroutines', 'Number of goroutines that currently exist.');
  text.family('go_info', 'gauge', 'Information about the Go environment.', [[{ version: 'go1.24.6' }, 1]]);
  text.gauge('go_memstats_alloc_bytes', 'Number of bytes allocated in heap and currently in use.');
  for (const word of ['alloc_bytes', 'frees', 'mallocs'])
    text.counter(`go_memstats_${word}_total`, `Total number of ${word}.`, text.numbers.amount());
  for (const word of GO_GAUGES) text.gauge(`go_memstats_${word}`, `Number of ${word}. Equals to /memory/classes/${word}:bytes.`);
  text.gauge('go_sched_gomaxprocs_threads', 'The current runtime.GOMAXPROCS setting.');
  text.gauge('go_threads', 'Number of OS threads created.');
}

function goProcess(text: Text): void {
  text.counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', text.numbers.next(1e5) / 100);
  text.gauge('process_max_fds', 'Maximum number of open file descriptors.');
  text.counter('process_network_receive_bytes_total', 'Number of bytes received by the process over the network.', text.numbers.amount());
  text.counter('process_network_transmit_bytes_total', 'Number of bytes sent by the process over the network.', text.numbers.amount());
  text.gauge('process_open_fds', 'Number of open file descriptors.');
  text.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.');
  text.family('process_start_time_seconds', 'gauge', 'Start time of the process since unix epoch in seconds.', [[{}, 1_763_728_252.34]]);
  text.gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.');
  text.family('process_virtual_memory_max_bytes', 'gauge', 'Maximum amount of virtual memory available in bytes.', [[{}, 2 ** 64]]);
}

/** What the agent says, in either runtime. */
function agent(text: Text): void {
  text.items('kata_agent_io_stat', 'Agent process IO statistics.', IO_RUST);
  text.items('kata_agent_proc_stat', 'Agent process statistics.', PROC_STAT);
  text.items('kata_agent_proc_status', 'Agent process status.', withoutPmd);
  text.counter('kata_agent_scrape_count', 'Metrics scrape count', text.numbers.next(5000));
  for (const word of ['threads', 'total_rss', 'total_time', 'total_vm']) text.gauge(`kata_agent_${word}`, `Agent process ${word}`);
  const cpus = ['0', '1', 'total'].map((cpu) => ({ cpu }));
  text.items('kata_guest_cpu_time', 'Guest CPU statistics.', CPU_TIME, cpus);
  text.items('kata_guest_diskstat', 'Disks statistics in system.', DISKSTAT, [{ disk: 'pmem0' }, { disk: 'sda' }]);
  const mounts = [{ device: '/dev/pmem0p1', mount: '/' }];
  text.items('kata_guest_filesystem_bytes', 'Guest filesystem space.', ['available', 'total', 'used'], mounts);
  text.items('kata_guest_filesystem_inodes', 'Guest filesystem inodes.', ['available', 'total', 'used'], mounts);
  text.items('kata_guest_load', 'Guest system load.', ['load1', 'load15', 'load5']);
  text.items('kata_guest_meminfo', 'Statistics about memory usage in the system.', MEMINFO);
  text.items('kata_guest_netdev_stat', 'Guest net devices statistics.', NETDEV, interfaces('eth0', 'lo'));
  text.items('kata_guest_tasks', 'Guest system load.', ['cur', 'max']);
  text.items('kata_guest_vm_stat', 'Guest virtual memory statistics.', VM_STAT);
}
