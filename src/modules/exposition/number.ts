import { Byte, CLASS, Is } from './bytes.js';

/** Go's shortest form of a double has 24 characters, Rust's without exponent 330. */
export const MAX_NUMBER_BYTES = 400;
/** So many digits before the point, with an exponent of two digits, stay below the largest double. */
const SURELY_FINITE_DIGITS = 200;

/**
 * The end of a number that can stand as it is: sign, digits, fraction, exponent, as every reader of the format takes it.
 * @returns -1 for what is none, or must be written otherwise first
 */
export function plainNumberEnd(bytes: Buffer, from: number): number {
  let at = from;
  if (bytes[at] === Byte.minus || bytes[at] === Byte.plus) at++;
  const whole = at;
  while (CLASS[bytes[at]] & Is.digit) at++;
  const digits = at - whole;
  if (digits === 0 || digits > SURELY_FINITE_DIGITS) return -1;
  if (bytes[at] === Byte.dot) {
    const fraction = ++at;
    while (CLASS[bytes[at]] & Is.digit) at++;
    if (at === fraction) return -1;
  }
  if (bytes[at] === Byte.lowerE || bytes[at] === Byte.upperE) {
    at++;
    if (bytes[at] === Byte.minus || bytes[at] === Byte.plus) at++;
    const exponent = at;
    while (CLASS[bytes[at]] & Is.digit) at++;
    if (at === exponent || at - exponent > 2) return -1;
  }
  return at - from > MAX_NUMBER_BYTES ? -1 : at;
}

const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const NOT_A_NUMBER = /^nan$/i;
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * What Go's ParseFloat takes besides, written so that every reader takes it: `.5`, `5.`, `inf`, long exponents. Hexadecimal and underscores
 * are for Go's literals only. A number beyond the largest double is an error to Go, which would cost the whole page.
 */
export function respelledNumber(token: string): string | undefined {
  const infinite = INFINITE.exec(token);
  if (infinite) return infinite[1] === '-' ? '-Inf' : '+Inf';
  if (NOT_A_NUMBER.test(token)) return 'NaN';
  if (!DECIMAL.test(token)) return undefined;
  const value = Number(token);
  return Number.isFinite(value) ? String(value) : undefined;
}
