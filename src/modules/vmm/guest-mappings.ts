import type { Hypervisor } from '../../model/instance.js';
import type { MappedMemory } from '../procfs/smaps.js';

/** Of the VMM's own: neither is ever guest RAM, however large. */
const OWN = /^\[(heap|stack)/;
/** Anonymous and shared memory; hugetlbfs, which may be mounted anywhere, has a flag. Everything else is a file. */
const MEMORY = /^($|\/memfd:|\/dev\/shm\/|\/dev\/zero|\/SYSV|\/anon_hugepage|\[anon)/;
/** Not inherited by a child, madvise(2) MADV_DONTFORK: QEMU says so of each of its RAM blocks, and of nothing else. */
const DONT_FORK = 'dc';
const HUGETLB = 'ht';

/** Guest RAM is one mapping, or one for each NUMA node, side of the hole below 4 GiB, or memory zone. */
const MOST_PARTS = 12;

/**
 * The mappings of a VMM that are its guest's RAM, by evidence: of QEMU what it marked as RAM blocks, which has the firmware's and the display's
 * few MiB and plugged in memory in it; of others the fewest mappings that have exactly the allocated size together.
 * @returns null where they cannot be told, or where two ways fit
 */
export function guestMappings(
  mappings: readonly MappedMemory[],
  hypervisor: Hypervisor | undefined,
  allocatedBytes: number | undefined,
): ReadonlySet<MappedMemory> | null {
  const candidates = mappings.filter(({ permissions, path }) => permissions.startsWith('rw-') && !OWN.test(path));
  if (hypervisor === 'qemu') return ramBlocks(candidates, allocatedBytes ?? 1);
  if (allocatedBytes === undefined || allocatedBytes <= 0) return null;
  // madvise(2), mprotect(2) and KSM cut a mapping into several, which have the same neighbours still.
  const found = fewestOfSize(
    candidates.map((one) => [one]),
    allocatedBytes,
  );
  const exact = found === 'none' ? fewestOfSize(joined(candidates), allocatedBytes) : found;
  return typeof exact === 'string' ? null : new Set(exact.flat());
}

const sizeOf = ({ start, end }: MappedMemory): number => end - start;
const bytesOf = (mappings: Iterable<MappedMemory>): number => [...mappings].reduce((sum, mapping) => sum + sizeOf(mapping), 0);

/** Files are among them only where guest RAM is one: a persistent memory device of the guest is a file as well. */
function ramBlocks(candidates: readonly MappedMemory[], leastBytes: number): ReadonlySet<MappedMemory> | null {
  const blocks = candidates.filter(({ flags }) => flags.includes(DONT_FORK));
  const memory = blocks.filter(({ path, flags }) => MEMORY.test(path) || flags.includes(HUGETLB));
  if (bytesOf(memory) >= leastBytes) return new Set(memory);
  return bytesOf(blocks) >= leastBytes ? new Set(blocks) : null;
}

/** Runs of mappings, in the order of addresses, that go on where the last one ended, in the same file or in none. */
function joined(mappings: readonly MappedMemory[]): readonly (readonly MappedMemory[])[] {
  const runs: MappedMemory[][] = [];
  for (const mapping of mappings) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last && goesOn(last, mapping)) run.push(mapping);
    else runs.push([mapping]);
  }
  return runs;
}

const goesOn = (last: MappedMemory, { start, path, inode, offset, permissions }: MappedMemory): boolean =>
  last.end === start &&
  last.path === path &&
  last.inode === inode &&
  last.permissions === permissions &&
  (path === '' || last.offset + sizeOf(last) === offset);

/** Runs of exactly this size together, as few as possible: 'none' where there are none, 'several' where there are two such sets. */
function fewestOfSize(
  runs: readonly (readonly MappedMemory[])[],
  bytes: number,
): readonly (readonly MappedMemory[])[] | 'none' | 'several' {
  const largest = runs
    .map((run) => ({ run, size: bytesOf(run) }))
    .filter(({ size }) => size <= bytes)
    .sort((a, b) => b.size - a.size)
    .slice(0, MOST_PARTS);
  let best: (typeof largest)[] = [];
  for (let mask = 1; mask < 1 << largest.length; mask++) {
    const chosen = largest.filter((_, i) => (mask & (1 << i)) !== 0);
    if (chosen.reduce((sum, { size }) => sum + size, 0) !== bytes) continue;
    const fewest = best.at(0)?.length ?? Number.POSITIVE_INFINITY;
    if (chosen.length < fewest) best = [chosen];
    else if (chosen.length === fewest) best.push(chosen);
  }
  if (best.length === 0) return 'none';
  return best.length === 1 ? best[0].map(({ run }) => run) : 'several';
}
