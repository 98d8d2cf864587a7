import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 60_000;
const STEP_MS = 20;

/** Looks again and again until there is something to see. @param told what to say when there never is. @throws after a minute */
export async function until<T>(look: () => T | undefined | Promise<T | undefined>, told: () => string): Promise<T> {
  const end = performance.now() + LIMIT_MS;
  while (performance.now() < end) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await sleep(STEP_MS);
  }
  throw new Error(`waited in vain: ${told()}`);
}
