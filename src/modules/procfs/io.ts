import { SENTINEL } from './numbers.js';

/** Slots of `parseIo`, in the kernel's order (proc_pid_io(5)): bytes, bytes, calls, calls, bytes, bytes, bytes. */
export const IO_KEYS = ['rchar', 'wchar', 'syscr', 'syscw', 'read_bytes', 'write_bytes', 'cancelled_write_bytes'] as const;
const KEY_BYTES = IO_KEYS.map((key) => Buffer.from(`${key}: `, 'latin1'));

const NEWLINE = 10;
const ZERO = 48;

/**
 * /proc/<pid>/io in bytes → seven numbers in `out`. Lines after the known seven are passed over.
 * @returns false when a line is missing, cut or out of order
 */
export function parseIo(text: Uint8Array, length: number, out: Float64Array): boolean {
  if (length === 0 || text[length - 1] !== NEWLINE) return false;
  let at = 0;
  for (let k = 0; k < KEY_BYTES.length; k++) {
    const key = KEY_BYTES[k];
    if (at + key.length >= length) return false;
    for (let i = 0; i < key.length; i++) if (text[at + i] !== key[i]) return false;
    at += key.length;
    let byte = text[at];
    let value = 0;
    const start = at;
    while (byte >= ZERO && byte <= 57) {
      value = value * 10 + (byte - ZERO);
      byte = text[++at];
    }
    if (at === start || byte !== NEWLINE) return false;
    out[k] = value < SENTINEL ? value : Number.NaN;
    at++;
  }
  return true;
}
