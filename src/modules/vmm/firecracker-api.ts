import { known } from '../../model/known.js';
import { mibToBytes } from '../../model/units.js';
import type { AllocatedMemory, Balloon, Disk, GuestMemory, VmmState } from './answer.js';
import { countOf, type Fields, fieldsIn, fieldsOf, parseFields, textOf } from './json-fields.js';

/** Answers of Firecracker's API, src/firecracker/swagger/firecracker.yaml; versions 0.25 to 1.17. Unknown members are passed over. */

/** Pages of the balloon, virtio 1.2 section 5.5: 4 KiB whatever the host's are. */
const BALLOON_PAGE_BYTES = 4096;
const VERSION_LIMIT = 52;
const ID_LIMIT = 128;
const PATH_LIMIT = 4096;
const MAX_DEVICES = 512;

export interface InstanceInfo {
  readonly state: VmmState;
  /** `Firecracker 1.17.0` */
  readonly version?: string;
}

/** vmm_config/instance_info.rs */
const STATES: Readonly<Record<string, VmmState>> = {
  'Not started': { word: 'not-started', state: 'created' },
  Running: { word: 'running', state: 'running' },
  Paused: { word: 'paused', state: 'paused' },
};

/** Of `GET /`. Its `id` is `anonymous-instance` for every VM that was given none: it is no key and not read. */
export function parseInstanceInfo(text: string): InstanceInfo | undefined {
  const info = parseFields(text);
  const state = textOf(info?.state, ID_LIMIT);
  if (!info || state === undefined) return undefined;
  const version = textOf(info.vmm_version, VERSION_LIMIT);
  return known<InstanceInfo>({
    state: Object.hasOwn(STATES, state) ? STATES[state] : { word: 'other', state: 'unknown' },
    version: version === undefined ? undefined : `Firecracker ${version}`,
  });
}

/** Of `GET /machine-config`: memory that the guest booted with. */
export const parseMachineConfig = (text: string): AllocatedMemory | undefined => bootMemory(parseFields(text));

function bootMemory(machine: Fields | undefined): AllocatedMemory | undefined {
  const bytes = bytesOfMib(machine?.mem_size_mib);
  return bytes === undefined ? undefined : { bytes };
}

/** Of `GET /hotplug/memory`, added to what the guest booted with. */
export function withHotplugged(boot: AllocatedMemory, text: string): AllocatedMemory | undefined {
  const status = parseFields(text);
  const plugged = bytesOfMib(status?.plugged_size_mib);
  const total = bytesOfMib(status?.total_size_mib);
  if (boot.bytes === undefined || plugged === undefined || total === undefined) return undefined;
  return { bytes: boot.bytes + plugged, hotpluggedBytes: plugged, maxBytes: boot.bytes + total };
}

export interface BalloonStatistics {
  readonly balloon: Balloon;
  readonly guest: GuestMemory;
}

/** Of `GET /balloon/statistics`: what the balloon holds, not what it leaves; the guest's own numbers without saying how old they are. */
export function parseBalloonStatistics(text: string): BalloonStatistics | undefined {
  const statistics = parseFields(text);
  const actual = countOf(statistics?.actual_pages);
  const target = countOf(statistics?.target_pages);
  if (!statistics || actual === undefined || target === undefined) return undefined;
  return {
    balloon: { heldBytes: actual * BALLOON_PAGE_BYTES, targetHeldBytes: target * BALLOON_PAGE_BYTES },
    guest: known<GuestMemory>({
      totalBytes: countOf(statistics.total_memory),
      freeBytes: countOf(statistics.free_memory),
      availableBytes: countOf(statistics.available_memory),
      diskCachesBytes: countOf(statistics.disk_caches),
      swapInBytes: countOf(statistics.swap_in),
      swapOutBytes: countOf(statistics.swap_out),
      majorFaults: countOf(statistics.major_faults),
      minorFaults: countOf(statistics.minor_faults),
      hugetlbAllocations: countOf(statistics.hugetlb_allocations),
      hugetlbFailures: countOf(statistics.hugetlb_failures),
      oomKills: countOf(statistics.oom_kill),
    }),
  };
}

/** Of `GET /balloon`, where statistics are not kept: only what it was told to hold. */
export function parseBalloonConfig(text: string): Balloon | undefined {
  const target = bytesOfMib(parseFields(text)?.amount_mib);
  return target === undefined ? undefined : { targetHeldBytes: target };
}

/** Of `GET /vm/config`. */
export interface VmConfig {
  readonly memory?: AllocatedMemory;
  readonly hasBalloon: boolean;
  /** Statistics are kept or not for the whole life of the VM, by whether an interval was given before it booted. */
  readonly hasStatistics: boolean;
  readonly hasHotplug: boolean;
  readonly drives: readonly Disk[];
  /** As the process names it: absolute in its root, or relative to its cwd. */
  readonly metricsPath?: string;
}

export function parseVmConfig(text: string): VmConfig | undefined {
  const config = parseFields(text);
  if (!config) return undefined;
  const balloon = fieldsOf(config.balloon);
  return known<VmConfig>({
    memory: bootMemory(fieldsOf(config['machine-config'])),
    hasBalloon: balloon !== undefined,
    hasStatistics: (countOf(balloon?.stats_polling_interval_s) ?? Number.NaN) > 0,
    hasHotplug: fieldsOf(config['memory-hotplug']) !== undefined,
    drives: fieldsIn(config.drives).slice(0, MAX_DEVICES).flatMap(driveOf),
    metricsPath: textOf(fieldsOf(config.metrics)?.metrics_path, PATH_LIMIT),
  });
}

function driveOf(drive: Fields): Disk[] {
  const device = textOf(drive.drive_id, ID_LIMIT);
  if (device === undefined) return [];
  const limiter = fieldsOf(drive.rate_limiter);
  return [
    known<Disk>({
      device,
      file: textOf(drive.path_on_host, PATH_LIMIT),
      readOnly: typeof drive.is_read_only === 'boolean' ? drive.is_read_only : undefined,
      numbers: known<Disk['numbers']>({
        limitBytesPerSecond: perSecond(limiter?.bandwidth),
        limitOperationsPerSecond: perSecond(limiter?.ops),
      }),
    }),
  ];
}

/** What a token bucket lets pass in the long run: its size each time it is refilled, milliseconds. */
function perSecond(value: unknown): number | undefined {
  const bucket = fieldsOf(value);
  const size = countOf(bucket?.size);
  const refillMs = countOf(bucket?.refill_time);
  // Either at 0 is how a limit is lifted.
  return size && refillMs ? Math.round((size * 1000) / refillMs) : undefined;
}

const bytesOfMib = (value: unknown): number | undefined => {
  const mib = countOf(value);
  return mib === undefined ? undefined : countOf(mibToBytes(mib));
};
