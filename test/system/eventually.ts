import { setTimeout as pause } from 'node:timers/promises';

/** No test here is about speed, and the machine may be busy. */
const PATIENCE_MS = 60_000;
const BETWEEN_MS = 25;

/** Thrown by a probe when waiting longer cannot help. */
export class Hopeless extends Error {}

/**
 * Waits for a condition: the first answer that is neither undefined nor false.
 * @throws Error with what was waited for and the last complaint
 */
export async function eventually<T>(what: string, probe: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  const end = Date.now() + PATIENCE_MS;
  let complaint = 'it did not hold';
  while (Date.now() < end) {
    try {
      const answer = await probe();
      // What is left of T after the check; the compiler does not narrow a type parameter so far.
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      complaint = error instanceof Error ? error.message : String(error);
    }
    await pause(BETWEEN_MS);
  }
  throw new Error(`waited in vain for: ${what} (${complaint})`);
}
