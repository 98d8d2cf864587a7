import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inUsedBuffer, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { parseNumberLine } from './numbers.js';

function parse(text: string, count = 3): number[] | null {
  const out = new Float64Array(count).fill(-1);
  return parseNumberLine(...inUsedBuffer(text), out, count) ? [...out] : null;
}

describe('parseNumberLine', () => {
  it('reads a recorded statm', () => {
    expect(parse(kernelSample('qemu-7.2-kvm/statm'))).toEqual([147493, 13894, 5537]);
    expect(parse(kernelSample('qemu-7.2-libvirt-style/statm'))).toEqual([391226, 55801, 33704]);
  });

  it.each(RECORDED)('refuses every truncation of the statm of %s', (recording) => {
    for (const cut of truncations(kernelSample(`${recording}/statm`))) expect(parse(cut)).toBeNull();
  });

  it.each([
    '',
    '\n',
    ' \n',
    '1\n',
    '1 2\n',
    '1 2 \n',
    '1 2 x\n',
    '1  2 3\n',
    ' 1 2 3\n',
    '1 -2 3\n',
    '1 2 3',
    '1\t2\t3\n',
    '\0\0\0\n',
    '1 2 3.5\n',
  ])('refuses %j', (text) => {
    expect(parse(text)).toBeNull();
  });

  it('is exact to 2^53 and absent from 2^63 on', () => {
    expect(parse('9007199254740990 9007199254740991 9007199254740992\n')).toEqual([9007199254740990, 9007199254740991, 9007199254740992]);
    expect(parse(`9223372036854775808 18446744073709551615 ${'9'.repeat(400)}\n`)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it('reads back any safe integers, and refuses all their truncations', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat(), { minLength: 3, maxLength: 7 }), (values) => {
        const text = `${values.join(' ')}\n`;
        expect(parse(text)).toEqual(values.slice(0, 3));
        for (const cut of truncations(text)) expect(parse(cut)).toBeNull();
      }),
    );
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const value of parse(Buffer.from(bytes).toString('latin1')) ?? []) expect(Number.isNaN(value) || value >= 0).toBe(true);
      }),
    );
    expect(parse('1'.repeat(70_000))).toBeNull();
  });
});
