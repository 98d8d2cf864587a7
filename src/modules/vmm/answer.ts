import type { InstanceState } from '../../model/instance.js';
import type { Outcome } from '../../model/outcome.js';

/**
 * A topic of an answer: what was told of it, or why nothing was. Numbers that are not told are missing, never 0; what a protocol says for
 * "nothing yet" (2^64-1 and above 2^63, Cloud Hypervisor's 1844674407370955, a last update at 0) is not told.
 */
export type Told<T> = T | Exclude<Outcome, typeof Outcome.ok>;

/** @returns whether something was told */
export const isTold = <T extends object>(topic: Told<T>): topic is T => typeof topic === 'object';

/** What one VMM said in one round of questions. Units are in the names; directions are the guest's. */
export interface VmmAnswer {
  /** For people and labels: `QEMU 7.2.22`, cut to 64 characters, without control characters. */
  readonly version?: string;
  readonly state: Told<VmmState>;
  readonly vcpus: Told<readonly VcpuThread[]>;
  readonly memory: Told<AllocatedMemory>;
  readonly guest: Told<GuestMemory>;
  readonly balloon: Told<Balloon>;
  readonly disks: Told<readonly Disk[]>;
  readonly vnics: Told<readonly Vnic[]>;
  readonly exits: Told<VmmExits>;
  readonly kvm: Told<KvmStatistics>;
  readonly migration: Told<Migration>;
  readonly events: Told<VmmEvents>;
}

export interface VmmState {
  /** The VMM's own word, one of VMM_STATES. */
  readonly word: VmmStateWord;
  readonly state: InstanceState;
}

/**
 * RunState of QMP (qapi/run-state.json), then what Cloud Hypervisor and Firecracker say in the same spelling; `other` is a word that is none
 * of them.
 */
export const VMM_STATES = [
  ...['inmigrate', 'prelaunch', 'running', 'paused', 'suspended', 'shutdown', 'internal-error', 'io-error', 'guest-panicked', 'watchdog'],
  ...['debug', 'postmigrate', 'finish-migrate', 'restore-vm', 'save-vm', 'colo', 'preconfig'],
  ...['created', 'breakpoint', 'not-started', 'other'],
] as const satisfies readonly string[];
export type VmmStateWord = (typeof VMM_STATES)[number];

/** Which thread runs a vCPU, as the VMM numbers threads: in its own PID namespace. */
export interface VcpuThread {
  readonly index: number;
  readonly threadId: number;
}

/** What the VMM gave the guest, whatever the guest gave back since. */
export interface AllocatedMemory {
  readonly bytes?: number;
  /** Plugged in while it ran; part of `bytes`. */
  readonly hotpluggedBytes?: number;
  readonly maxBytes?: number;
}

/** What the guest's own balloon driver last said. `used` is made of numbers of one sample only. */
export interface GuestMemory {
  /** Milliseconds since 1970 by the host's clock when the guest said it; missing where the VMM does not tell. */
  readonly sampledMs?: number;
  readonly totalBytes?: number;
  readonly freeBytes?: number;
  readonly availableBytes?: number;
  readonly diskCachesBytes?: number;
  readonly swapInBytes?: number;
  readonly swapOutBytes?: number;
  readonly majorFaults?: number;
  readonly minorFaults?: number;
  readonly hugetlbAllocations?: number;
  readonly hugetlbFailures?: number;
  readonly oomKills?: number;
}

/** One quantity, three ways to count it: QEMU and Cloud Hypervisor tell what the guest keeps, Firecracker what the balloon holds. */
export interface Balloon {
  /** Left to the guest. */
  readonly actualBytes?: number;
  /** Held by the balloon. */
  readonly heldBytes?: number;
  /** What the balloon was last told to hold. */
  readonly targetHeldBytes?: number;
  readonly inflations?: number;
  readonly deflations?: number;
}

/** Counters since the VMM began; limits 0 mean none and are missing then. */
export interface Disk {
  /** The VMM’s own name for it, unique within the instance. */
  readonly device: string;
  readonly file?: string;
  readonly format?: string;
  readonly readOnly?: boolean;
  readonly numbers: Readonly<Partial<Record<DiskNumber, number>>>;
}

