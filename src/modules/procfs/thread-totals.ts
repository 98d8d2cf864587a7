import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';

type Counters<Words extends string> = Readonly<Record<Words, number>>;

/**
 * A process total made of per-thread counters. Threads come and go; what a thread had counted stays in the total after its end, so the
 * total never goes back. What threads counted and took along before the first look is not in it.
 */
export class ThreadTotals<Words extends string> {
  private last: ReadonlyMap<string, Counters<Words>> = new Map();
  readonly totals: Record<Words, number>;

  constructor(private readonly words: readonly Words[]) {
    // Object.fromEntries forgets the keys' names; they are `words`.
    this.totals = Object.fromEntries(words.map((word) => [word, 0])) as Record<Words, number>;
  }

  /** The counters of all threads that live now. Counters below the last ones belong to a new thread with an old id: they count from 0. */
  update(threads: ReadonlyMap<string, Counters<Words>>): void {
    for (const [thread, counters] of threads) {
      const last = this.last.get(thread);
      const reborn = last !== undefined && this.words.some((word) => counters[word] < last[word]);
      for (const word of this.words) {
        this.totals[word] += last === undefined || reborn ? counters[word] : counters[word] - last[word];
      }
    }
    this.last = threads;
  }
}

const text = Buffer.allocUnsafeSlow(16_384);

/** Reads task/<tid>/<file> of every thread and updates the totals; a pass that fails half-way changes nothing. */
export function updateFromThreads<Words extends string>(
  totals: ThreadTotals<Words>,
  process: HeldProcess,
  file: string,
  parse: (text: string) => Counters<Words> | null,
): Outcome {
  const threads = new Map<string, Counters<Words>>();
  try {
    for (const thread of process.threads()) {
      const content = readThread(process, `task/${thread}/${file}`);
      if (content === undefined) continue;
      const counters = parse(content);
      // One unknown counter makes the sum unknown; added up it would make every later sum unknown too.
      if (counters === null || Object.values<number>(counters).some(Number.isNaN)) return Outcome.malformed;
      threads.set(thread, counters);
    }
  } catch (error) {
    return outcomeOfErrno(error);
  }
  if (threads.size === 0) return Outcome.gone;
  totals.update(threads);
  return Outcome.ok;
}

/** undefined: the thread ended between the listing and the look. */
function readThread(process: HeldProcess, path: string): string | undefined {
  try {
    return text.toString('latin1', 0, process.readOnce(path, text));
  } catch (error) {
    if (outcomeOfErrno(error) === Outcome.gone) return undefined;
    throw error;
  }
}
