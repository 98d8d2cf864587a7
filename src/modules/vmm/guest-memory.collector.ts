import { counter, gauge, type Metric, metric } from '../../model/metric.js';
import { type GuestMemory, isTold } from './answer.js';
import { numbersOf } from './numbers-topic.js';

const MILLISECOND_DECIMALS = 3;

const bytes = (word: string, help: string): Metric =>
  metric({
    json: `memory.guest.${word}_bytes`,
    family: gauge({ name: `vmgauge_vm_guest_memory_${word}_bytes`, help, unit: 'bytes' }),
  });
const movedBytes = (word: string, help: string): Metric =>
  metric({
    json: `memory.guest.${word}_bytes`,
    family: counter({ name: `vmgauge_vm_guest_memory_${word}_bytes_total`, help, unit: 'bytes' }),
  });
const count = (word: string, help: string): Metric =>
  metric({ json: `memory.guest.${word}`, family: counter({ name: `vmgauge_vm_guest_memory_${word}_total`, help }) });

const METRICS = {
  totalBytes: bytes('total', 'Memory the guest’s kernel manages, by its balloon driver.'),
  usedBytes: bytes('used', 'What of the guest’s memory is not available to new programs: total less available, of one report.'),
  availableBytes: bytes('available', 'Memory that new programs in the guest could get without swapping, by its balloon driver.'),
  freeBytes: bytes('free', 'Memory of the guest that nothing uses, not even a cache, by its balloon driver.'),
  diskCachesBytes: bytes('disk_caches', 'Memory of the guest that caches files and could be given back, by its balloon driver.'),
  swapInBytes: movedBytes('swap_in', 'Bytes the guest read back from its swap, by its balloon driver.'),
  swapOutBytes: movedBytes('swap_out', 'Bytes the guest wrote to its swap, by its balloon driver.'),
  majorFaults: count('major_faults', 'Page faults of the guest that needed its disk, by its balloon driver.'),
  minorFaults: count('minor_faults', 'Page faults of the guest that needed no disk, by its balloon driver.'),
  hugetlbAllocations: count('hugetlb_allocations', 'Huge pages allocated in the guest, by its balloon driver.'),
  hugetlbFailures: count('hugetlb_failures', 'Huge pages that could not be allocated in the guest, by its balloon driver.'),
  oomKills: count('oom_kills', 'Programs the guest’s kernel killed for want of memory, by its balloon driver.'),
  sampleAgeMs: metric({
    json: 'memory.guest.sample_age_seconds',
    description: 'How long ago the guest’s balloon driver reported its memory; it does so only when the VMM asks.',
    decimals: MILLISECOND_DECIMALS,
  }),
  sampledMs: metric({
    json: 'memory.guest.sample_timestamp_seconds',
    decimals: MILLISECOND_DECIMALS,
    family: gauge({
      name: 'vmgauge_vm_guest_memory_sample_timestamp_seconds',
      help: 'When the guest’s balloon driver last reported its memory, in seconds since 1970; it does so only when the VMM asks.',
      unit: 'seconds',
    }),
  }),
};

/** The guest's memory as its own balloon driver last reported it: the only inside view that a host has without an agent in the guest. */
export class GuestMemoryCollector extends numbersOf({
  about: {
    name: 'guest_memory',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: the last report of the guest’s balloon driver, and its age',
    enabled: true,
  },
  metrics: METRICS,
  of: ({ guest }, { clock }) => (isTold(guest) ? { ...guest, ...used(guest), ...age(guest, clock.now()) } : guest),
}) {}

const used = ({ totalBytes, availableBytes }: GuestMemory): { usedBytes?: number } =>
  totalBytes === undefined || availableBytes === undefined ? {} : { usedBytes: totalBytes - availableBytes };

/** Clocks of guest and host do not matter: the VMM notes the time when a report comes. One from the future has just come. */
const age = ({ sampledMs }: GuestMemory, now: number): { sampleAgeMs?: number } =>
  sampledMs === undefined ? {} : { sampleAgeMs: Math.max(0, now - sampledMs) };
