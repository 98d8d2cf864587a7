import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { parseSmapsRollup } from './smaps-rollup.js';

const RECORDING = kernelSample('qemu-7.2-kvm/smaps_rollup');

describe('parseSmapsRollup', () => {
  it('reads the proportional set size in bytes, not one of its parts', () => {
    expect(parseSmapsRollup(RECORDING)).toEqual({ pssBytes: 53407 * 1024 });
    expect(parseSmapsRollup(RECORDING.replace(/^Pss: .*\n/m, ''))).toBeNull();
  });

  it.each(RECORDED)('gives the right size or none for every truncation of %s', (recording) => {
    const text = kernelSample(`${recording}/smaps_rollup`);
    const whole = parseSmapsRollup(text);
    for (const cut of truncations(text)) expect([null, whole]).toContainEqual(parseSmapsRollup(cut));
  });

  it('takes what is no size for none', () => {
    for (const size of ['18446744073709551615', '9223372036854775808', '-1', 'x', ''])
      expect(parseSmapsRollup(RECORDING.replace(/^(Pss: +)\d+/m, (_, name) => name + size))).toBeNull();
    for (const text of ['', '\n', '\0', 'kB\n', 'Pss: 1 kB', 'x'.repeat(70_000)]) expect(parseSmapsRollup(text)).toBeNull();
    fc.assert(fc.property(anyText, (text) => parseSmapsRollup(text) === null));
  });
});
