import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_NUMBER_BYTES, putDouble, putFixed, putInteger, putText } from './digits.js';

/** What the writer put into a buffer, not at its start; it may use the room it asks for and no more. */
function written(put: (out: Uint8Array, at: number) => number): string {
  const out = Buffer.alloc(3 + MAX_NUMBER_BYTES + 3, '#');
  const end = put(out, 3);
  expect(out.toString('latin1', 0, 3) + out.toString('latin1', 3 + MAX_NUMBER_BYTES)).toBe('######');
  expect(end).toBeLessThanOrEqual(3 + MAX_NUMBER_BYTES);
  return out.toString('latin1', 3, end);
}

const integer = (value: number): string => written((out, at) => putInteger(out, at, value));
const fixed = (value: number, decimals: number): string => written((out, at) => putFixed(out, at, value, decimals));

/** value × 10^-decimals in decimal, without trailing zeros, by whole-number arithmetic. */
function decimal(value: bigint, decimals: number): string {
  const unit = 10n ** BigInt(decimals);
  const fraction = (value % unit).toString().padStart(decimals, '0').replace(/0+$/, '');
  return `${value / unit}${decimals > 0 && fraction !== '' ? `.${fraction}` : ''}`;
}

/** Whole numbers up to 2^53, of every length. */
const exact = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.nat(1000),
  fc.integer({ min: 0, max: 53 }).map((power) => 2 ** power),
);
const EDGES = [
  0,
  1,
  9,
  10,
  99,
  100,
  999_999_999,
  1_000_000_000,
  1_000_000_001,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  1e15,
  1e15 - 1,
  2 ** 53 - 2,
  2 ** 53 - 1,
  2 ** 53,
];

describe('putInteger', () => {
  it.each(EDGES)('spells %d as BigInt does', (value) => {
    expect(integer(value)).toBe(BigInt(value).toString());
  });

  it('spells every whole number up to 2^53 as BigInt does', () => {
    fc.assert(
      fc.property(exact, (value) => integer(value) === BigInt(value).toString()),
      { numRuns: 1000 },
    );
  });

  it('gives the double’s own digits above, and never more than there is room for', () => {
    expect(integer(2 ** 63)).toBe('9223372036854775808');
    expect(integer(2 ** 64)).toBe('18446744073709551616');
    for (const value of [1e21, 1e31, 1e300, Number.MAX_VALUE]) expect(Number(integer(value))).toBe(value);
    expect(integer(Number.POSITIVE_INFINITY)).toBe('+Inf');
  });
});

describe('putFixed', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])('spells any whole number with %d decimals without trailing zeros', (decimals) => {
    for (const value of EDGES) expect(fixed(value, decimals)).toBe(decimal(BigInt(value), decimals));
    fc.assert(
      fc.property(exact, (value) => {
        expect(fixed(value, decimals)).toBe(decimal(BigInt(value), decimals));
      }),
    );
  });

  it('is what the same number in JSON becomes when it is read', () => {
    fc.assert(fc.property(fc.nat(), fc.nat(9), (value, decimals) => Number(fixed(value, decimals)) === value / 10 ** decimals));
  });

  it('has no negative zero', () => {
    expect(fixed(-0, 2)).toBe('0');
  });
});

describe('putDouble', () => {
  it('spells any double so that it is read back as the same', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(written((out, at) => putDouble(out, at, value))) === value).toBe(true);
      }),
    );
  });

  it.each([
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [-5e-324, '-5e-324'],
    [0.1, '0.1'],
    [2 ** 53, '9007199254740992'],
    [2 ** 64, '1.8446744073709552e+19'],
  ])('spells %d as both formats do', (value, spelling) => {
    expect(written((out, at) => putDouble(out, at, value))).toBe(spelling);
  });
});

it('putText writes bytes', () => {
  expect(written((out, at) => putText(out, at, 'text'))).toBe('text');
});
