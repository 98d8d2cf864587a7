import { describe, expect, it } from 'vitest';
import { bytes, bytesPerSecond, cores, count, some, UNKNOWN } from './readable.js';

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [12_900, '12.6 KiB'],
    [2 ** 30, '1 GiB'],
    [3.2e9, '2.98 GiB'],
    [2 ** 53, '8 PiB'],
    [2 ** 63, '8192 PiB'],
  ])('%d bytes are %s', (value, text) => {
    expect(bytes(value)).toBe(text);
  });

  it('is a dash for what is not known, and 0 for 0', () => {
    expect([bytes(null), bytesPerSecond(null), cores(null), count(null)]).toEqual([UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]);
    expect([bytes(0), bytesPerSecond(0), cores(0), count(0)]).toEqual(['0 B', '0 B/s', '0.00', '0']);
  });

  it('shows a rate below one byte a second as whole bytes', () => {
    expect(bytesPerSecond(0.4)).toBe('0 B/s');
  });

  it('counts things', () => {
    expect([some(0, 'entry', 'entries'), some(1, 'entry', 'entries'), some(3120, 'machine')]).toEqual([
      '0 entries',
      '1 entry',
      '3,120 machines',
    ]);
  });
});
