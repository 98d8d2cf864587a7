import { IsBoolean, IsIn } from 'class-validator';
import { ANTREA_FAMILIES, FIRECRACKER_METRICS, QMP_MODES, TRACING_MODES } from '../model/settings.js';
import { bool, choice, count, duration, list, text } from './kind.js';
import { Setting } from './setting.js';
import type { UpstreamConfig } from './upstream-config.js';
import {
  AreAbsoluteGlobs,
  AreAbsolutePaths,
  AreMetricPrefixes,
  AreShimRuntimes,
  AreSocketGlobs,
  AreTracingBlocks,
  Between,
  BetweenDurations,
  IsListenAddress,
  IsPath,
  IsPathOrEmpty,
  IsRoutePath,
} from './validators.js';
import { VMM_EXECUTABLES } from './vmm-executables.js';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export const PROC_STATUS_UNITS = ['bytes', 'kib'] as const;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Everything that can be set, once: property, key, kind, default (the initial value), help and bounds. Flags, environment names, YAML keys,
 * `--help` and the table in the README are made from this. A property is its key in camel case, with `Ms` where it is a duration.
 */
export class Config {
  @Setting({
    key: 'config.file',
    kind: text('FILE'),
    help: 'YAML file with settings; it is read again on SIGHUP. Only a flag or the environment can name it.',
  })
  @IsPathOrEmpty()
  readonly configFile: string = '';

  @Setting({
    key: 'web.listen-address',
    kind: text('ADDRESS'),
    help: 'Where to listen: host:port, [::1]:port, :port for every address of the host, or unix:/path. An address that other hosts can reach needs web.token-file or web.allow-unauthenticated.',
  })
  @IsListenAddress()
  readonly webListenAddress: string = '127.0.0.1:10177';

  @Setting({
    key: 'web.telemetry-path',
    kind: text('PATH'),
    help: 'Path of the Prometheus page, for scrapers that cannot be told another one.',
  })
  @IsRoutePath()
  readonly webTelemetryPath: string = '/metrics';

  @Setting({
    key: 'web.token-file',
    kind: text('FILE'),
    help: 'Bearer tokens that may read, one a line; lines that begin with # are comments. Empty: no token is asked for.',
  })
  @IsPathOrEmpty()
  readonly webTokenFile: string = '';

  @Setting({
    key: 'web.allow-unauthenticated',
    kind: bool,
    help: 'Listen without tokens on an address that other hosts can reach: whoever reaches it sees names, sizes and load of all instances.',
  })
  @IsBoolean()
  readonly webAllowUnauthenticated: boolean = false;

  @Setting({
    key: 'web.max-requests',
    kind: count,
    help: 'Scrapes answered at the same time; further ones are refused, because each holds a page in memory until its reader has taken it.',
  })
  @Between(1, 10_000)
  readonly webMaxRequests: number = 40;

  @Setting({
    key: 'web.rate-limit',
    kind: count,
    help: 'Requests for Prometheus pages that one client may make in a second; more are refused with 429. 0: as many as it wants.',
  })
  @Between(0, 1_000_000)
  readonly webRateLimit: number = 10;

  @Setting({
    key: 'web.rate-burst',
    kind: count,
    help: 'How many of these it may make at once, after it has made none for a while.',
  })
  @Between(1, 1_000_000)
  readonly webRateBurst: number = 20;

  @Setting({
    key: 'web.drain-timeout',
    kind: duration,
    help: 'How long running answers may take after SIGTERM before their connections are closed.',
  })
  @BetweenDurations(0, 10 * MINUTE)
  readonly webDrainTimeoutMs: number = 10 * SECOND;

  @Setting({
    key: 'web.disable-exporter-metrics',
    kind: bool,
    help: 'Leave out vmgauge_process_* and vmgauge_nodejs_*, the metrics of the agent itself, where each series is paid for.',
  })
  @IsBoolean()
  readonly webDisableExporterMetrics: boolean = false;

