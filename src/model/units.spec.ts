import { expect, it } from 'vitest';
import * as units from './units.js';

it('changes units', () => {
  expect(units.kibToBytes(3)).toBe(3072);
  expect(units.bytesToKib(3072)).toBe(3);
  expect(units.mibToBytes(2)).toBe(2097152);
  expect(units.ticksToSeconds(2994)).toBe(29.94);
  expect(units.ticksToMilliseconds(2994)).toBe(29940);
  expect(units.millisecondsToSeconds(1500)).toBe(1.5);
  expect(units.microsecondsToSeconds(1)).toBe(1e-6);
  expect(units.secondsToMilliseconds(0.5)).toBe(500);
});

it('writes an instant in RFC 3339, and null for none', () => {
  expect(units.timestamp(0)).toBe('1970-01-01T00:00:00.000Z');
  for (const unknown of [null, Number.NaN, Number.POSITIVE_INFINITY]) expect(units.timestamp(unknown)).toBeNull();
});
