import { SENTINEL } from '../procfs/numbers.js';

/** What a CPU quota did to a cgroup and all that is in it. A number that is not told is NaN. */
export interface Throttling {
  /** Periods that began while something in it could run. */
  readonly periods: number;
  readonly throttledPeriods: number;
  /** Each CPU's, added up, in whole microseconds. */
  readonly throttledMicroseconds: number;
}

/** "name number" lines. */
const SHAPE = /^(?:[a-z_]+ \d+\n)+$/;
const PERIODS = /^nr_periods (\d+)$/m;
const THROTTLED_PERIODS = /^nr_throttled (\d+)$/m;
const TIME = /^throttled_(?:usec (\d+)|time (\d+))$/m;
const NANOSECOND_DIGITS = 3;

/**
 * `cpu.stat` of either version (kernel, Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst), and `cpu.stat.local`, which
 * has the time alone. Version 1 counts in nanoseconds as `throttled_time`, version 2 in microseconds as `throttled_usec`.
 * @returns 'none' where no word of throttling is in it: the controller is off here; null for a text that is cut or holds anything else
 */
export function parseThrottling(text: string): Throttling | 'none' | null {
  if (!SHAPE.test(text)) return null;
  const time = TIME.exec(text);
  if (!time) return 'none';
  const [, microseconds, nanoseconds] = time;
  return {
    periods: number(PERIODS.exec(text)?.[1]),
    throttledPeriods: number(THROTTLED_PERIODS.exec(text)?.[1]),
    throttledMicroseconds: nanoseconds === undefined ? number(microseconds) : wholeMicroseconds(nanoseconds),
  };
}

const number = (digits: string | undefined): number => (digits === undefined || Number(digits) >= SENTINEL ? Number.NaN : Number(digits));
/** Cut before it is a number: nanoseconds pass 2^53 after 104 days. */
const wholeMicroseconds = (digits: string): number =>
  Number.isNaN(number(digits)) ? Number.NaN : Number(digits.slice(0, -NANOSECOND_DIGITS));
