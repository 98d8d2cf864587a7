import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, inUsedBuffer, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { eachInterface, NET_DEV_ITEMS, parseItems } from './net-dev-items.js';

const RECORDING = kernelSample('qemu-7.2-kvm/net-dev');

/** Interfaces by name, or null for a text that is no table; an interface whose line does not parse is null. */
function interfaces(text: string): Record<string, number[] | null> | null {
  const [bytes, length] = inUsedBuffer(text);
  const found: Record<string, number[] | null> = {};
  const out = new Float64Array(NET_DEV_ITEMS.length);
  const whole = eachInterface(bytes, length, (line) => {
    found[bytes.toString('latin1', line.start, line.colon)] = parseItems(bytes, line, out) ? [...out] : null;
  });
  return whole ? found : null;
}

/** The table of a recording by plain splitting. */
const expected = (text: string): Record<string, number[]> =>
  Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.includes(':'))
      .map((line) => {
        const [name, counters] = line.split(':');
        return [name.trim(), counters.trim().split(/ +/).map(Number)];
      }),
  );

const COUNTERS = '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16';

describe('a table of interfaces', () => {
  it.each(RECORDED)('of %s is read whole', (recording) => {
    const text = kernelSample(`${recording}/net-dev`);
    expect(Object.keys(expected(text)).length).toBeGreaterThan(1);
    expect(interfaces(text)).toEqual(expected(text));
  });

  it('names its columns as Kata does', () => {
    const head = RECORDING.split('\n')[1].split('|').slice(1);
    const words = head.flatMap((half, side) =>
      half
        .trim()
        .split(/ +/)
        .map((word) => `${side === 0 ? 'recv' : 'sent'}_${word}`),
    );
    expect(words).toEqual([...NET_DEV_ITEMS]);
  });

  it.each(RECORDED)('of %s gives whole lines or nothing, wherever it is cut', (recording) => {
    const text = kernelSample(`${recording}/net-dev`);
    for (const cut of truncations(text)) {
      expect(interfaces(cut)).toEqual(cut.endsWith('\n') ? expected(cut) : null);
    }
  });

  it('may hold names of any bytes but blanks and slashes', () => {
    for (const name of ['a:1', ':', 'x|y', '\xff\xfe', '0'])
      expect(interfaces(`${RECORDING}${name}: ${COUNTERS}\n`)).toHaveProperty([name], COUNTERS.split(' ').map(Number));
    expect(interfaces(`    : ${COUNTERS}\n`)).toEqual({});
  });

  it('has no number for a counter that the driver does not have', () => {
    const sentinel = COUNTERS.replace('9', '18446744073709551615').replace(' 2 ', ' 9223372036854775808 ');
    expect(interfaces(`eth0: ${sentinel}\n`)?.eth0?.map(Number.isNaN)).toEqual(NET_DEV_ITEMS.map((_, item) => item === 1 || item === 8));
    expect(interfaces(`eth0: ${COUNTERS.replace('16', '9007199254740991')}\n`)?.eth0?.[15]).toBe(2 ** 53 - 1);
  });

  it('refuses a line of fewer or more counters, or of anything else', () => {
    for (const counters of ['', '1', COUNTERS.slice(0, -3), `${COUNTERS} 17`, `${COUNTERS}x`, COUNTERS.replace('5', '-5'), `x ${COUNTERS}`])
      expect(interfaces(`eth0: ${counters}\n`)).toEqual({ eth0: null });
    expect(interfaces(`eth0:${COUNTERS}   \n`)?.eth0).toHaveLength(16);
  });

  it('is none of any text', () => {
    for (const text of ['', '\n', ':\n', 'x'.repeat(70_000), ':'.repeat(70_000)]) {
      const found = interfaces(text);
      expect(found === null || Object.values(found).every((one) => one === null)).toBe(true);
    }
    fc.assert(fc.property(anyText, (text) => Object.values(interfaces(text) ?? {}).every((one) => one === null)));
  });
});
