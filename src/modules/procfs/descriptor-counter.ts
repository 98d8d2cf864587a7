import type { HeldProcess } from '../../model/process.js';

/** Turns between two counts by listing, where a count is not to be had for an fstat: 98 µs at 105 descriptors. */
const LISTING_EVERY = 12;

interface Listed {
  readonly count: number;
  turns: number;
}

/** Open descriptors of processes: the size of /proc/<pid>/fd, which is the count since Linux 6.2; a listing now and then where it is not. */
export class DescriptorCounter {
  private readonly listed = new WeakMap<HeldProcess, Listed>();

  /** Now, or as last listed. @throws what the listing throws; the next turn then tries again */
  count(process: HeldProcess): number {
    const count = process.descriptorCount();
    if (count >= 0) return count;
    const known = this.listed.get(process);
    if (known && ++known.turns < LISTING_EVERY) return known.count;
    this.listed.delete(process);
    const listed = { count: process.countDescriptors(), turns: 0 };
    this.listed.set(process, listed);
    return listed.count;
  }
}