  @Setting({ key: 'path.procfs', kind: text('DIR'), help: 'Where procfs of the host is mounted; another one inside a container.' })
  @IsPath()
  readonly pathProcfs: string = '/proc';

  @Setting({ key: 'path.sysfs', kind: text('DIR'), help: 'Where sysfs of the host is mounted; another one inside a container.' })
  @IsPath()
  readonly pathSysfs: string = '/sys';

  @Setting({ key: 'path.cgroup', kind: text('DIR'), help: 'Where the cgroup hierarchy of the host is mounted, version 1 or 2.' })
  @IsPath()
  readonly pathCgroup: string = '/sys/fs/cgroup';

  @Setting({ key: 'path.run', kind: text('DIR'), help: 'Run directory of the host, where libvirt, Kata and VMMs keep state and sockets.' })
  @IsPath()
  readonly pathRun: string = '/run';

  @Setting({
    key: 'discovery.interval',
    kind: duration,
    help: 'How often to look for new instances: a new one is seen this late, and each look walks through all processes of the host.',
  })
  @BetweenDurations(100, HOUR)
  readonly discoveryIntervalMs: number = 2 * SECOND;

  @Setting({
    key: 'discovery.vmm-executables',
    kind: list('GLOB'),
    help: 'Executables that are VMMs even without a KVM descriptor (emulation, a VM not yet started): absolute paths as /proc/<pid>/exe shows them, * is any characters but /. List no path that a user of the host can write.',
    reload: true,
  })
  @AreAbsoluteGlobs()
  readonly discoveryVmmExecutables: readonly string[] = VMM_EXECUTABLES;

  @Setting({
    key: 'collection.max-age',
    kind: duration,
    help: 'An answer is never older than this plus one sweep; requests within it share a sweep. 0s reads the host for every request.',
    reload: true,
  })
  @BetweenDurations(0, HOUR)
  readonly collectionMaxAgeMs: number = SECOND;

  @Setting({
    key: 'collection.interval',
    kind: duration,
    help: 'Sweep in the background this often, so that rates and the last sample of a stopped instance do not depend on scrapes.',
  })
  @BetweenDurations(100, HOUR)
  readonly collectionIntervalMs: number = 5 * SECOND;

  @Setting({
    key: 'collection.slow-interval',
    kind: duration,
    help: 'How often to read what is dear or rarely changes (status, limits, memory details).',
  })
  @BetweenDurations(SECOND, DAY)
  readonly collectionSlowIntervalMs: number = MINUTE;

  @Setting({
    key: 'collection.stopped-retention',
    kind: duration,
    help: 'How long a stopped instance still answers its last sample, so that a slow scraper sees the end of it.',
    reload: true,
  })
  @BetweenDurations(0, 7 * DAY)
  readonly collectionStoppedRetentionMs: number = 5 * MINUTE;

  @Setting({
    key: 'collector.wait.interval',
    kind: duration,
    help: 'How often to read the run queue wait: one file for each thread of each VMM, about 6 µs each, more than all else together for VMs of many threads.',
  })
  @BetweenDurations(SECOND, HOUR)
  readonly collectorWaitIntervalMs: number = 30 * SECOND;

  @Setting({
    key: 'collector.pss.interval',
    kind: duration,
    help: 'How often to read the proportional set size, at 11 ms of CPU a GiB while the memory map of the VM is locked.',
  })
  @BetweenDurations(SECOND, DAY)
  readonly collectorPssIntervalMs: number = MINUTE;

  @Setting({ key: 'source.hypeman.data-dir', kind: text('DIR'), help: 'Data directory of hypeman, which holds guests/<id>/metadata.json.' })
  @IsPath()
  readonly sourceHypemanDataDir: string = '/var/lib/hypeman';

  @Setting({
    key: 'source.file.path',
    kind: text('FILE'),
    help: 'File in which a control plane names its instances. Empty: off.',
  })
  @IsPathOrEmpty()
  readonly sourceFilePath: string = '';

