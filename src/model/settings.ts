import type { UpstreamSettings } from './upstream.js';

export const QMP_MODES = ['off', 'reserved', 'opportunistic'] as const;

export const ANTREA_FAMILIES = ['auto', 'on', 'off'] as const;
export const TRACING_MODES = ['auto', 'on', 'off'] as const;
/** Probes that are switched on and off together. `guest-dns` and `plain-files` are not on by themselves: the whole host pays for them. */
export const TRACING_BLOCKS = ['cpu', 'tcp', 'bytes', 'dns', 'files', 'uring', 'guest-dns', 'plain-files'] as const;
export type TracingBlock = (typeof TRACING_BLOCKS)[number];
export const FIRECRACKER_METRICS = ['off', 'file', 'fifo'] as const;

/** What the rooms need of the configuration. Members that a reload may change are read at each use. */
export class Settings {
  /** An answer is made of a sweep that began no longer ago than this, milliseconds. */
  maxAgeMs = 1000;
  /** Between two sweeps that nobody asked for: rates, history, closing samples. */
  sweepIntervalMs = 5000;
  rescanIntervalMs = 2000;
  slowIntervalMs = 60_000;
  waitIntervalMs = 30_000;
  pssIntervalMs = 60_000;
  stoppedRetentionMs = 300_000;
  /** Metrics pages rendered at the same time; more are refused. */
  maxRequests = 40;
  telemetryPath = '/metrics';
  /** Executables that are VMMs by their path alone, absolute, `*` within a part. */
  executables: readonly string[] = [];
  /** Collectors switched on or off against their own default. */
  collectors: ReadonlyMap<string, boolean> = new Map();
  sources: ReadonlyMap<string, boolean> = new Map();
  hypemanDataDir = '/var/lib/hypeman';
  registrationFile = '';
  registrationStore = '';
  /** Whether instances can be registered over HTTP: only with a token. */
  registrationTokens: readonly string[] = [];
  /** `cri_uid`, `cri_name`, `cri_namespace` beside `sandbox_id`. */
  kataCriLabels = true;
  kataProcStatusUnit: 'bytes' | 'kib' = 'bytes';
  /** Shims whose socket may be asked, as `<runtime>/<hypervisor>`. */
  shimSocketRuntimes: readonly string[] = [];
  shimSocketIntervalMs = 15_000;
  /** Prefixes of families of a shim that are left out. */
  shimExcludeFamilies: readonly string[] = [];
  /** Between two questions to one VMM. */
  vmmIntervalMs = 15_000;
  /** Of one round of questions to one VMM, all included. */
  vmmDeadlineMs = 500;
  /** Monitors of QEMU: none, those whose name says that they are for us, or any that is free at the moment. */
  qmpMode: (typeof QMP_MODES)[number] = 'reserved';
  /** Names of monitors that are for us: globs for the socket's path, `*` within a part, or for its last part alone. */
  qmpReserved: readonly string[] = ['vmgauge.sock', 'vmgauge-*.sock'];
  /** Whether QEMU may be told to ask its balloon for guest memory, the one thing that is ever changed. */
  qmpBalloonPolling = false;
  cloudHypervisorApi = true;
  firecrackerApi = true;
  /** Metrics of Firecracker: not read, read from a regular file, or taken out of a FIFO as well, which has room for one reader only. */
  firecrackerMetrics: (typeof FIRECRACKER_METRICS)[number] = 'file';
  /** Between two polls of Open vSwitch. */
  ovsIntervalMs = 15_000;
  /** Of one poll of one bridge or database. */
  ovsDeadlineMs = 1000;
  /** Run directories of Open vSwitch, absolute; those below /run are looked for below the host's run directory. */
  ovsDirectories: readonly string[] = ['/run/openvswitch', '/run/antrea/openvswitch'];
  /** Whether each bridge is asked to tell of every change of its flows. */
  ovsFlowMonitor = false;
  /** Whether families of the Antrea agent that a host can know are given: where a bridge of Antrea is, always, never. */
  antreaFamilies: (typeof ANTREA_FAMILIES)[number] = 'auto';
  /** Between two counts of connections by zone. */
  conntrackZonesIntervalMs = 60_000;
  /** Connections beyond which they are not counted by zone: each costs 2 to 4 µs. */
  conntrackZonesMaxEntries = 200_000;
  /** Between two looks at how far each limit is used up, for alert levels and the families of Podtrace. */
  limitsIntervalMs = 5000;
  /** Percent of a limit from which on the alert level is 1, 2, 3; ascending. */
  limitsThresholds: readonly [warning: number, critical: number, emergency: number] = [80, 90, 95];
  /** Whether latencies are traced: where that is possible, always, never. An application that embeds the house has to ask for it. */
  tracing: (typeof TRACING_MODES)[number] = 'off';
  /** The program that traces: a path, or a name that is looked for in PATH. */
  tracingProgram = 'bpftrace';
  /** Socket of a helper that traces in our place, so that the agent needs no rights for it. Empty: the agent starts the program. */
  tracingHelperSocket = '';
  /** Blocks of probes that may be used. */
  tracingBlocks: readonly TracingBlock[] = TRACING_BLOCKS.filter((block) => block !== 'guest-dns' && block !== 'plain-files');
  /** Between two tellings of what was counted in the kernel. */
  tracingIntervalMs = 5000;
  /** Names of processes told apart for each instance; further ones are `other`. 0: none is named. */
  tracingProcessNames = 8;
  /** Between two looks at TCP sockets where nothing is traced. */
  socketsIntervalMs = 15_000;
  /** Requests for metrics that one client may make in a second, and at once; 0: as many as it wants. */
  rateLimit = 10;
  rateBurst = 20;
  /** Other exporters whose pages are passed on, by name ascending. */
  upstreams: readonly UpstreamSettings[] = [];
  /** Leaves out what the agent says of its own process. */
  exporterMetrics = true;
}
