import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText } from '../../../../test/kernel-samples.js';
import { parseCpuList } from './cpu-list.js';

describe('a list of CPUs', () => {
  it.each([
    ['0\n', [0]],
    ['0-3\n', [0, 1, 2, 3]],
    ['0-1,4,6-7\n', [0, 1, 4, 6, 7]],
    ['8191\n', [8191]],
  ] as const)('%j', (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });

  it.each(['', '\n', '0-3', '3-1\n', '0,0\n', '2,1\n', '0-8192\n', '0-99999\n', '-1\n', '0-\n', '0, 1\n', 'a\n', '0-1-2\n'])(
    'is not %j',
    (text) => {
      expect(parseCpuList(text)).toBeNull();
    },
  );

  it('survives anything', () => {
    fc.assert(fc.property(anyText, (text) => (parseCpuList(text)?.length ?? 0) <= 8192));
  });
});
