import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { parseLimits } from './limits.js';

const RECORDING = kernelSample('qemu-7.2-kvm/limits');
const UNLIMITED = Number.POSITIVE_INFINITY;
const endOf = (name: string): number => RECORDING.indexOf('\n', RECORDING.indexOf(name)) + 1;
const withSoftLimit = (soft: string, name = 'Max open files'): string =>
  RECORDING.replace(new RegExp(`^(${name} +)\\S+ `, 'm'), (_, before) => `${before}${soft} `);

describe('parseLimits', () => {
  it('reads the soft limits of open files and of address space', () => {
    expect(parseLimits(RECORDING)).toEqual({ maxOpenFiles: 20000, maxAddressSpaceBytes: UNLIMITED });
    expect(parseLimits(withSoftLimit('0'))?.maxOpenFiles).toBe(0);
    expect(parseLimits(withSoftLimit('unlimited'))?.maxOpenFiles).toBe(UNLIMITED);
    expect(parseLimits(withSoftLimit('4294967296', 'Max address space'))?.maxAddressSpaceBytes).toBe(2 ** 32);
    expect(parseLimits(withSoftLimit('18446744073709547520', 'Max address space'))?.maxAddressSpaceBytes).toBe(2 ** 64 - 4096);
  });

  it.each(RECORDED)('gives the right limits or none for every truncation of %s', (recording) => {
    for (const cut of truncations(kernelSample(`${recording}/limits`))) {
      const space = cut.length < endOf('Max address space') ? Number.NaN : UNLIMITED;
      expect(parseLimits(cut)).toEqual(cut.length < endOf('Max open files') ? null : { maxOpenFiles: 20000, maxAddressSpaceBytes: space });
    }
  });

  it('takes what is no limit for none', () => {
    for (const soft of ['18446744073709551615', '9223372036854775808', '-1', 'x', '1x', ''])
      expect(parseLimits(withSoftLimit(soft))).toBeNull();
    for (const soft of ['118446744073709551615', '-1', 'x', '1x', ''])
      expect(parseLimits(withSoftLimit(soft, 'Max address space'))?.maxAddressSpaceBytes).toBeNaN();
    for (const text of ['', '\n', '\0', 'Max open files', 'x'.repeat(70_000), ' '.repeat(70_000)]) expect(parseLimits(text)).toBeNull();
    fc.assert(fc.property(anyText, (text) => parseLimits(text) === null));
  });
});
