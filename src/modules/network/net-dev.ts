import { type HostCounters, Side } from './direction.js';

const NEWLINE = 10;
const SPACE = 32;
const COLON = 58;
const ZERO = 48;
const SENTINEL = 2 ** 63;

/** Where column n after the colon of /proc/net/dev goes; -1 is not used (fifo, frame, compressed). */
const COLUMN_SLOTS: readonly number[] = [
  Side.rxBytes,
  Side.rxPackets,
  Side.rxErrors,
  Side.rxDrops,
  -1,
  -1,
  -1,
  Side.rxMulticast,
  Side.txBytes,
  Side.txPackets,
  Side.txErrors,
  Side.txDrops,
];

/**
 * The end of an interface's name in a line of /proc/net/dev, proc_pid_net(5), or -1 for a line that has none (the two heads).
 * Names hold any byte but blanks, '/' and ':' in the middle of aliases; the colon before the counters is the last one.
 */
export function nameEnd(text: Uint8Array, start: number, end: number): number {
  for (let at = end - 1; at > start; at--) if (text[at] === COLON) return at;
  return -1;
}

/** Where the name starts: lines are padded with blanks to the left. */
export function nameStart(text: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && text[at] === SPACE) at++;
  return at;
}

/**
 * The counters behind the colon. `end` is the place of the line's newline.
 * @returns false when the line is cut or holds anything but numbers; `out` is then not to be used
 */
export function parseCounters(text: Uint8Array, colon: number, end: number, out: HostCounters): boolean {
  if (text[end] !== NEWLINE) return false;
  let at = colon + 1;
  for (const slot of COLUMN_SLOTS) {
    while (text[at] === SPACE) at++;
    let byte = text[at];
    let value = 0;
    const start = at;
    while (byte >= ZERO && byte <= 57) {
      value = value * 10 + (byte - ZERO);
      byte = text[++at];
    }
    if (at === start || at > end || (byte !== SPACE && byte !== NEWLINE)) return false;
    if (slot >= 0) out[slot] = value < SENTINEL ? value : Number.NaN;
  }
  return true;
}
