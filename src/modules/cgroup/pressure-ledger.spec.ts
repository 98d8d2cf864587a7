import fc from 'fast-check';
import { beforeEach, expect, it } from 'vitest';
import { ALL_LENGTH } from './pressure-files.js';
import { PressureLedger } from './pressure-ledger.js';
import { STALL_LENGTH, TOTAL } from './pressure-text.js';

const TOTALS = Array.from({ length: ALL_LENGTH / STALL_LENGTH }, (_, i) => TOTAL + i * STALL_LENGTH);
const AVERAGE = 17;

let ledger: PressureLedger;
beforeEach(() => {
  ledger = new PressureLedger();
});

/** What becomes of a reading with these times; averages are left as they are. */
function count(...times: readonly number[]): number[] {
  const reading = new Float64Array(ALL_LENGTH).fill(AVERAGE);
  for (const [i, at] of TOTALS.entries()) reading[at] = times[i] ?? Number.NaN;
  ledger.count(reading);
  expect(reading.filter((_, at) => !TOTALS.includes(at)).every((value) => value === AVERAGE)).toBe(true);
  return TOTALS.slice(0, times.length).map((at) => reading[at]);
}

it('begins with what the cgroup had counted', () => {
  expect(count(100, 7)).toEqual([100, 7]);
  expect(count(105, 7)).toEqual([105, 7]);
});

it('counts of another cgroup only what that counts from then on', () => {
  count(100);
  ledger.moved();
  expect(count(5000)).toEqual([100]);
  expect(count(5001)).toEqual([101]);
});

it('keeps apart what is not told from 0, and goes on when it is told again', () => {
  expect(count(100, Number.NaN)).toEqual([100, Number.NaN]);
  expect(count(Number.NaN, 3)).toEqual([Number.NaN, 3]);
  expect(count(130, 4)).toEqual([130, 4]);
});

it('never goes back, and never counts more than was waited', () => {
  const turn = fc.record({ moves: fc.boolean(), time: fc.nat(1000) });
  fc.assert(
    fc.property(fc.nat(1000), fc.array(turn), (first, turns) => {
      ledger = new PressureLedger();
      let [before] = count(first);
      let most = first;
      let last = first;
      for (const { moves, time } of turns) {
        if (moves) ledger.moved();
        else most += Math.max(0, time - last);
        last = time;
        const [now] = count(time);
        expect(now).toBeGreaterThanOrEqual(before);
        expect(now).toBe(most);
        before = now;
      }
    }),
  );
});