export const DISK_NUMBERS = [
  ...['readBytes', 'writtenBytes', 'discardedBytes', 'reads', 'writes', 'flushes', 'discards'],
  ...['readNanoseconds', 'writeNanoseconds', 'flushNanoseconds', 'mergedReads', 'mergedWrites'],
  ...[
    'failedReads',
    'failedWrites',
    'failedFlushes',
    'invalidReads',
    'invalidWrites',
    'invalidFlushes',
    'failedRequests',
    'invalidRequests',
  ],
  ...['throttledRequests', 'queueFullEvents', 'remainingRequests'],
  ...['lifetimeReadLatencyMinMicroseconds', 'lifetimeReadLatencyAverageMicroseconds', 'lifetimeReadLatencyMaxMicroseconds'],
  ...['lifetimeWriteLatencyMinMicroseconds', 'lifetimeWriteLatencyAverageMicroseconds', 'lifetimeWriteLatencyMaxMicroseconds'],
  ...['capacityBytes', 'allocatedBytes', 'highestOffsetBytes'],
  ...['limitBytesPerSecond', 'limitReadBytesPerSecond', 'limitWriteBytesPerSecond'],
  ...['limitOperationsPerSecond', 'limitReadsPerSecond', 'limitWritesPerSecond'],
] as const satisfies readonly string[];
export type DiskNumber = (typeof DISK_NUMBERS)[number];

/** A network device as the VMM counts it: another quantity than the tap's, of which it is never a part. */
export interface Vnic {
  readonly device: string;
  readonly numbers: Readonly<Partial<Record<VnicNumber, number>>>;
}

export const VNIC_NUMBERS = [
  ...['receivedBytes', 'receivedFrames', 'receiveFailures', 'receiveThrottled', 'receiveNoBuffer'],
  ...['transmittedBytes', 'transmittedFrames', 'transmitFailures', 'transmitThrottled', 'malformedFrames', 'spoofedMacFrames'],
] as const satisfies readonly string[];
export type VnicNumber = (typeof VNIC_NUMBERS)[number];

/** Exits that reached the VMM, where it tells the direction (Firecracker, Dragonball). */
export interface VmmExits {
  readonly ioIn?: number;
  readonly ioOut?: number;
  readonly mmioRead?: number;
  readonly mmioWrite?: number;
  readonly failures?: number;
}

/** Counters of KVM by the kernel's own names, all vCPUs together. Without direction: the kernel does not tell it. */
export interface KvmStatistics {
  readonly counters: ReadonlyMap<string, number>;
  /** Nanoseconds. */
  readonly durations: ReadonlyMap<string, number>;
  /** Present values: pages mapped, by name. */
  readonly gauges: ReadonlyMap<string, number>;
}

export const MIGRATION_STATES = [
  ...['none', 'setup', 'active', 'postcopy-active', 'postcopy-paused', 'postcopy-recover', 'pre-switchover', 'device', 'wait-unplug'],
  ...['cancelling', 'cancelled', 'completed', 'failed', 'colo', 'other'],
] as const satisfies readonly string[];
export type MigrationState = (typeof MIGRATION_STATES)[number];

export interface Migration {
  readonly state: MigrationState;
  readonly totalBytes?: number;
  readonly transferredBytes?: number;
  readonly remainingBytes?: number;
  readonly dirtyBytesPerSecond?: number;
  readonly sentBytesPerSecond?: number;
  readonly iterations?: number;
  readonly elapsedMilliseconds?: number;
  readonly downtimeMilliseconds?: number;
  readonly expectedDowntimeMilliseconds?: number;
}

/**
 * How often something happened, since the agent listens to this VMM or since the VMM began, whichever the protocol gives. Told only by those
 * that are listened to all the time: an event that nobody hears is lost, and 0 would be a lie.
 */
export type VmmEvents = Readonly<Partial<Record<VmmEvent, number>>>;

export const VMM_EVENTS = [
  ...['guest-panicked', 'guest-crashloaded', 'reset', 'powerdown', 'shutdown', 'watchdog', 'block-io-error', 'memory-failure'],
  ...['balloon-change', 'stop', 'resume', 'suspend', 'wakeup', 'migration', 'device-deleted', 'vmm-panic', 'seccomp-fault', 'fatal-signal'],
  ...['booted', 'snapshotted', 'restored', 'resized', 'missed-metrics'],
] as const satisfies readonly string[];
export type VmmEvent = (typeof VMM_EVENTS)[number];
