import type { Companion, CompanionRole } from '../../model/instance.js';
import type { ProcfsProcess } from '../procfs/held-process.js';
import type { ProcessKey } from './merge.js';

type Held = ReadonlyMap<CompanionRole, ProcfsProcess>;
const NOBODY: Held = new Map();

/** Holds a process; null when it ended, or its pid passed on, since it was seen. */
export type Hold = (key: ProcessKey) => ProcfsProcess | null;

/**
 * The processes beside one VMM, held open. A rescan finds them; the next sweep takes them over, so that no collector sees them change under
 * it. One that contains its VMM is the VMM's own object and is closed with that.
 */
export class Companions {
  private held: Held = NOBODY;
  /** Found by a rescan, in force from the next sweep on; null when nothing changed. */
  private found: Held | null = null;

  constructor(private readonly isVmm: (process: ProcfsProcess) => boolean) {}

  get(role: CompanionRole): ProcfsProcess | null {
    return this.held.get(role) ?? null;
  }

  /** As of the last rescan. */
  get latest(): Held {
    return this.found ?? this.held;
  }

  /**
   * A rescan beside the same VMM. One that cannot be held is tried again by the next.
   * @returns whether they are others than before
   */
  find(named: readonly Companion[] | undefined, vmm: ProcfsProcess, hold: Hold): boolean {
    const before = this.latest;
    if (before.size === 0 && named === undefined) return false;
    const next = holdAll(named, [vmm, ...before.values()], hold);
    if (next.size === before.size && [...next].every(([role, process]) => before.get(role) === process)) return false;
    this.offer(next);
    return true;
  }

  /** A rescan that found another VMM: held anew, because those beside the last one are closed with it. */
  findAnew(named: readonly Companion[] | undefined, vmm: ProcfsProcess, hold: Hold): void {
    this.offer(holdAll(named, [vmm], hold));
  }

  /** What the last rescan found is not wanted. */
  forget(): void {
    this.offer(null);
  }

  /** In a sweep: from now on the collectors see what the last rescan found. */
  adopt(): void {
    if (!this.found) return;
    this.close(this.held, [this.found]);
    this.held = this.found;
    this.found = null;
  }

  /** Before the VMM is closed. What a rescan found beside the next one stays. */
  release(): void {
    this.close(this.held, [this.found]);
    this.held = NOBODY;
  }

  private offer(next: Held | null): void {
    this.close(this.found, [this.held, next]);
    this.found = next;
  }

  private close(companions: Held | null, kept: readonly (Held | null)[]): void {
    for (const process of companions?.values() ?? []) {
      if (!this.isVmm(process) && !kept.some((map) => map && [...map.values()].includes(process))) process.close();
    }
  }
}

function holdAll(named: readonly Companion[] = [], known: readonly ProcfsProcess[], hold: Hold): Held {
  const held = new Map<CompanionRole, ProcfsProcess>();
  for (const { role, ...key } of named) {
    const process = known.find(({ pid, startTicks }) => pid === key.pid && startTicks === key.startTicks) ?? hold(key);
    if (process) held.set(role, process);
  }
  return held;
}
