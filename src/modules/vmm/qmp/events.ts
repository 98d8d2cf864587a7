import type { VmmEvent, VmmEvents } from '../answer.js';
import type { Dialect } from './dialect.js';

/**
 * Counts of events heard by one conversation with one process. They begin at 0 with the first connection and never go back; what happened
 * while nobody was connected was not heard, so after a lost connection they are what was at least. QEMU itself drops repetitions within a
 * second of some (BALLOON_CHANGE, WATCHDOG, MEMORY_FAILURE): counted are messages.
 */
export class EventCounts {
  private readonly counts = new Map<VmmEvent, number>();

  constructor(private readonly names: Dialect['events']) {
    for (const event of Object.values(names)) if (event !== undefined) this.counts.set(event, 0);
  }

  /** @param name the VMM's own; others than the known ones are none of ours @returns whether it is known */
  hear(name: string): boolean {
    const event = Object.hasOwn(this.names, name) ? this.names[name] : undefined;
    const count = event === undefined ? undefined : this.counts.get(event);
    if (event === undefined || count === undefined) return false;
    this.counts.set(event, count + 1);
    return true;
  }

  get told(): VmmEvents {
    return Object.fromEntries(this.counts);
  }
}
