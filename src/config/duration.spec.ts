import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.js';

describe('durations', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['2s', 2000],
    ['1m', 60_000],
    ['1m30s', 90_000],
    ['1h', 3_600_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['90s', 90_000],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each(['', '5', '1.5s', '-1s', '1s1m', '1s1s', '1 s', '1S', 's', '1w', '1234567890s', '1s\n', '٣s'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('writes what it reads back', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
      }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseDuration(text);
        expect(parsed === undefined || Number.isSafeInteger(parsed)).toBe(true);
      }),
    );
  });
});