  @Setting({
    key: 'source.registration.token-file',
    kind: text('FILE'),
    help: 'Bearer tokens that may register instances, one a line; lines that begin with # are comments. Where web.token-file is set, they must stand in that file too. Empty: registration is off.',
  })
  @IsPathOrEmpty()
  readonly sourceRegistrationTokenFile: string = '';

  @Setting({
    key: 'source.registration.store',
    kind: text('FILE'),
    help: 'Where registered instances are kept, so that they outlive a restart of the agent.',
  })
  @IsPath()
  readonly sourceRegistrationStore: string = '/var/lib/vmgauge/registrations.json';

  @Setting({
    key: 'kata.cri-labels',
    kind: bool,
    help: 'Put cri_uid, cri_name and cri_namespace of the pod beside sandbox_id, as kata-monitor does.',
  })
  @IsBoolean()
  readonly kataCriLabels: boolean = true;

  @Setting({
    key: 'kata.proc-status-unit',
    kind: choice(PROC_STATUS_UNITS),
    help: 'Unit of the memory items of kata_*_proc_status: bytes as the Go runtime gives them, kib as runtime-rs does.',
  })
  @IsIn(PROC_STATUS_UNITS)
  readonly kataProcStatusUnit: (typeof PROC_STATUS_UNITS)[number] = 'bytes';

  @Setting({
    key: 'shim.socket-runtimes',
    kind: list('RUNTIME/HYPERVISOR'),
    help: 'Kata shims whose metrics socket may be asked: go/qemu, go/cloud-hypervisor, go/firecracker, go/stratovirt, rust/dragonball, rust/cloud-hypervisor. Empty: none is, because a defect in a shim is the end of its sandbox. runtime-rs with QEMU or Firecracker cannot be listed: asking it aborts the sandbox.',
  })
  @AreShimRuntimes()
  readonly shimSocketRuntimes: readonly string[] = [];

  @Setting({
    key: 'shim.socket-interval',
    kind: duration,
    help: 'How often each of these sockets is asked; the shim asks the agent in the guest each time.',
  })
  @BetweenDurations(SECOND, HOUR)
  readonly shimSocketIntervalMs: number = 15 * SECOND;

  @Setting({
    key: 'shim.exclude-families',
    kind: list('PREFIX'),
    help: 'Families of a shim that are left out, by the beginning of their name: kata_guest_vm_stat and kata_guest_diskstat are half of its series.',
  })
  @AreMetricPrefixes()
  readonly shimExcludeFamilies: readonly string[] = [];

  @Setting({
    key: 'vmm.interval',
    kind: duration,
    help: 'How often each VMM that may be asked is asked; one that does not answer less often.',
  })
  @BetweenDurations(SECOND, HOUR)
  readonly vmmIntervalMs: number = 15 * SECOND;

  @Setting({ key: 'vmm.deadline', kind: duration, help: 'Longest time that one round of questions to one VMM may take.' })
  @BetweenDurations(50, 10 * SECOND)
  readonly vmmDeadlineMs: number = 500;

  @Setting({
    key: 'vmm.qmp',
    kind: choice(QMP_MODES),
    help: 'Which monitors of QEMU are asked. A monitor serves one client at a time: reserved asks only those that vmm.qmp-reserved names, opportunistic also any that is free, and leaves it at once. Monitors of libvirt, Kata, hypeman, Proxmox VE, Incus and LXD are never touched.',
  })
  @IsIn(QMP_MODES)
  readonly vmmQmp: (typeof QMP_MODES)[number] = 'reserved';

  @Setting({
    key: 'vmm.qmp-reserved',
    kind: list('GLOB'),
    help: 'Monitor sockets that are for this agent alone, by path or by the last part of it; * stands for any characters but /.',
  })
  @AreSocketGlobs()
  readonly vmmQmpReserved: readonly string[] = ['vmgauge.sock', 'vmgauge-*.sock'];

