/** "00" "01" … "99" as bytes: two digits a step. */
const PAIRS = Buffer.from(Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0')).join(''), 'latin1');
const ZERO = 48;
const POINT = 46;
const BILLION = 1_000_000_000;
const MAX_EXACT = 2 ** 53;
/** From here on a double is spelt with an exponent; all its digits would not fit. */
const LONGEST_PLAIN = 1e21;
const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** The longest a number gets: 20 digits, point, 9 decimals; a double's shortest form is no longer. */
export const MAX_NUMBER_BYTES = 32;

/** A non-negative integer below 2^30 in decimal. @returns the place after it */
function putSmall(out: Uint8Array, at: number, value: number): number {
  let digits = 1;
  while (digits < 10 && value >= POWERS[digits]) digits++;
  return putPadded(out, at, value, digits);
}

/** Exactly `digits` digits, with leading zeros. */
function putPadded(out: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value | 0;
  let end = at + digits;
  while (end - at >= 2) {
    const next = (rest / 100) | 0;
    const pair = (rest - next * 100) << 1;
    out[--end] = PAIRS[pair + 1];
    out[--end] = PAIRS[pair];
    rest = next;
  }
  if (end > at) out[at] = ZERO + rest;
  return at + digits;
}

/** A non-negative integer in decimal; exact up to 2^53, the double's own digits above. @returns the place after it */
export function putInteger(out: Uint8Array, at: number, value: number): number {
  if (value < BILLION) return putSmall(out, at, value);
  if (value > MAX_EXACT) return value < LONGEST_PLAIN ? putText(out, at, BigInt(value).toString()) : putDouble(out, at, value);
  const high = Math.floor(value / BILLION);
  return putPadded(out, putInteger(out, at, high), value - high * BILLION, 9);
}

/** value × 10^-decimals without trailing zeros: 2994 with 2 decimals is 29.94. `value` is a non-negative integer, decimals at most 9. */
export function putFixed(out: Uint8Array, at: number, value: number, decimals: number): number {
  if (decimals === 0) return putInteger(out, at, value);
  const unit = POWERS[decimals];
  const whole = Math.floor(value / unit);
  const fraction = value - whole * unit;
  let end = putInteger(out, at, whole);
  if (fraction === 0 || value > MAX_EXACT) return end;
  out[end] = POINT;
  end = putPadded(out, end + 1, fraction, decimals);
  while (out[end - 1] === ZERO) end--;
  return end;
}

/** Any double in the spelling of both text formats; digits that a double does not hold are left to the exponent, as in Go's clients. */
export function putDouble(out: Uint8Array, at: number, value: number): number {
  if (value >= 0 && value < BILLION && Number.isInteger(value)) return putSmall(out, at, value);
  if (value > MAX_EXACT && value < LONGEST_PLAIN) return putText(out, at, value.toExponential());
  if (value === Number.POSITIVE_INFINITY) return putText(out, at, '+Inf');
  if (value === Number.NEGATIVE_INFINITY) return putText(out, at, '-Inf');
  return putText(out, at, Number.isNaN(value) ? 'NaN' : String(value));
}

/** ASCII text. */
export function putText(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  return at + text.length;
}
