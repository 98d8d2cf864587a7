/** What one thread used so far: whole microseconds and counts. NaN: not known. */
export interface ThreadClock {
  readonly run: number;
  readonly wait: number;
  readonly timeslices: number;
}
const WORDS = ['run', 'wait', 'timeslices'] as const;
/** Every thread's clocks, and so every sum, begin here. */
const START = { run: 0, wait: 0, timeslices: 0 };

/** More than any VM's vCPUs and their successors; bounds what a process can cost that renames its threads all the time. */
const MAX_KNOWN = 4096;

/**
 * Sums by vCPU over the threads that ran it one after the other. A vCPU that is unplugged and plugged again gets a new thread, whose clock
 * begins at 0: it is added to what the last one had. A thread's time is given to the vCPU that it runs when it is read, and once: whatever a
 * process says of its threads, the vCPUs together never used more than it did, and no sum goes back.
 */
export class VcpuLedger {
  private readonly sums = new Map<number, Readonly<ThreadClock>>();
  private readonly last = new Map<string, ThreadClock>();

  /** @param key of the thread, which no later owner of its id has @returns the vCPU's sum; null for one vCPU too many */
  add(vcpu: number, key: string, clock: ThreadClock): Readonly<ThreadClock> | null {
    const sum = this.sums.get(vcpu);
    if (!sum && this.sums.size >= MAX_KNOWN) return null;
    const last = this.last.get(key);
    const seen = { ...START };
    const grown = { ...START };
    for (const word of WORDS) {
      // A clock in ticks may go back by one: the kernel scales user and system time separately.
      seen[word] = Math.max(clock[word], (last ?? START)[word]);
      grown[word] = (sum ?? START)[word] + seen[word] - (last ?? START)[word];
    }
    this.sums.set(vcpu, grown);
    this.last.delete(key);
    this.last.set(key, seen);
    this.trim();
    return grown;
  }

  /** Lets go of the thread that was not read for the longest time, where there are too many. */
  private trim(): void {
    if (this.last.size <= MAX_KNOWN) return;
    for (const oldest of this.last.keys()) {
      this.last.delete(oldest);
      return;
    }
  }
}
