import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { type HeldProcess, STAT_LENGTH, Stat } from '../../model/process.js';
import { parseStat } from '../procfs/stat.js';
import { isVcpuName } from '../procfs/vcpu-threads.js';

/** A thread, or a process of one, as its stat shows it. */
export interface Thread {
  /** Thread id and start: an id that has a new owner is another thread. */
  readonly key: string;
  readonly name: string;
  /** User and system CPU time, clock ticks. */
  readonly ticks: number;
  readonly guestTicks: number;
}

/** About 10 µs each; a VMM with more is none. */
const MAX_THREADS = 2048;

const line = Buffer.allocUnsafeSlow(4096);
const stat = new Float64Array(STAT_LENGTH);

/** Every thread of the process that lives now; one that ends meanwhile is left out. @returns the outcome where they cannot be told */
export function readThreads(process: HeldProcess): readonly Thread[] | Outcome {
  const threads: Thread[] = [];
  try {
    const ids = process.threads();
    if (ids.length > MAX_THREADS) return Outcome.tooLarge;
    for (const id of ids) {
      const thread = readThread(id, () => process.readOnce(`task/${id}/stat`, line));
      if (thread === undefined) return Outcome.malformed;
      if (thread) threads.push(thread);
    }
  } catch (error) {
    return outcomeOfErrno(error);
  }
  return threads.length > 0 ? threads : Outcome.gone;
}

/**
 * One stat line. @param read puts it into the buffer it is given and returns its length
 * @returns null when there is nobody any more, undefined for a line that is none; @throws other errors of reading
 */
export function readThread(id: string, read: (buffer: Buffer) => number): Thread | null | undefined {
  let length: number;
  try {
    length = read(line);
  } catch (error) {
    if (outcomeOfErrno(error) === Outcome.gone) return null;
    throw error;
  }
  if (parseStat(line, length, stat) < 0) return undefined;
  return {
    key: `${id}@${stat[Stat.startTicks]}`,
    name: line.toString('latin1', line.indexOf('(') + 1, line.lastIndexOf(')', length - 1)),
    ticks: stat[Stat.userTicks] + stat[Stat.systemTicks],
    guestTicks: stat[Stat.guestTicks],
  };
}

/**
 * Which of a VMM's threads are vCPUs: those with such a name, or where none has one, those that were in guest code, as far as the kernel
 * accounts that. An empty set where neither tells.
 */
export function vcpusAmong(threads: readonly Thread[]): ReadonlySet<Thread> {
  const named = threads.filter(({ name }) => isVcpuName(name));
  return new Set(named.length > 0 ? named : threads.filter(({ guestTicks }) => guestTicks > 0));
}
