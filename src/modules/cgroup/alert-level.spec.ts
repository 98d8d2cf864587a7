import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlertLevel, CLEAR_POINTS, type Thresholds } from './alert-level.js';

const DEFAULT: Thresholds = [80, 90, 95];
const levels = (samples: readonly number[], thresholds = DEFAULT): number[] => {
  const level = new AlertLevel();
  return samples.map((percent) => level.take(percent, thresholds));
};
const none = Number.NaN;

describe('the alert level', () => {
  it('is 0 below the first threshold, and after one sample above any', () => {
    expect(levels([0, 79.9999, 200])).toEqual([0, 0, 0]);
  });

  it('rises after two samples in a row, to what both have reached', () => {
    expect(levels([80, 80])).toEqual([0, 1]);
    expect(levels([80, 120])).toEqual([0, 1]);
    expect(levels([120, 90, 95, 95])).toEqual([0, 2, 2, 3]);
    expect(levels([96, 50, 96, 50])).toEqual([0, 0, 0, 0]);
  });

  it('falls with one sample, 5 points below the threshold, as far as that goes', () => {
    const up = [99, 99];
    expect(levels([...up, 90, 89.9999])).toEqual([0, 3, 3, 2]);
    expect(levels([...up, 85, 84])).toEqual([0, 3, 2, 1]);
    expect(levels([...up, 84, 75, 74])).toEqual([0, 3, 1, 1, 0]);
    expect(levels([...up, 0])).toEqual([0, 3, 0]);
  });

  it('is not known where the utilization is not, and goes on where it was', () => {
    expect(levels([none, 99, none, 99, 99])).toEqual([none, 0, none, 0, 3]);
    expect(levels([99, 99, none, 91])).toEqual([0, 3, none, 3]);
  });

  it('begins anew without a limit', () => {
    const level = new AlertLevel();
    for (const percent of [99, 99]) level.take(percent, DEFAULT);
    level.reset();
    expect(level.take(91, DEFAULT)).toBe(0);
  });

  it('takes thresholds that are equal, and others from one sample to the next', () => {
    expect(levels([80, 80], [80, 80, 80])).toEqual([0, 3]);
    const level = new AlertLevel();
    for (const percent of [60, 60]) level.take(percent, [50, 70, 90]);
    expect(level.take(60, [50, 70, 90])).toBe(1);
    expect(level.take(60, DEFAULT)).toBe(0);
  });

  const percent = fc.double({ min: 0, max: 200, noNaN: true });
  const thresholds = fc.tuple(...([0, 1, 2] as const).map(() => fc.integer({ min: 1, max: 150 }))).map(([a, b, c]): Thresholds => {
    const [first, second, third] = [a, b, c].sort((x, y) => x - y);
    return [first, second, third];
  });

  it('never rises above what the last two have reached, never stays where the margin is passed', () => {
    fc.assert(
      fc.property(fc.array(percent, { minLength: 2 }), thresholds, (samples, bounds) => {
        const told = levels(samples, bounds);
        const reached = (value: number): number => bounds.filter((bound) => value >= bound).length;
        told.forEach((level, i) => {
          const before = i === 0 ? 0 : told[i - 1];
          const both = i === 0 ? 0 : Math.min(reached(samples[i - 1]), reached(samples[i]));
          expect(level).toBeGreaterThanOrEqual(both);
          if (level > before) expect(level).toBe(both);
          if (level > 0) expect(samples[i]).toBeGreaterThanOrEqual(bounds[level - 1] - CLEAR_POINTS);
          if (level < before) expect(samples[i]).toBeLessThan(bounds[before - 1] - CLEAR_POINTS);
        });
      }),
    );
  });

  it('does not flap at an edge: within the margin it changes once at most', () => {
    const edge = fc.constantFrom(...DEFAULT);
    const jitter = fc.array(fc.double({ min: -CLEAR_POINTS, max: CLEAR_POINTS - 0.001, noNaN: true }), { minLength: 2 });
    fc.assert(
      fc.property(edge, jitter, (threshold, offsets) => {
        // One threshold alone: margins of the others overlap.
        const told = levels(
          offsets.map((offset) => threshold + offset),
          [threshold, 1000, 1000],
        );
        expect(told.filter((level, i) => i > 0 && level !== told[i - 1]).length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