  @Setting({
    key: 'vmm.qmp-balloon-polling',
    kind: bool,
    help: 'Tell QEMU to ask the balloon driver for guest memory, where nobody did. The only thing this agent ever changes in a VMM; without it the numbers may be as old as the VM.',
  })
  @IsBoolean()
  readonly vmmQmpBalloonPolling: boolean = false;

  @Setting({ key: 'vmm.cloud-hypervisor', kind: bool, help: 'Ask the API socket of Cloud Hypervisor, with one GET at a time.' })
  @IsBoolean()
  readonly vmmCloudHypervisor: boolean = true;

  @Setting({ key: 'vmm.firecracker', kind: bool, help: 'Ask the API socket of Firecracker, with one GET at a time.' })
  @IsBoolean()
  readonly vmmFirecracker: boolean = true;

  @Setting({
    key: 'vmm.firecracker-metrics',
    kind: choice(FIRECRACKER_METRICS),
    help: 'Metrics that Firecracker writes: not read (off), read where they are a regular file (file), or taken out of a FIFO as well (fifo), which must have no other reader: each line has one.',
  })
  @IsIn(FIRECRACKER_METRICS)
  readonly vmmFirecrackerMetrics: (typeof FIRECRACKER_METRICS)[number] = 'file';

  @Setting({
    key: 'ovs.interval',
    kind: duration,
    help: 'How often Open vSwitch is asked for its tables, ports and meters: 2 ms of its CPU for a bridge of 60 ports, 10 ms for one of 500.',
  })
  @BetweenDurations(SECOND, HOUR)
  readonly ovsIntervalMs: number = 15 * SECOND;

  @Setting({ key: 'ovs.deadline', kind: duration, help: 'Longest time that one poll of one bridge or of the database may take.' })
  @BetweenDurations(50, 10 * SECOND)
  readonly ovsDeadlineMs: number = SECOND;

  @Setting({
    key: 'ovs.run-directories',
    kind: list('DIR'),
    help: 'Where Open vSwitch has its sockets (db.sock, BRIDGE.mgmt). A path below /run is looked for below path.run. Empty: it is not looked for.',
  })
  @AreAbsolutePaths()
  readonly ovsRunDirectories: readonly string[] = ['/run/openvswitch', '/run/antrea/openvswitch'];

  @Setting({
    key: 'ovs.flow-monitor',
    kind: bool,
    help: 'Have each bridge tell of every change of its flows, to count them. The switch sends a message a change.',
  })
  @IsBoolean()
  readonly ovsFlowMonitor: boolean = false;

  @Setting({
    key: 'antrea.families',
    kind: choice(ANTREA_FAMILIES),
    help: 'Families of the Antrea agent that the host itself can tell, under their names: where a bridge of Antrea is (auto), always (on), never (off). One that an upstream delivers is not given twice.',
  })
  @IsIn(ANTREA_FAMILIES)
  readonly antreaFamilies: (typeof ANTREA_FAMILIES)[number] = 'auto';

  @Setting({
    key: 'conntrack.zones-interval',
    kind: duration,
    help: 'How often tracked connections are counted by zone, which walks through all of them.',
  })
  @BetweenDurations(SECOND, DAY)
  readonly conntrackZonesIntervalMs: number = MINUTE;

  @Setting({
    key: 'conntrack.zones-max-entries',
    kind: count,
    help: 'Connections beyond which they are not counted by zone: each costs 2 to 4 µs of CPU.',
  })
  @Between(0, 100_000_000)
  readonly conntrackZonesMaxEntries: number = 200_000;

  @Setting({
    key: 'limits.interval',
    kind: duration,
    help: 'How often it is looked how far each limit of a VM is used up, for alert levels and podtrace_resource_*.',
  })
  @BetweenDurations(SECOND, HOUR)
  readonly limitsIntervalMs: number = 5 * SECOND;

  @Setting({
    key: 'limits.warning-percent',
    kind: count,
    help: 'Use of a limit from which on its alert level is 1, at two looks in a row; it falls again 5 points below.',
  })
  @Between(1, 1000)
  readonly limitsWarningPercent: number = 80;

