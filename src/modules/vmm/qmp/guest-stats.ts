import { known } from '../../../model/known.js';
import type { GuestMemory } from '../answer.js';
import { countOf, fieldsIn, fieldsOf } from '../json-fields.js';
import { DEVICE_ROOTS } from './commands.js';

/** Every spelling of the device: virtio-balloon-pci, -ccw, -device, -pci-transitional, -pci-non-transitional. */
const BALLOON = /^child<virtio-balloon-[a-z-]+>$/;
const PLAIN_NAME = /^[^/\u0000-\u001f\u007f]{1,256}$/;

/** Path of the balloon among the devices of one root, of a reply to qom-list. */
export function balloonPath(root: (typeof DEVICE_ROOTS)[number], value: unknown): string | undefined {
  for (const { name, type } of fieldsIn(value)) {
    if (typeof name === 'string' && typeof type === 'string' && BALLOON.test(type) && PLAIN_NAME.test(name)) return `${root}/${name}`;
  }
  return undefined;
}

/**
 * Of the property `guest-stats`: bytes, counts, and when the guest said it. Without a driver in the guest every number is 2^64-1 and the last
 * update at 0. @returns null where the guest said nothing yet, undefined for what has not the shape
 */
export function parseGuestStats(value: unknown): GuestMemory | null | undefined {
  const reply = fieldsOf(value);
  const stats = fieldsOf(reply?.stats);
  const updated = countOf(reply?.['last-update']);
  if (!stats || updated === undefined) return undefined;
  if (updated === 0) return null;
  return known<GuestMemory>({
    sampledMs: countOf(updated * 1000),
    totalBytes: countOf(stats['stat-total-memory']),
    freeBytes: countOf(stats['stat-free-memory']),
    availableBytes: countOf(stats['stat-available-memory']),
    diskCachesBytes: countOf(stats['stat-disk-caches']),
    swapInBytes: countOf(stats['stat-swap-in']),
    swapOutBytes: countOf(stats['stat-swap-out']),
    majorFaults: countOf(stats['stat-major-faults']),
    minorFaults: countOf(stats['stat-minor-faults']),
    hugetlbAllocations: countOf(stats['stat-htlb-pgalloc']),
    hugetlbFailures: countOf(stats['stat-htlb-pgfail']),
    // Since QEMU 9.1.
    oomKills: countOf(stats['stat-oom-kills']),
  });
}
