/** Somebody who does not answer is asked ever less often, but still this often. */
const LONGEST_PAUSE_MS = 300_000;
const FIRST_MS = 2000;
const JITTER = 0.1;
/** A timer that is to wait longer does not wait at all. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const GOLDEN_RATIO = 0.618_033_988_749_895;

/** @returns from 0 to 1; those of any run of places are spread evenly */
export const spread = (place: number): number => (place * GOLDEN_RATIO) % 1;

/** Of somebody who is asked again and again. */
export interface Asked {
  /** null before the first question. */
  readonly askedAt: number | null;
  /** Questions in a row that were not answered. */
  readonly inRow: number;
  /** From 0 to 1: spreads the first questions of many. */
  readonly phase: number;
}

/** Milliseconds until the next question, an interval where all is well. @param chance from 0 to 1: not all at the same moment */
export function pauseMs({ askedAt, inRow, phase }: Asked, intervalMs: number, chance: number): number {
  if (askedAt === null) return phase * Math.min(FIRST_MS, intervalMs);
  const pause = Math.min(intervalMs * 2 ** Math.min(inRow, 30), Math.max(LONGEST_PAUSE_MS, intervalMs));
  return Math.min(pause * (1 + JITTER * (2 * chance - 1)), LONGEST_TIMER_MS);
}

/** For somebody who asks at an interval, several at once: whether the turn of this one has come, or is nearer than the next. */
export function isDue(asked: Asked, intervalMs: number, now: number): boolean {
  const { askedAt, inRow } = asked;
  return askedAt === null || inRow === 0 || now - askedAt >= pauseMs(asked, intervalMs, 0) - intervalMs / 2;
}
