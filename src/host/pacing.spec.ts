import { describe, expect, it } from 'vitest';
import { type Asked, isDue, pauseMs, spread } from './pacing.js';

const INTERVAL_MS = 15_000;
const MIDDLE = 0.5;
const asked = (inRow = 0): Asked => ({ askedAt: 0, inRow, phase: 0 });
const never = (phase: number): Asked => ({ askedAt: null, inRow: 0, phase });

describe('the pause before a question', () => {
  it('is spread over two seconds before the first, or over a shorter interval', () => {
    expect([0, 0.25, 1].map((phase) => pauseMs(never(phase), INTERVAL_MS, MIDDLE))).toEqual([0, 500, 2000]);
    expect(pauseMs(never(1), 100, MIDDLE)).toBe(100);
  });

  it('doubles with each question that is not answered, to five minutes at most', () => {
    const pauses = Array.from({ length: 7 }, (_, inRow) => pauseMs(asked(inRow), INTERVAL_MS, MIDDLE));
    expect(pauses).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
    expect(pauseMs(asked(10_000), INTERVAL_MS, MIDDLE)).toBe(300_000);
  });

  it('is not the same for all', () => {
    expect([pauseMs(asked(), 1000, 0), pauseMs(asked(), 1000, 1)]).toEqual([900, 1100]);
  });

  it('is never shorter than what was configured, however long that is, nor longer than a timer can be', () => {
    expect(pauseMs(asked(1), 600_000, MIDDLE)).toBe(600_000);
    expect(pauseMs(asked(), 2 ** 31 - 1, 1)).toBe(2 ** 31 - 1);
  });
});

describe('a turn among several that are asked at an interval', () => {
  it('has come where nobody was asked yet, and where all is well', () => {
    expect([isDue(never(0), INTERVAL_MS, 0), isDue(asked(), INTERVAL_MS, 1)]).toEqual([true, true]);
  });

  it('has come for one that did not answer when its pause is over, to the nearest interval', () => {
    // A pause of two intervals, a tenth shorter for nobody's chance.
    const due = 2 * INTERVAL_MS * 0.9 - INTERVAL_MS / 2;
    expect([isDue(asked(1), INTERVAL_MS, due - 1), isDue(asked(1), INTERVAL_MS, due)]).toEqual([false, true]);
  });
});

it('places are spread evenly: of any ten in a row each fifth of the whole has one to three', () => {
  for (let first = 0; first < 1000; first += 7) {
    const fifths = Array.from({ length: 10 }, (_, i) => Math.floor(5 * spread(first + i)));
    for (let fifth = 0; fifth < 5; fifth++) {
      const count = fifths.filter((one) => one === fifth).length;
      expect(count >= 1 && count <= 3).toBe(true);
    }
  }
});
