import { STAT_LENGTH } from '../../model/process.js';

/** Where field n of proc_pid_stat(5) goes; 255 is "not used". Index 0 is field 4 (ppid), the first after the state letter. */
const WANTED = new Uint8Array(49).fill(255);
for (const [field, slot] of [
  [10, 0],
  [12, 1],
  [14, 2],
  [15, 3],
  [20, 4],
  [22, 5],
  [23, 6],
  [43, 7],
  [16, 8],
  [17, 9],
  [24, 10],
] as const)
  WANTED[field - 4] = slot;
/** Fields before this one must be there: a shorter line was cut. */
const LAST_REQUIRED = 23 - 4;
const LAST_WANTED = 43 - 4;

const SPACE = 32;
const NEWLINE = 10;
const CLOSING_PARENTHESIS = 41;
const ZERO = 48;
const INT32_SAFE_DIGITS = 9;

/**
 * /proc/<pid>/stat in bytes → the slots of `Stat` in `out`; ticks, bytes and counts as the kernel writes them, 2^63 and above as NaN.
 * @returns the state letter's code, or -1 when the line is cut or is no stat line; `out` is then not to be used
 */
export function parseStat(line: Uint8Array, length: number, out: Float64Array): number {
  // comm may hold spaces, newlines and ')': the numbers start after the last one. A line without its newline was cut.
  if (length < 8 || line[length - 1] !== NEWLINE) return -1;
  let at = length - 1;
  while (at > 0 && line[at] !== CLOSING_PARENTHESIS) at--;
  const state = line[at + 2];
  if (at === 0 || line[at + 1] !== SPACE || line[at + 3] !== SPACE || !(state >= 65 && state <= 122)) return -1;
  at += 4;
  out.fill(Number.NaN, 0, STAT_LENGTH);
  let field = 0;
  for (; field <= LAST_WANTED && at < length; field++) {
    const slot = WANTED[field];
    let byte = line[at];
    if (slot === 255) {
      while (byte > SPACE) byte = line[++at];
    } else {
      let value = 0;
      let digits = 0;
      while (byte >= ZERO && byte <= 57) {
        value = digits < INT32_SAFE_DIGITS ? (value * 10 + byte - ZERO) | 0 : value * 10 + (byte - ZERO);
        digits++;
        byte = line[++at];
      }
      if (digits === 0 || byte > SPACE) return -1;
      out[slot] = value < 2 ** 63 ? value : Number.NaN;
    }
    at++;
  }
  return field > LAST_REQUIRED ? state : -1;
}
