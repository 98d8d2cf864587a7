import type { Subject } from '../../model/collector.js';
import type { HeldProcess } from '../../model/process.js';

/**
 * Sums over vCPUs never go back: those of a vCPU that is unplugged are lost to a VMM that counts the present ones, and a counter that falls
 * counts as one that began anew. What is counted until the sum has caught up is not seen.
 */
export class HighWater {
  private readonly known = new WeakMap<Subject, { readonly process: HeldProcess; readonly highest: Map<string, number> }>();

  /** @returns the numbers, none below what it was before in the same process */
  raise(subject: Subject, numbers: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const { process } = subject;
    if (!process) return numbers;
    const before = this.known.get(subject);
    const highest = before?.process === process ? before.highest : new Map<string, number>();
    if (before?.highest !== highest) this.known.set(subject, { process, highest });
    return new Map(
      [...numbers].map(([name, value]) => {
        const last = highest.get(name);
        const most = last !== undefined && last > value ? last : value;
        highest.set(name, most);
        return [name, most];
      }),
    );
  }
}
