import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { parseBlockIoDelay } from './block-io-delay.js';

/** A line of 52 fields whose field n is 1000 + n, but for field 42. */
function line(comm: string, delay: string): string {
  const rest = Array.from({ length: 49 }, (_, i) => (i + 4 === 42 ? delay : String(1004 + i)));
  return `4242 (${comm}) S ${rest.join(' ')}\n`;
}
const ticks = (text: string): number | undefined => parseBlockIoDelay(text)?.blockIoDelayTicks;

describe('delay of block I/O', () => {
  it('is field 42 of the line of a thread', () => {
    expect(ticks(line('worker', '57'))).toBe(57);
    for (const recording of RECORDED) expect(ticks(kernelSample(`${recording}/stat`))).toBe(0);
  });

  it.each(['a b c', 'a) S 1 1 1', ') R 1 1', '))))', 'a\nb', ') Z 1\n', '', '\0\0', ') '])('is not misled by the name %j', (comm) => {
    expect(ticks(line(comm, '57'))).toBe(57);
    for (const cut of truncations(line(comm, '57'))) {
      // What ends in a newline of the name has no field 42.
      expect(ticks(cut)).toBeUndefined();
    }
  });

  it.each(RECORDED)('is not told by %s wherever it is cut', (recording) => {
    for (const cut of truncations(kernelSample(`${recording}/stat`))) expect(ticks(cut)).toBeUndefined();
  });

  it('is exact to 2^53, no number from 2^63 on, and never negative', () => {
    for (const digits of ['0', '9007199254740991', '9007199254740992']) expect(String(ticks(line('x', digits)))).toBe(digits);
    for (const digits of ['9223372036854775808', '18446744073709551615', '9'.repeat(400)]) expect(ticks(line('x', digits))).toBeNaN();
    for (const word of ['-1', 'x', '1x', '', '1.5', '+1', '1e3']) expect(ticks(line('x', word))).toBeUndefined();
  });

  it('is not told by a line of too few fields', () => {
    const words = line('x', '57').slice(0, -1).split(' ');
    for (let fields = 0; fields < 42; fields++) expect(ticks(`${words.slice(0, fields).join(' ')}\n`)).toBeUndefined();
    expect(ticks(`${words.slice(0, 42).join(' ')}\n`)).toBe(57);
  });

  it('is not told by any bytes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(ticks(text)).toBeUndefined();
      }),
    );
  });
});
