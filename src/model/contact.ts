import { Outcome } from './outcome.js';

/**
 * What is known of somebody who is asked again and again, from one question to the next, apart from what was answered. Times are monotonic
 * milliseconds unless they say otherwise.
 */
export class Contact {
  /** Of the last question, or why there is none; busy before the first. */
  outcome: Outcome = Outcome.busy;
  /** Of the last question. */
  seconds = Number.NaN;
  /** When the last good answer came; also in milliseconds since 1970. */
  answeredAt = Number.NEGATIVE_INFINITY;
  answeredMs = Number.NaN;
  askedAt: number | null = null;
  /** Questions that were put and not answered well, and how many of them in a row. */
  failures = 0;
  inRow = 0;
  /** The question that is under way or waits for its turn. */
  pending: Promise<void> | null = null;
  timer: NodeJS.Timeout | undefined;

  /** @param phase from 0 to 1, spreads the first questions of many */
  constructor(readonly phase: number) {}
}
