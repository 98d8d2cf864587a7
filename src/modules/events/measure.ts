import { type Amount, BOUND_COUNT, type Latency } from './words.js';

/** Times of one kind. Nothing in it ever goes back, whatever the side that counts forgets. */
export class Timing {
  /** How many were within each bound and beyond the one before it, not added up; the last is beyond all bounds. */
  readonly buckets = new Float64Array(BOUND_COUNT + 1);
  count = 0;
  sumNanoseconds = 0;
  /** The last one that was told; NaN before. */
  lastNanoseconds = Number.NaN;
}

/** What is known of one process since it is watched. What was never measured has no member, which is not 0. */
export interface Measure {
  readonly timings: Map<Latency, Timing>;
  readonly amounts: Map<Amount, number>;
}

export const emptyMeasure = (): Measure => ({ timings: new Map(), amounts: new Map() });
