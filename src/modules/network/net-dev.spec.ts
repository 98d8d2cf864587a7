import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, inUsedBuffer, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { hostCounters } from './direction.js';
import { nameEnd, nameStart, parseCounters } from './net-dev.js';

/** Interfaces with their numbers, line by line as the house goes through the table. */
function parse(table: string): Record<string, number[]> {
  const [bytes, length] = inUsedBuffer(table);
  const found: Record<string, number[]> = {};
  for (let start = 0; start < length; ) {
    const end = bytes.indexOf(10, start);
    if (end < 0 || end >= length) break;
    const colon = nameEnd(bytes, start, end);
    const counters = hostCounters();
    if (colon > 0 && parseCounters(bytes, colon, end, counters))
      found[bytes.toString('latin1', nameStart(bytes, start, colon), colon)] = [...counters];
    start = end + 1;
  }
  return found;
}

/** Of what no column tells. */
const NONE = Number.NaN;
const line = (name: string, numbers: readonly (number | string)[]): string => `${name}: ${numbers.join(' ')}\n`;
const NUMBERS = Array.from({ length: 16 }, (_, i) => i + 1);

describe('/proc/net/dev', () => {
  it('is read as recorded', () => {
    expect(parse(kernelSample('qemu-7.2-kvm/net-dev'))).toEqual({
      lo: [4661841257, 3984299, 0, 0, 0, 4661841257, 3984299, 0, 0, NONE],
      ifb0: [0, 0, 0, 0, 0, 0, 0, 0, 0, NONE],
      ifb1: [0, 0, 0, 0, 0, 0, 0, 0, 0, NONE],
      eth0: [1733622677, 57360, 0, 0, 0, 4720643, 36315, 0, 0, NONE],
      exptap0: [1146410, 1477, 0, 0, 0, 57782670, 1543, 0, 4, NONE],
    });
  });

  it.each(RECORDED)('gives for every truncation of %s the right numbers or none', (recording) => {
    const text = kernelSample(`${recording}/net-dev`);
    const whole = parse(text);
    for (const cut of truncations(text)) for (const [name, numbers] of Object.entries(parse(cut))) expect(numbers).toEqual(whole[name]);
  });

  it('takes each counter from its column', () => {
    expect(parse(line('tap0', NUMBERS))).toEqual({ tap0: [1, 2, 3, 4, 8, 9, 10, 11, 12, NONE] });
  });

  it.each(['a', '123456789012345', 'a:b', 'eth0.100', 'tap\xc3\xa9', '-1', 'rx:1', '1:'])('knows the name %j', (name) => {
    expect(parse(`  ${line(name, NUMBERS)}`)).toEqual({ [name]: [1, 2, 3, 4, 8, 9, 10, 11, 12, NONE] });
  });

  it('needs no blank between name and counters', () => {
    expect(parse('tap0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n')).toEqual({ tap0: [1, 2, 3, 4, 8, 9, 10, 11, 12, NONE] });
  });

  it('is exact to 2^53, and absent from 2^63 on', () => {
    const numbers = NUMBERS.map(String);
    numbers[0] = '9007199254740991';
    numbers[8] = '9007199254740992';
    numbers[1] = '9223372036854775808';
    numbers[9] = '18446744073709551615';
    expect(parse(line('tap0', numbers))).toEqual({ tap0: [9007199254740991, NONE, 3, 4, 8, 9007199254740992, NONE, 11, 12, NONE] });
  });

  it('refuses a line that holds anything but numbers, or too few', () => {
    for (let count = 0; count < 12; count++) expect(parse(line('tap0', NUMBERS.slice(0, count)))).toEqual({});
    for (let column = 0; column < 12; column++) {
      for (const word of ['x', '-1', '1x', '1.5', '\0', '1\t'])
        expect(
          parse(
            line(
              'tap0',
              NUMBERS.with(column, Number.NaN).map((n) => (Number.isNaN(n) ? word : n)),
            ),
          ),
        ).toEqual({});
    }
  });

  it('survives any bytes', () => {
    for (const text of ['', '\n', ':', ':\n', '::::\n', ' \n', '\0', 'x'.repeat(70_000), ':'.repeat(70_000)])
      expect(parse(text)).toEqual({});
    fc.assert(
      fc.property(anyText, (text) => {
        for (const numbers of Object.values(parse(text))) for (const value of numbers) expect(Number.isNaN(value) || value >= 0).toBe(true);
      }),
    );
  });
});
