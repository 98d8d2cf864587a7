import { describe, expect, it } from 'vitest';
import { parseCount, parseDescriptor, parseSize } from './quantities.js';

const MIB = 1024 * 1024;

describe('parseSize', () => {
  it.each([
    ['128', MIB, 128 * MIB],
    ['128', 1, 128],
    ['2G', MIB, 2048 * MIB],
    ['2g', 1, 2048 * MIB],
    ['131072k', MIB, 128 * MIB],
    ['1.5G', 1, 1536 * MIB],
    ['1T', 1, 1024 * 1024 * MIB],
    ['1048576b', MIB, MIB],
    ['0', 1, undefined],
    ['-1', 1, undefined],
    ['', 1, undefined],
    ['1e9', 1, undefined],
    ['2GB', 1, undefined],
    ['8P', 1, undefined],
    ['18446744073709551615', 1, undefined],
    ['9999999999999999', MIB, undefined],
    [undefined, 1, undefined],
  ])('%s in units of %i', (text, unit, expected) => {
    expect(parseSize(text, unit)).toBe(expected);
  });
});

describe('counts and descriptors', () => {
  it('are decimal and not absurd', () => {
    expect(['1', '254', '0', '-1', '65536', '99999999999999999999', 'NaN', '', undefined].map(parseCount)).toEqual([
      1,
      254,
      ...Array(7).fill(undefined),
    ]);
    expect(['0', '31', 'net0fd', '', undefined].map(parseDescriptor)).toEqual([0, 31, undefined, undefined, undefined]);
  });
});
