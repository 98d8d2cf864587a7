import { kibToBytes } from '../../model/units.js';

/** One mapping of proc_pid_smaps(5). What is on hugetlbfs is in no resident size. */
export interface MappedMemory {
  readonly start: number;
  readonly end: number;
  /** `rw-p`: read, write, execute, then shared or private. */
  readonly permissions: string;
  readonly offset: number;
  readonly inode: string;
  /** A file's, `[heap]` and the like, or empty. */
  readonly path: string;
  readonly residentBytes: number;
  readonly hugetlbBytes: number;
  /** Part of the resident bytes that the hardware maps in huge pages. */
  readonly transparentHugeBytes: number;
  readonly swappedBytes: number;
  /** Two letters each, as `VmFlags` has them: `rd wr mr mw me dc`. */
  readonly flags: readonly string[];
}

const HEAD = /([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([r-][w-][x-][sp]) ([0-9a-f]+) [0-9a-f]+:[0-9a-f]+ (\d+) *(.*)\n/y;
/** `Rss: 12 kB`, and lines without a unit, such as `THPeligible: 0`. */
const FIELD = /(\w+): +(\d{1,15})( kB)?\n/y;
const FLAGS = /VmFlags: ((?:[a-z?]{2} )*)\n/y;

/**
 * /proc/<pid>/smaps, mapping by mapping, so that whoever reads a long one may pause.
 * @yields null, and then no more, at the first thing that is no mapping or is cut
 */
export function* mappingsOf(smaps: string): Generator<MappedMemory | null> {
  for (let at = 0; at < smaps.length; ) {
    HEAD.lastIndex = at;
    const head = HEAD.exec(smaps);
    const fields = new Map<string, number>();
    at = head ? readFields(smaps, HEAD.lastIndex, fields) : at;
    FLAGS.lastIndex = at;
    const flags = head ? FLAGS.exec(smaps)?.[1] : undefined;
    const mapping = head && flags !== undefined ? mappingFrom(head, fields, flags) : null;
    yield mapping;
    if (!mapping) return;
    at = FLAGS.lastIndex;
  }
}

function readFields(smaps: string, from: number, fields: Map<string, number>): number {
  let at = from;
  for (;;) {
    FIELD.lastIndex = at;
    const field = FIELD.exec(smaps);
    if (!field) return at;
    const [, name, digits, unit] = field;
    if (unit !== undefined) fields.set(name, kibToBytes(Number(digits)));
    at = FIELD.lastIndex;
  }
}

function mappingFrom(head: RegExpExecArray, fields: ReadonlyMap<string, number>, flags: string): MappedMemory | null {
  const [, start, end, permissions, offset, inode, path] = head;
  const sum = (...names: readonly string[]): number => names.reduce((total, name) => total + (fields.get(name) ?? Number.NaN), 0);
  const mapping = {
    // Bounds are multiples of the page size: of 64 bits at most 52 are used, which a double holds.
    start: Number.parseInt(start, 16),
    end: Number.parseInt(end, 16),
    permissions,
    offset: Number.parseInt(offset, 16),
    inode,
    path,
    residentBytes: sum('Rss'),
    hugetlbBytes: sum('Private_Hugetlb', 'Shared_Hugetlb'),
    transparentHugeBytes: sum('AnonHugePages', 'ShmemPmdMapped'),
    swappedBytes: sum('Swap'),
    flags: flags.trimEnd().split(' '),
  };
  const { residentBytes, hugetlbBytes, transparentHugeBytes, swappedBytes } = mapping;
  return mapping.end > mapping.start && !Number.isNaN(residentBytes + hugetlbBytes + transparentHugeBytes + swappedBytes) ? mapping : null;
}
