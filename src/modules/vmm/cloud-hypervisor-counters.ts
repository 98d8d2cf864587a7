import { known } from '../../model/known.js';
import type { Disk, DiskNumber, GuestMemory, Vnic, VnicNumber } from './answer.js';
import type { ConfiguredDisk } from './cloud-hypervisor-info.js';
import { countOf, type Fields, fieldsOf, parseFields } from './json-fields.js';

/** What Cloud Hypervisor counts: `vm.counters` and, in versions after 54, `vm.balloon-stats`. */

const MAX_DEVICES = 512;
/**
 * (2^64-1) / LATENCY_SCALE of virtio-devices/src/block.rs: an average of no request at all. A number that JSON can hold exactly, so it does not
 * go with the other sentinels.
 */
const NO_AVERAGE_YET = 1_844_674_407_370_955;

/** virtio-devices/src/block.rs, Block::counters(). Latencies are microseconds over the life of the device. */
const BLOCK: Readonly<Record<string, DiskNumber>> = {
  read_bytes: 'readBytes',
  write_bytes: 'writtenBytes',
  read_ops: 'reads',
  write_ops: 'writes',
  read_latency_min: 'lifetimeReadLatencyMinMicroseconds',
  read_latency_avg: 'lifetimeReadLatencyAverageMicroseconds',
  read_latency_max: 'lifetimeReadLatencyMaxMicroseconds',
  write_latency_min: 'lifetimeWriteLatencyMinMicroseconds',
  write_latency_avg: 'lifetimeWriteLatencyAverageMicroseconds',
  write_latency_max: 'lifetimeWriteLatencyMaxMicroseconds',
};

/** virtio-devices/src/net.rs, Net::counters(): the guest's side, without the virtio header of a frame. */
const NET: Readonly<Record<string, VnicNumber>> = {
  rx_bytes: 'receivedBytes',
  rx_frames: 'receivedFrames',
  tx_bytes: 'transmittedBytes',
  tx_frames: 'transmittedFrames',
};

/** Counters of a device by the VMM's names, by the device's id. */
export type Counters = ReadonlyMap<string, Fields>;

/** Of `vm.counters`. undefined for what is no answer of this API. */
export function parseCounters(text: string): Counters | undefined {
  const devices = parseFields(text);
  if (!devices) return undefined;
  const counters = new Map<string, Fields>();
  for (const [device, told] of Object.entries(devices)) {
    const fields = fieldsOf(told);
    if (fields && counters.size < MAX_DEVICES) counters.set(device, fields);
  }
  return counters;
}

/** Disks that are configured, then those that are only counted. @param counters null while nothing is counted */
export function disksOf(configured: readonly ConfiguredDisk[], counters: Counters | null): readonly Disk[] {
  const seen = new Set(configured.map(({ device }) => device));
  const counted = [...(counters ?? [])].filter(([device, fields]) => !seen.has(device) && isDisk(fields));
  return [
    ...configured.map((disk) => diskOf(disk, counters?.get(disk.device))),
    ...counted.map(([device, fields]) => diskOf({ device }, fields)),
  ];
}

function diskOf({ device, file, format, readOnly, bytesPerSecond, operationsPerSecond }: ConfiguredDisk, fields: Fields | undefined): Disk {
  const numbers = {
    ...numbersOf(fields, BLOCK),
    ...known<Partial<Record<DiskNumber, number>>>({
      limitBytesPerSecond: bytesPerSecond,
      limitOperationsPerSecond: operationsPerSecond,
    }),
  };
  return known<Disk>({ device, file, format, readOnly, numbers });
}

export function vnicsOf(counters: Counters): readonly Vnic[] {
  return [...counters].filter(([, fields]) => isVnic(fields)).map(([device, fields]) => ({ device, numbers: numbersOf(fields, NET) }));
}

const isDisk = (fields: Fields): boolean => Object.keys(BLOCK).some((name) => Object.hasOwn(fields, name));
const isVnic = (fields: Fields): boolean => Object.keys(NET).some((name) => Object.hasOwn(fields, name));

function numbersOf<N extends string>(fields: Fields | undefined, names: Readonly<Record<string, N>>): Partial<Record<N, number>> {
  const numbers: Partial<Record<N, number>> = {};
  if (!fields) return numbers;
  for (const [name, ours] of Object.entries(names)) {
    const value = Object.hasOwn(fields, name) ? countOf(fields[name]) : undefined;
    if (value !== undefined && !(name.includes('_latency_') && value >= NO_AVERAGE_YET)) numbers[ours] = value;
  }
  return numbers;
}

export interface BalloonStatistics {
  readonly heldBytes?: number;
  readonly guest: GuestMemory;
}

/**
 * Of `vm.balloon-stats` (cloud-hypervisor#8603): what the guest's driver said just now; a statistic that its kernel does not have is left out.
 * @param sampledMs when it was asked
 */
export function parseBalloonStatistics(text: string, sampledMs: number): BalloonStatistics | undefined {
  const answer = parseFields(text);
  const stats = fieldsOf(answer?.stats);
  if (!answer || !stats) return undefined;
  const guest = known<GuestMemory>({
    sampledMs,
    totalBytes: countOf(stats.total_memory),
    freeBytes: countOf(stats.free_memory),
    availableBytes: countOf(stats.available_memory),
    diskCachesBytes: countOf(stats.disk_caches),
    swapInBytes: countOf(stats.swap_in),
    swapOutBytes: countOf(stats.swap_out),
    majorFaults: countOf(stats.major_faults),
    minorFaults: countOf(stats.minor_faults),
    hugetlbAllocations: countOf(stats.hugetlb_allocations),
    hugetlbFailures: countOf(stats.hugetlb_failures),
    oomKills: countOf(stats.oom_kills),
  });
  return known<BalloonStatistics>({ heldBytes: countOf(answer.balloon_actual), guest });
}
