import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inUsedBuffer, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { STAT_LENGTH, Stat } from '../../model/process.js';
import { parseStat } from './stat.js';

function parse(text: string): { state: number; values: Float64Array } {
  const values = new Float64Array(STAT_LENGTH).fill(-1);
  return { state: parseStat(...inUsedBuffer(text), values), values };
}

/** A line of 52 fields whose field n is 1000 + n but for those given. */
function line(comm: string, fields: Readonly<Record<number, string>> = {}): string {
  const rest = Array.from({ length: 49 }, (_, i) => fields[i + 4] ?? String(1004 + i));
  return `4242 (${comm}) S ${rest.join(' ')}\n`;
}

const WANTED = {
  10: Stat.minorFaults,
  12: Stat.majorFaults,
  14: Stat.userTicks,
  15: Stat.systemTicks,
  20: Stat.threads,
  22: Stat.startTicks,
  23: Stat.virtualBytes,
  43: Stat.guestTicks,
  16: Stat.childUserTicks,
  17: Stat.childSystemTicks,
  24: Stat.residentPages,
};
const EXPECTED = Float64Array.from([1010, 1012, 1014, 1015, 1020, 1022, 1023, 1043, 1016, 1017, 1024]);

describe('parseStat', () => {
  it('reads a recorded QEMU', () => {
    const { state, values } = parse(kernelSample('qemu-7.2-kvm/stat'));
    expect(String.fromCharCode(state)).toBe('S');
    expect([...values]).toEqual([9320, 12, 1, 230, 7, 271431, 604131328, 0, 0, 0, 13922]);
  });

  it('takes each number from its field', () => {
    expect(parse(line('qemu')).values).toEqual(EXPECTED);
  });

  it.each(RECORDED)('refuses every truncation of %s', (recording) => {
    for (const cut of truncations(kernelSample(`${recording}/stat`))) expect(parse(cut).state).toBe(-1);
  });

  it.each([
    'a b c',
    'a) S 1 1 1',
    ') R 1 1',
    '((((',
    '))))',
    'a\nb',
    ') Z 1\n',
    '',
    'x'.repeat(15),
    '\0\0',
    '\xff\xfe',
    ') R 1 2 3 4 5 6',
    ' ',
  ])('is not misled by the name %j', (comm) => {
    const { state, values } = parse(line(comm));
    expect(String.fromCharCode(state)).toBe('S');
    expect(values).toEqual(EXPECTED);
    for (const cut of truncations(line(comm))) expect(parse(cut).state).toBe(-1);
  });

  it('is misled by no name of 15 bytes or less', () => {
    const byte = fc.oneof(
      fc.constantFrom(...') (R10\n'),
      fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    );
    const comm = fc.array(byte, { maxLength: 15 }).map((bytes) => bytes.join(''));
    fc.assert(
      fc.property(comm, (name) => {
        expect(parse(line(name)).values).toEqual(EXPECTED);
        for (let length = 0; length < name.length + 12; length++) expect(parse(line(name).slice(0, length)).state).toBe(-1);
      }),
    );
  });

  it.each(Object.entries(WANTED))('field %s: exact to 2^53, absent from 2^63 on, never negative', (field, slot) => {
    const value = (digits: string): number => parse(line('x', { [field]: digits })).values[slot];
    for (const digits of ['0', '999999999', '1000000000', '4294967296', '9007199254740989', '9007199254740991', '9007199254740992'])
      expect(String(value(digits))).toBe(digits);
    for (const digits of ['9223372036854775808', '18446744073709551615', '9'.repeat(400)]) expect(value(digits)).toBeNaN();
    expect(value('9223372036854774784') / 2 ** 63).toBeCloseTo(1, 14);
    for (const word of ['-1', 'x', '1x', '', '1.5', '+1']) expect(parse(line('x', { [field]: word })).state).toBe(-1);
  });

  it('reads every safe integer exactly', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(parse(line('x', { 14: String(value) })).values[Stat.userTicks]).toBe(value);
      }),
    );
  });

  it('refuses a whole line of too few fields', () => {
    for (let fields = 1; fields < 23; fields++) expect(parse(`${line('x').split(' ').slice(0, fields).join(' ')}\n`).state).toBe(-1);
  });

  it('leaves the guest time of an old kernel empty', () => {
    const { state, values } = parse(`${line('x').split(' ').slice(0, 42).join(' ')}\n`);
    expect(state).toBeGreaterThan(0);
    expect(values[Stat.guestTicks]).toBeNaN();
    expect(values.slice(0, 7)).toEqual(EXPECTED.slice(0, 7));
  });

  it('survives any bytes', () => {
    for (const text of ['', '\n', '\0', ')\n', '1 (x) S\n', 'x'.repeat(70_000)]) expect(parse(text).state).toBe(-1);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { state, values } = parse(Buffer.from(bytes).toString('latin1'));
        if (state >= 0) for (const value of values) expect(Number.isNaN(value) || value >= 0).toBe(true);
      }),
    );
  });
});
