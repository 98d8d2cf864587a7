import { SENTINEL } from './numbers.js';

/** Of one thread: time on a CPU and time runnable but waiting for one, in whole microseconds; how often it got a CPU. */
export interface ThreadSchedule {
  runMicroseconds: number;
  waitMicroseconds: number;
  timeslices: number;
}

const LINE = /^(\d+) (\d+) (\d+)\n$/;

/**
 * /proc/<pid>/task/<tid>/schedstat: "run_ns wait_ns timeslices" (kernel, Documentation/scheduler/sched-stats.rst). Nanoseconds pass 2^53
 * after 104 days, so the last three digits go before the text becomes a number.
 * @returns null when the line is cut or holds anything else
 */
export function parseSchedstat(text: string): ThreadSchedule | null {
  const match = LINE.exec(text);
  if (!match) return null;
  const [, run, wait, timeslices] = match;
  return { runMicroseconds: microseconds(run), waitMicroseconds: microseconds(wait), timeslices: number(timeslices) };
}

const microseconds = (nanoseconds: string): number =>
  Number(nanoseconds) >= SENTINEL ? Number.NaN : nanoseconds.length > 3 ? Number(nanoseconds.slice(0, -3)) : 0;
const number = (digits: string): number => (Number(digits) >= SENTINEL ? Number.NaN : Number(digits));
