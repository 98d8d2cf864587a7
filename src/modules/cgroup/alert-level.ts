/** Percent from which on the level is 1, 2, 3; ascending, two may be equal. */
export type Thresholds = readonly [warning: number, critical: number, emergency: number];

/** How far below its threshold a level ends, percentage points. */
export const CLEAR_POINTS = 5;

/**
 * How near a limit is: 0 none, 1 warning, 2 critical, 3 emergency. It rises to what two samples in a row have both reached, and falls with one
 * sample, at once to the highest level whose threshold is no more than 5 points above it: with 80, 90 and 95 it goes from 3 to 2 below 90, to 1 below
 * 85 and to 0 below 75.
 */
export class AlertLevel {
  private level = 0;
  /** Level whose threshold the last sample reached; none before the first and after one that is not known. */
  private reached = 0;

  /** @param percent NaN where it is not known @returns the level; NaN where that is not known, which is no 0, and does not end one either */
  take(percent: number, thresholds: Thresholds): number {
    if (Number.isNaN(percent)) {
      this.reached = 0;
      return Number.NaN;
    }
    const reached = highest(percent, thresholds);
    const held = highest(percent, thresholds, CLEAR_POINTS);
    this.level = Math.max(Math.min(this.level, held), Math.min(this.reached, reached));
    this.reached = reached;
    return this.level;
  }

  /** There is no limit any more: what comes later has nothing to do with what was. */
  reset(): void {
    this.level = 0;
    this.reached = 0;
  }
}

/** How many of the thresholds it is at or above, or no more than a margin below. */
const highest = (percent: number, thresholds: Thresholds, margin = 0): number =>
  thresholds.filter((threshold) => percent >= threshold - margin).length;
