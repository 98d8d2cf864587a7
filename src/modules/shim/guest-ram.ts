import { mibToBytes } from '../../model/units.js';
import { type Mapping, parseMaps, parseSmaps } from '../procfs/maps.js';

/** Guest RAM in the address space of its VMM, by what stands behind it; bytes mapped. */
export interface GuestRam {
  /** Shared memory and hugetlbfs: never anonymous and never a file in `status`. */
  readonly sharedBytes: number;
  /** Memory that `status` does not tell from the VMM's own. */
  readonly privateBytes: number;
  /** Any other file that is mapped shared. */
  readonly fileBytes: number;
}

/** Resident bytes of a VMM from one reading of smaps. */
export interface ResidentParts {
  readonly guestBytes: number;
  readonly otherBytes: number;
}

/** Guest RAM is one mapping, or one for each NUMA node, hole below 4 GiB or plugged module; stacks are 8 MiB, arenas at most 64. */
const SHARE_OF_ALLOCATION = 1 / 16;
const LEAST_BYTES = mibToBytes(16);
const LEAST_OF_UNKNOWN_BYTES = mibToBytes(96);

/** memfd, tmpfs, anonymous shared memory, System V segments, hugetlbfs; prctl(2) PR_SET_VMA_ANON_NAME names the third. */
const SHARED_MEMORY = /^(\/memfd:|\/dev\/shm\/|\/dev\/zero |\[anon_shmem:|\/SYSV|\/anon_hugepage|\/dev\/hugepages)/;
const HUGE = /^(\/anon_hugepage|\/dev\/hugepages)/;
/** Of the process itself, however large. */
const NO_GUEST_RAM = /^\[(heap|stack)/;

/** Mappings of this size may be guest RAM. */
export const leastBytesOf = (allocatedBytes: number | undefined): number =>
  allocatedBytes !== undefined && allocatedBytes > 0 ? Math.max(LEAST_BYTES, allocatedBytes * SHARE_OF_ALLOCATION) : LEAST_OF_UNKNOWN_BYTES;

/** @param maps /proc/<pid>/maps @returns null for a text that is none */
export function guestRamIn(maps: Buffer, length: number, leastBytes: number): GuestRam | null {
  const found = { sharedBytes: 0, privateBytes: 0, fileBytes: 0 };
  const whole = parseMaps(maps, length, (mapping) => {
    const path = pathOfGuestRam(maps, mapping, leastBytes);
    if (path === null) return;
    if (mapping.shared ? SHARED_MEMORY.test(path) : HUGE.test(path)) found.sharedBytes += mapping.bytes;
    else if (mapping.shared) found.fileBytes += mapping.bytes;
    else found.privateBytes += mapping.bytes;
  });
  return whole ? found : null;
}

/** @param smaps /proc/<pid>/smaps @returns null for a text that is none */
export function residentParts(smaps: string, leastBytes: number): ResidentParts | null {
  const text = Buffer.from(smaps, 'utf8');
  let guestBytes = 0;
  let otherBytes = 0;
  const whole = parseSmaps(text, (mapping, residentBytes) => {
    if (pathOfGuestRam(text, mapping, leastBytes) === null) otherBytes += residentBytes;
    else guestBytes += residentBytes;
  });
  return whole ? { guestBytes, otherBytes } : null;
}

/** The path of a mapping that is guest RAM by size and permissions, else null. */
function pathOfGuestRam(text: Buffer, { bytes, data, pathStart, pathEnd }: Mapping, leastBytes: number): string | null {
  if (!data || bytes < leastBytes) return null;
  const path = text.toString('latin1', pathStart, pathEnd);
  return NO_GUEST_RAM.test(path) ? null : path;
}