  @Setting({ key: 'limits.critical-percent', kind: count, help: 'From which on it is 2; no less than limits.warning-percent.' })
  @Between(1, 1000)
  readonly limitsCriticalPercent: number = 90;

  @Setting({ key: 'limits.emergency-percent', kind: count, help: 'From which on it is 3; no less than limits.critical-percent.' })
  @Between(1, 1000)
  readonly limitsEmergencyPercent: number = 95;

  @Setting({
    key: 'tracing.mode',
    kind: choice(TRACING_MODES),
    help: 'Trace latencies of VMMs with bpftrace: where it is installed and may be run (auto), the same with a warning in the log where not (on), never (off). Costs a traced VMM up to a fifth more CPU for each request, every process of the host some 80 ns a system call and half a microsecond a switch between threads, and 100 MB.',
  })
  @IsIn(TRACING_MODES)
  readonly tracingMode: (typeof TRACING_MODES)[number] = 'auto';

  @Setting({
    key: 'tracing.program',
    kind: text('FILE'),
    help: 'Where bpftrace is: a path, or a name that is looked for in PATH.',
  })
  @IsPath()
  readonly tracingProgram: string = 'bpftrace';

  @Setting({
    key: 'tracing.helper-socket',
    kind: text('FILE'),
    help: 'Socket of `vmgauge trace`, which traces with the rights that this takes, so that the agent needs none of them. Empty: the agent starts bpftrace itself.',
  })
  @IsPathOrEmpty()
  readonly tracingHelperSocket: string = '';

  @Setting({
    key: 'tracing.blocks',
    kind: list('BLOCK'),
    help: 'What is traced, as far as the kernel can: cpu (time off the CPU and in the run queue), tcp (round trips, connects), bytes (of sockets), dns (lookups of the VMM), files (reads, writes and syncs of disk images), uring (the same through io_uring), guest-dns (lookups of the guest, on its tap: 300 ns more for each packet that any device of the host sends or receives), plain-files (reads and writes at no given place, as Firecracker does: 300 ns more for each such call of any process of the host).',
  })
  @AreTracingBlocks()
  readonly tracingBlocks: readonly string[] = ['cpu', 'tcp', 'bytes', 'dns', 'files', 'uring'];

  @Setting({
    key: 'tracing.interval',
    kind: duration,
    help: 'How often what the kernel counted is fetched from it.',
  })
  @BetweenDurations(SECOND, 10 * MINUTE)
  readonly tracingIntervalMs: number = 5 * SECOND;

  @Setting({
    key: 'tracing.process-names',
    kind: count,
    help: 'How many process names are told apart for each VM; further ones are other. 0: process_name is left out.',
  })
  @Between(0, 64)
  readonly tracingProcessNames: number = 8;

  @Setting({
    key: 'tracing.sockets-interval',
    kind: duration,
    help: 'How often TCP sockets of VMMs are looked at with ss while nothing is traced.',
  })
  @BetweenDurations(SECOND, HOUR)
  readonly tracingSocketsIntervalMs: number = 15 * SECOND;

  @Setting({ key: 'log.level', kind: choice(LOG_LEVELS), help: 'Least weight of a line that is written.', reload: true })
  @IsIn(LOG_LEVELS)
  readonly logLevel: LogLevel = 'info';

  @Setting({ key: 'log.format', kind: choice(LOG_FORMATS), help: 'One JSON object a line for machines, or text for people.' })
  @IsIn(LOG_FORMATS)
  readonly logFormat: LogFormat = 'json';

  /** By name: is the collector on (`--collector.<name>`)? */
  readonly collectors: ReadonlyMap<string, boolean> = new Map();
  /** By name: is the source on (`--source.<name>`)? */
  readonly sources: ReadonlyMap<string, boolean> = new Map();
  /** Other exporters, by name ascending (`--upstream.<name>.url`). */
  readonly upstreams: ReadonlyMap<string, UpstreamConfig> = new Map();
}
