/** Time as a value, so that tests can stop it. */
export interface Clock {
  /** Milliseconds since 1970, for timestamps that people and other programs read. */
  now(): number;
  /** Milliseconds of a clock that never jumps, for ages and durations. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
