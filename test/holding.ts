import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';

export const PATIENT_MS = 20_000;

/** Waits until something holds that another program, or a later turn of the event loop, brings about. */
export async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + PATIENT_MS;
  while (!holds() && Date.now() < end) await pause(2);
  expect(holds()).toBe(true);
}

/** How often the event loop turned while the work was done. */
export async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work;
  isOver = true;
  return turns;
}
