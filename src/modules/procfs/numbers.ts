const NEWLINE = 10;
const ZERO = 48;

/** Counters of 2^63 and above are the kernel's or a driver's "no value"; doubles hold everything below 2^53 exactly. */
export const SENTINEL = 2 ** 63;

/**
 * The first `count` unsigned numbers of one line of blanks and digits (statm, schedstat).
 * @returns false when the line is cut (no newline at its end) or holds anything else; `out` is then not to be used
 */
export function parseNumberLine(line: Uint8Array, length: number, out: Float64Array, count: number): boolean {
  if (length === 0 || line[length - 1] !== NEWLINE) return false;
  let at = 0;
  for (let n = 0; n < count; n++) {
    let byte = line[at];
    let value = 0;
    const start = at;
    while (byte >= ZERO && byte <= 57) {
      value = value * 10 + (byte - ZERO);
      byte = line[++at];
    }
    if (at === start || (byte !== 32 && byte !== NEWLINE) || at >= length) return false;
    out[n] = value < SENTINEL ? value : Number.NaN;
    at++;
  }
  return true;
}
