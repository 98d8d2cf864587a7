import { SENTINEL } from '../procfs/numbers.js';

/** What can be short, as the kernel names its files. `irq`: time taken by interrupts, with CONFIG_IRQ_TIME_ACCOUNTING since Linux 6.1. */
export const RESOURCES = ['cpu', 'memory', 'io', 'irq'] as const;
export type Resource = (typeof RESOURCES)[number];

/** `some`: at least one task waited for it. `full`: all that were not idle did, and nothing got on. */
export const STALLS = ['some', 'full'] as const;

/** Shares of the last 10, 60 and 300 seconds, and the time since the cgroup was made or the host booted. */
const WORDS = ['avg10', 'avg60', 'avg300', 'total'] as const;
/** Hundredths of a percent. */
export const AVERAGE_DECIMALS = 4;
const WHOLE = 10 ** AVERAGE_DECIMALS;

/** Where the time, in microseconds, stands among the numbers of a stall; the averages stand before it. */
export const TOTAL = WORDS.indexOf('total');
/** Numbers of a stall: `some` first, then `full`. */
export const STALL_LENGTH = WORDS.length;
/** Numbers of a text. */
export const PRESSURE_LENGTH = STALLS.length * STALL_LENGTH;

/** Stalls that the kernel always tells: `full` of cpu came with Linux 5.13, and irq has no `some`. */
const ALWAYS: Readonly<Record<Resource, readonly (typeof STALLS)[number][]>> = {
  cpu: ['some'],
  memory: ['some', 'full'],
  io: ['some', 'full'],
  irq: ['full'],
};

const HEADS = STALLS.map((stall) => WORDS.map((word, i) => Buffer.from(`${i === 0 ? stall : ''} ${word}=`)));
const NEWLINE = 10;
const POINT = 46;
const ZERO = 48;
const FRACTION_DIGITS = 2;

/**
 * A text of pressure stall information (kernel, Documentation/accounting/psi.rst): a line for each stall,
 * `some avg10=0.90 avg60=1.16 avg300=1.04 total=23076946`.
 * @param out the numbers of `some`, then those of `full`; NaN where the kernel does not tell that stall
 * @returns false when the text is cut, holds anything else, or a number that cannot be; `out` is then not to be used
 */
export function parsePressure(text: Uint8Array, length: number, resource: Resource, out: Float64Array): boolean {
  out.fill(Number.NaN, 0, PRESSURE_LENGTH);
  let at = 0;
  for (let stall = 0; stall < STALLS.length; stall++) {
    if (at < length && startsWith(text, at, HEADS[stall][0])) at = parseStall(text, at, stall, out);
    if (at < 0) return false;
  }
  // Behind the length stands what an earlier, longer text left in the buffer.
  return at === length && ALWAYS[resource].every((stall) => !Number.isNaN(out[STALLS.indexOf(stall) * STALL_LENGTH]));
}

/** @returns where the next line starts, -1 for what is no such line */
function parseStall(text: Uint8Array, start: number, stall: number, out: Float64Array): number {
  let at = start;
  for (let word = 0; word < STALL_LENGTH; word++) {
    const head = HEADS[stall][word];
    if (!startsWith(text, at, head)) return -1;
    at += head.length;
    const digits = at;
    let value = 0;
    for (; isDigit(text[at]); at++) value = value * 10 + (text[at] - ZERO);
    if (at === digits) return -1;
    if (word !== TOTAL) {
      if (text[at++] !== POINT) return -1;
      const end = at + FRACTION_DIGITS;
      for (; at < end && isDigit(text[at]); at++) value = value * 10 + (text[at] - ZERO);
      if (at !== end) return -1;
    }
    if (word === TOTAL ? value >= SENTINEL : value > WHOLE) return -1;
    out[stall * STALL_LENGTH + word] = value;
  }
  return text[at] === NEWLINE ? at + 1 : -1;
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= 57;

function startsWith(text: Uint8Array, at: number, head: Uint8Array): boolean {
  for (let i = 0; i < head.length; i++) if (text[at + i] !== head[i]) return false;
  return true;
}
