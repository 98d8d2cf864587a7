import type { HeldProcess } from '../../model/process.js';

/** NSpid stands near the top of a status, which is longer on hosts of many CPUs. */
const buffer = Buffer.allocUnsafeSlow(4096);
const NUMBERS = /^NSpid:((?:\t\d+)+)$/m;

/**
 * Thread ids as the namespaces see them: /proc/<pid>/status, `NSpid:\t4242\t7`, from the namespace of that /proc to the thread's own (Linux 4.1).
 * @returns null where the line is missing or cut
 */
export function parseNamespacedIds(text: string): readonly number[] | null {
  const numbers = NUMBERS.exec(text.slice(0, text.lastIndexOf('\n')))?.[1];
  return numbers === undefined ? null : numbers.slice(1).split('\t').map(Number);
}

/** Translates thread ids of the PID namespace of a process into those of our /proc. */
export class NamespacedThreads {
  /** How many namespaces deep the process is, which never changes; undefined as long as nobody asked. */
  private depth: number | undefined;

  constructor(private readonly process: HeldProcess) {}

  /** @param threads ids in our /proc @returns a function that gives undefined for an id that none of them has */
  translate(threads: readonly number[]): (threadId: number) => number | undefined {
    this.depth ??= this.idsOf('status')?.length;
    if (this.depth === undefined) return () => undefined;
    const own = new Map<number, number>();
    for (const id of threads) {
      const inner = this.depth === 1 ? id : this.idsOf(`task/${id}/status`)?.at(-1);
      if (inner !== undefined) own.set(inner, id);
    }
    return (threadId) => own.get(threadId);
  }

  private idsOf(file: string): readonly number[] | null {
    try {
      return parseNamespacedIds(buffer.toString('latin1', 0, this.process.readOnce(file, buffer)));
    } catch {
      // A thread that ended meanwhile, or a refusal: either way it has no number that could be compared.
      return null;
    }
  }
}
