import { SENTINEL } from './numbers.js';

/** Of one thread: how long it waited for block I/O to end. */
export interface ThreadBlockIoDelay {
  blockIoDelayTicks: number;
}

/** Place of delayacct_blkio_ticks, field 42 of proc_pid_stat(5), among the fields after comm, the first of which is 3. */
const PLACE = 42 - 3;
const DIGITS = /^\d+$/;

/**
 * Delay of block I/O in /proc/<pid>/task/<tid>/stat, in clock ticks. The line of the process itself has that of its main thread alone.
 * @returns null when the line is cut or is no stat line
 */
export function parseBlockIoDelay(text: string): ThreadBlockIoDelay | null {
  // comm may hold spaces, newlines and ')': the fields start after the last one.
  const comm = text.lastIndexOf(') ');
  if (comm < 0 || !text.endsWith('\n')) return null;
  const field = text.slice(comm + 2, -1).split(' ')[PLACE];
  if (field === undefined || !DIGITS.test(field)) return null;
  return { blockIoDelayTicks: Number(field) < SENTINEL ? Number(field) : Number.NaN };
}
