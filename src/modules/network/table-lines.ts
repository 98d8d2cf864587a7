import type { KernelFile } from '../../model/process.js';

const NEWLINE = 10;
const BUFFER_BYTES = 65_536;
/** The kernel hands out about a page a call, whatever is asked for. */
const READ_BYTES = 16_384;
/** A table this long is no host's: a bound for what a stranger's namespace can cost one pass. */
const MAX_TABLE_BYTES = 16 * 1024 * 1024;

/** Shared by all tables: what a line is made of must be taken out of it before the next one. */
const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/**
 * Calls `line` with the bounds of each line of a kernel table; `end` is the place of its newline. Yields after each read of the kernel, so
 * that the caller may pause.
 * @returns false for a table that is cut or longer than any host's @throws the errors of reading
 */
export function* tableLines(file: KernelFile, line: (text: Buffer, start: number, end: number) => void): Generator<void, boolean> {
  let position = 0;
  let left = 0;
  for (;;) {
    const n = file.readAt(buffer, left, Math.min(READ_BYTES, BUFFER_BYTES - left), position);
    if (n === 0) return left === 0;
    position += n;
    const filled = left + n;
    let start = 0;
    for (let end = buffer.indexOf(NEWLINE, start); end >= 0 && end < filled; end = buffer.indexOf(NEWLINE, start)) {
      line(buffer, start, end);
      start = end + 1;
    }
    // What is left of a cut line must survive the pause, in which somebody else may read.
    const rest = Buffer.from(buffer.subarray(start, filled));
    if (rest.length > READ_BYTES || position > MAX_TABLE_BYTES) return false;
    yield;
    rest.copy(buffer);
    left = rest.length;
  }
}
