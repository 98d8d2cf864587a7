import type { Thread } from './threads.js';

/** What a sandbox's CPU time is spent by. */
export const Part = { shim: 0, vmm: 1, virtiofsd: 2, vcpu: 3 } as const;
export type Part = (typeof Part)[keyof typeof Part];
export const PARTS = 4;

/** A thread that lives now, and whose part it is. */
export type Entry = readonly [part: Part, thread: Thread];

/**
 * Sums of CPU time by part, clock ticks, over threads that come and go: what one had counted stays in its part's sum after its end, so no
 * sum goes back, and one that came counts from its start. What a thread counted between its last reading and its end is in no sum. One that
 * turns out to be a vCPU changes its part from then on. The kernel lists threads while others end, and may miss one or name it twice
 * (proc_task_readdir in fs/proc/base.c): one that is missing for one reading does not count anew.
 */
export class CpuLedger {
  readonly totals = new Float64Array(PARTS);
  /** Growth of the sums by the last update. */
  readonly grown = new Float64Array(PARTS);
  private last: ReadonlyMap<string, number> = new Map();
  private beforeLast: ReadonlyMap<string, number> = new Map();

  /** All threads that live now. Only a complete reading is one. */
  update(entries: readonly Entry[]): void {
    const next = new Map<string, number>();
    this.grown.fill(0);
    for (const [part, { key, ticks }] of entries) {
      if (next.has(key)) continue;
      // In neither reading: it has come since, and its clock began with it.
      const last = this.last.get(key) ?? this.beforeLast.get(key) ?? 0;
      // The kernel scales fields 14 and 15 of stat separately, so that their sum may go back by a tick.
      const grown = Math.max(0, ticks - last);
      next.set(key, last + grown);
      this.grown[part] += grown;
      this.totals[part] += grown;
    }
    this.beforeLast = this.last;
    this.last = next;
  }
}
