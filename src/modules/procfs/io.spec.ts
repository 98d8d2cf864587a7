import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inUsedBuffer, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { IO_KEYS, parseIo } from './io.js';

function parse(text: string): number[] | null {
  const out = new Float64Array(IO_KEYS.length).fill(-1);
  return parseIo(...inUsedBuffer(text), out) ? [...out] : null;
}

const text = (values: readonly (number | string)[]): string => IO_KEYS.map((key, i) => `${key}: ${values[i]}\n`).join('');

describe('parseIo', () => {
  it('reads a recorded QEMU', () => {
    expect(parse(kernelSample('qemu-7.2-kvm/io'))).toEqual([14522740, 438, 135, 41, 5965312, 24576, 0]);
  });

  it.each(RECORDED)('refuses every truncation of %s', (recording) => {
    for (const cut of truncations(kernelSample(`${recording}/io`))) expect(parse(cut)).toBeNull();
  });

  it('passes over lines of a later kernel', () => {
    expect(parse(`${text([1, 2, 3, 4, 5, 6, 7])}new_bytes: 8\n`)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('refuses a line that is missing, out of order or no number', () => {
    const good = text([1, 2, 3, 4, 5, 6, 7]);
    for (const key of IO_KEYS) {
      expect(parse(good.replace(new RegExp(`^${key}: .*\n`, 'm'), ''))).toBeNull();
      for (const word of ['', ' ', 'x', '-1', '1 2', '1.5', '\0'])
        expect(parse(good.replace(new RegExp(`^${key}: .`, 'm'), `${key}: ${word}`))).toBeNull();
    }
    expect(parse(good.split('\n').reverse().join('\n'))).toBeNull();
    for (const garbage of ['', '\n', '\0', 'rchar', 'rchar: ', 'rchar: 1', 'x'.repeat(10_000)]) expect(parse(garbage)).toBeNull();
  });

  it('is exact to 2^53 and absent from 2^63 on', () => {
    expect(parse(text(['9007199254740991', '9007199254740992', '9223372036854775808', '18446744073709551615', 0, 1, 2]))).toEqual([
      9007199254740991,
      9007199254740992,
      Number.NaN,
      Number.NaN,
      0,
      1,
      2,
    ]);
  });

  it('reads back any safe integers', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat(), { minLength: 7, maxLength: 7 }), (values) => {
        expect(parse(text(values))).toEqual(values);
      }),
    );
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(parse(Buffer.from(bytes).toString('latin1'))).toBeNull();
      }),
    );
  });
});
