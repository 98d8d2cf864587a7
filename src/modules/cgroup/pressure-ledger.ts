import { ALL_LENGTH } from './pressure-files.js';
import { STALL_LENGTH, TOTAL } from './pressure-text.js';

/**
 * Stall times of one VM as counters that never go back. At the first look they are what its cgroup had counted by then; of one that the VM came
 * into later only counts what it counts from there on.
 */
export class PressureLedger {
  private readonly totals = new Float64Array(ALL_LENGTH).fill(Number.NaN);
  private readonly last = new Float64Array(ALL_LENGTH).fill(Number.NaN);

  /** What is read next is another cgroup's. */
  moved(): void {
    this.last.fill(Number.NaN);
  }

  /** Takes over a reading, and puts the counters where its times were. */
  count(reading: Float64Array): void {
    const { totals, last } = this;
    for (let at = TOTAL; at < ALL_LENGTH; at += STALL_LENGTH) {
      const now = reading[at];
      if (Number.isNaN(now)) continue;
      if (Number.isNaN(totals[at])) totals[at] = now;
      else if (now > last[at]) totals[at] += now - last[at];
      last[at] = now;
      reading[at] = totals[at];
    }
  }
}
