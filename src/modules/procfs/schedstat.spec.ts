import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { parseSchedstat } from './schedstat.js';

describe('parseSchedstat', () => {
  it('reads a recorded thread in microseconds', () => {
    expect(parseSchedstat(kernelSample('qemu-7.2-kvm/schedstat'))).toEqual({
      runMicroseconds: 44849,
      waitMicroseconds: 86029,
      timeslices: 119,
    });
  });

  it.each(RECORDED)('refuses every truncation of %s', (recording) => {
    for (const cut of truncations(kernelSample(`${recording}/schedstat`))) expect(parseSchedstat(cut)).toBeNull();
  });

  it.each(['', '\n', '\0', '1 2\n', '1 2 3', '1 2 3\n\n', '1 2 3 4\n', '1 -2 3\n', 'a b c\n', ' 1 2 3\n', '1'.repeat(70_000)])(
    'refuses %j',
    (text) => {
      expect(parseSchedstat(text)).toBeNull();
    },
  );

  it('loses no microsecond of nanoseconds beyond 2^53', () => {
    expect(parseSchedstat('9007199254740993999 999 9007199254740991\n')).toEqual({
      runMicroseconds: 9007199254740992,
      waitMicroseconds: 0,
      timeslices: 9007199254740991,
    });
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1024n }), (nanoseconds) => {
        expect(parseSchedstat(`${nanoseconds} ${nanoseconds} 1\n`)?.waitMicroseconds).toBe(Number(nanoseconds / 1000n));
      }),
    );
  });

  it('takes 2^63 and above for no value', () => {
    expect(parseSchedstat('9223372036854775808 18446744073709551615 18446744073709551615\n')).toEqual({
      runMicroseconds: Number.NaN,
      waitMicroseconds: Number.NaN,
      timeslices: Number.NaN,
    });
  });
});
