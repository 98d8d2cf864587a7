import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { ticksToMicroseconds } from '../../model/units.js';
import { parseSchedstat } from '../procfs/schedstat.js';
import type { Thread } from '../shim/threads.js';
import type { ThreadClock } from './vcpu-ledger.js';
import { idOf } from './vcpu-sources.js';

const buffer = Buffer.allocUnsafeSlow(256);

/** What threads of one process used, by the same clock for its whole life: sums of two clocks would be neither. */
export class ThreadClocks {
  private isInTicks: boolean | undefined;

  constructor(private readonly process: HeldProcess) {}

  /** Clocks of these threads, without those that ended since their stat was read. @returns the outcome where one cannot be told */
  read(threads: Iterable<Thread>): ReadonlyMap<Thread, ThreadClock> | Exclude<Outcome, typeof Outcome.ok> {
    const clocks = new Map<Thread, ThreadClock>();
    let isBlind = true;
    for (const thread of threads) {
      const clock = this.isInTicks ? null : this.schedule(thread);
      if (typeof clock === 'number') return clock;
      if (clock) clocks.set(thread, clock);
      isBlind &&= clock === null || (isZero(clock) && thread.ticks > 0);
    }
    // Kernels without CONFIG_SCHED_INFO have no such file, or one of zeros.
    this.isInTicks ??= isBlind;
    return this.isInTicks ? new Map([...threads].map((thread) => [thread, inTicks(thread)])) : clocks;
  }

  private schedule(thread: Thread): ThreadClock | Exclude<Outcome, typeof Outcome.ok> | null {
    let length: number;
    try {
      length = this.process.readOnce(`task/${idOf(thread)}/schedstat`, buffer);
    } catch (error) {
      const outcome = outcomeOfErrno(error);
      return outcome === Outcome.gone || outcome === Outcome.ok ? null : outcome;
    }
    const line = parseSchedstat(buffer.toString('latin1', 0, length));
    if (!line) return Outcome.malformed;
    const { runMicroseconds: run, waitMicroseconds: wait, timeslices } = line;
    return Number.isNaN(run + wait + timeslices) ? Outcome.malformed : { run, wait, timeslices };
  }
}

const isZero = ({ run, wait, timeslices }: ThreadClock): boolean => run === 0 && wait === 0 && timeslices === 0;

/** stat counts guest time in user time (proc_pid_stat(5)), whatever guest_time says, which is 0 where KVM is paravirtual. */
const inTicks = ({ ticks }: Thread): ThreadClock => ({ run: ticksToMicroseconds(ticks), wait: Number.NaN, timeslices: Number.NaN });
