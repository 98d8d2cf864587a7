/** Words for what runs on a host. No value here comes from a guest; every string may come from a stranger's argv or file. */

export const HYPERVISORS = ['qemu', 'cloud-hypervisor', 'firecracker', 'stratovirt', 'dragonball', 'kvm', 'unknown'] as const;
/** `kvm`: a process that holds a kvm-vm descriptor and is none of the others. */
export type Hypervisor = (typeof HYPERVISORS)[number];

/**
 * `suspended`: the guest itself sleeps. `shutdown`: the guest switched itself off and its VMM stayed. `degraded`: the process is there and
 * the VM does not work; the evidence stands beside the word.
 */
export const STATES = [
  'running',
  'paused',
  'suspended',
  'created',
  'initializing',
  'standby',
  'shutdown',
  'degraded',
  'stopped',
  'unknown',
] as const;
export type InstanceState = (typeof STATES)[number];

/** Ids are checked against this before anything else is done with them; an id never becomes a path before. */
export const ID_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** A name becomes a label value and JSON, never a path. Longer ones are cut, control characters become `?`. */
export const NAME_LIMIT = 256;

/**
 * Where a NIC's frames can be counted on the host.
 * `tap`: counters are the guest's, mirrored; so are those of `veth`, the host's end of a pair whose other end is the guest's or its pod's.
 * `macvtap`: counters are already the guest's.
 * The others never pass a host interface that belongs to the instance: unsupported, not 0.
 */
export const NIC_KINDS = ['tap', 'macvtap', 'veth', 'user', 'vhost-user', 'vdpa', 'passthrough', 'socket', 'other'] as const;
export type NicKind = (typeof NIC_KINDS)[number];

export interface Nic {
  readonly kind: NicKind;
  /** Host interface name; missing where the kind has none or it is not known yet. */
  readonly name?: string;
  /** Of a tap: a descriptor through which the process was seen to hold the interface, to ask again whether it does. */
  readonly descriptor?: number;
  readonly mac?: string;
  /** The VMM's own id for the device (`-netdev id=`, `iface_id`). */
  readonly device?: string;
  /** Of a vhost-user NIC the path of the socket that a switch has the other end of, as the VMM was given it: a stranger's word. */
  readonly socket?: string;
}

/** A source's word that a process is the instance's VMM. It is believed only after the checks it carries hold. */
export interface ProcessClaim {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks after boot. Where it is given, another start time is another process. */
  readonly startTicks?: number;
  /** Boot the start time belongs to (/proc/sys/kernel/random/boot_id). */
  readonly bootId?: string;
  /** A string that one argument of the process must contain, such as the path of its control socket. */
  readonly argument?: string;
  /** The process must be a VMM by evidence: a kvm-vm descriptor or a listed executable. */
  readonly mustBeVmm?: boolean;
}

export const COMPANION_ROLES = ['shim', 'virtiofsd'] as const;
export type CompanionRole = (typeof COMPANION_ROLES)[number];

/**
 * A process that works for one instance beside its VMM, already identified by the source that names it. Dragonball's VMM lives in the shim:
 * there the shim is the instance's process and its companion as well.
 */
export interface Companion {
  readonly role: CompanionRole;
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat. */
  readonly startTicks: number;
}

/** Kata's two runtimes; they differ in paths, units and in what asking their shim may cost. */
export const RUNTIMES = ['go', 'rust'] as const;
export type Runtime = (typeof RUNTIMES)[number];

/**
 * Runtime and hypervisor of the shims whose `/metrics` is answered rather than died of. runtime-rs with QEMU or Firecracker is not among
 * them and must never be: its shim calls an unimplemented function there, and its panic hook aborts the sandbox (kata-containers#13708).
 */
export const ASKABLE_SHIMS = [
  'go/qemu',
  'go/cloud-hypervisor',
  'go/firecracker',
  'go/stratovirt',
  'rust/dragonball',
  'rust/cloud-hypervisor',
] as const satisfies readonly `${Runtime}/${Hypervisor}`[];

/** What a Kata sandbox is besides a VM. Every string may come from a stranger's file. */
export interface Sandbox {
  /** Kata's own id, whatever another source calls the instance. */
  readonly id?: string;
  /** What the VMM is by the kata source's own evidence: a shim is asked or spared by this, never by another source's word. */
  readonly hypervisor?: Hypervisor;
  /** Missing where nothing tells it: such a shim's socket is never asked. */
  readonly runtime?: Runtime;
  /** Whether the VM runs in a VMM of its own or in the shim's threads. */
  readonly vmmInShim: boolean;
  /** The sandbox's own directory below one of Kata's roots; its shim listens there on `shim-monitor.sock`. */
  readonly directory?: string;
  readonly pod?: { readonly uid?: string; readonly name?: string; readonly namespace?: string };
  /** `vsock://<cid>:1024` or `hvsock://<socket>:1024`, from files and argv alone. */
  readonly agentUrl?: string;
  /** Path of the network namespace as Kata's or containerd's files name it. */
  readonly networkNamespace?: string;
  /** Cgroups by Kata's own word, relative to the hierarchy; `sandboxOnly` false: what is not a vCPU is in the overhead cgroup. */
  readonly cgroup?: { readonly path?: string; readonly overheadPath?: string; readonly sandboxOnly?: boolean };
}

/** What one source says of one instance. Everything but the id may be unknown. */
export interface InstanceRecord {
  readonly id: string;
  readonly name?: string;
  readonly uuid?: string;
  readonly hypervisor?: Hypervisor;
  readonly state?: InstanceState;
  readonly process?: ProcessClaim;
  readonly vcpus?: number;
  readonly memoryBytes?: number;
  /** All NICs of the instance; an empty list says that it has none, a missing one that the source does not know. */
  readonly nics?: readonly Nic[];
  /** Control sockets as the process names them: absolute, relative to its cwd, or inside its root. */
  readonly sockets?: readonly string[];
  readonly companions?: readonly Companion[];
  readonly sandbox?: Sandbox;
}

/** Finds instances. One file plus one line in instances/sources.ts, or an object handed to `VmgaugeModule.register`. */
export interface InstanceSource {
  readonly name: string;
  /**
   * What the last look left out and why, by id or file name: at most 100 lines, each short and without any content of a file, fit to be
   * shown to whoever may see the list. Missing where a source cannot leave anything out.
   */
  readonly problems?: ReadonlyMap<string, string>;
  /** True where most problems are what others left behind: logged as information rather than as warnings. */
  readonly leftovers?: boolean;
  /** Everything this source knows now; asked once per rescan, off the scrape path. May throw: the last good answer then stays. */
  list(): readonly InstanceRecord[] | Promise<readonly InstanceRecord[]>;
  /** True when the last `list` gave an older answer, because what it is made of cannot be read or understood now. */
  readonly stale?: boolean;
  /** Called once before the first `list`. @param changed asks for a rescan soon, for a source that is told when something changed */
  start?(changed: () => void): void | Promise<void>;
  /** SIGHUP: read configuration files again. Throws when the new content is bad; the old one then stays in force. */
  reload?(): void | Promise<void>;
  stop?(): void | Promise<void>;
}
