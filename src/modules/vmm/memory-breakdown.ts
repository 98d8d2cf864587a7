import type { MappedMemory } from '../procfs/smaps.js';

/** One reading of a VMM's mappings; bytes. Resident is guest and overhead to the byte; mapped is resident, swapped and untouched. */
export interface MemoryBreakdown {
  readonly residentBytes: number;
  readonly guestResidentBytes: number;
  readonly overheadBytes: number;
  readonly guestMappedBytes: number;
  /** Part of the resident ones. */
  readonly guestHugeBytes: number;
  readonly guestSwappedBytes: number;
  readonly guestUntouchedBytes: number;
}

/** Pages of hugetlbfs are memory in use like any others, though no resident size has them. */
const residentOf = ({ residentBytes, hugetlbBytes }: MappedMemory): number => residentBytes + hugetlbBytes;

/** @param guest those of the mappings that are guest RAM */
export function breakdownOf(mappings: readonly MappedMemory[], guest: ReadonlySet<MappedMemory>): MemoryBreakdown {
  const sum = (of: Iterable<MappedMemory>, bytes: (mapping: MappedMemory) => number): number =>
    [...of].reduce((total, mapping) => total + bytes(mapping), 0);
  const residentBytes = sum(mappings, residentOf);
  const guestResidentBytes = sum(guest, residentOf);
  const guestMappedBytes = sum(guest, ({ start, end }) => end - start);
  const guestSwappedBytes = sum(guest, ({ swappedBytes }) => swappedBytes);
  return {
    residentBytes,
    guestResidentBytes,
    overheadBytes: residentBytes - guestResidentBytes,
    guestMappedBytes,
    guestHugeBytes: sum(guest, ({ hugetlbBytes, transparentHugeBytes }) => hugetlbBytes + transparentHugeBytes),
    guestSwappedBytes,
    // A page of shared memory that is swapped in while the kernel walks counts twice.
    guestUntouchedBytes: Math.max(0, guestMappedBytes - guestResidentBytes - guestSwappedBytes),
  };
}
