import { HostError } from './host-error.js';

/**
 * Waits no longer than the deadline. What was waited for goes on in the background and its result is dropped: a read that hangs in
 * the kernel keeps one thread-pool thread until it returns, which nobody can prevent.
 * @throws HostError ETIMEDOUT
 */
export async function withDeadline<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HostError('ETIMEDOUT', `${what} took longer than ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/**
 * Asks how many milliseconds are left, again and again. At least 1: what takes a deadline takes 0 for none.
 * @param until on the clock of `now`, monotonic
 */
export const timeLeft =
  (until: number, now = () => performance.now()): (() => number) =>
  () =>
    Math.max(1, until - now());

/** Waits until all of it is settled, but no longer than the deadline; it never rejects, whatever became of the work. */
export async function settledWithin(works: readonly Promise<unknown>[], deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([Promise.allSettled(works), late]);
  clearTimeout(timer);
}
