import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { parseLimits } from './limits.js';

const RECORDING = kernelSample('qemu-7.2-kvm/limits');
const LINE_END = RECORDING.indexOf('\n', RECORDING.indexOf('Max open files')) + 1;
const withSoftLimit = (soft: string): string => RECORDING.replace(/^(Max open files +)\S+ /m, (_, name) => `${name}${soft} `);

describe('parseLimits', () => {
  it('reads the soft limit of open files', () => {
    expect(parseLimits(RECORDING)).toEqual({ maxOpenFiles: 20000 });
    expect(parseLimits(withSoftLimit('0'))).toEqual({ maxOpenFiles: 0 });
    expect(parseLimits(withSoftLimit('unlimited'))).toEqual({ maxOpenFiles: Number.POSITIVE_INFINITY });
  });

  it.each(RECORDED)('gives the right limit or none for every truncation of %s', (recording) => {
    const text = kernelSample(`${recording}/limits`);
    for (const cut of truncations(text)) expect(parseLimits(cut)).toEqual(cut.length < LINE_END ? null : { maxOpenFiles: 20000 });
  });

  it('takes what is no limit for none', () => {
    for (const soft of ['18446744073709551615', '9223372036854775808', '-1', 'x', '1x', ''])
      expect(parseLimits(withSoftLimit(soft))).toBeNull();
    for (const text of ['', '\n', '\0', 'Max open files', 'x'.repeat(70_000), ' '.repeat(70_000)]) expect(parseLimits(text)).toBeNull();
    fc.assert(fc.property(anyText, (text) => parseLimits(text) === null));
  });
});
