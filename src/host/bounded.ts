import { closeSync, constants, openSync, readSync } from 'node:fs';
import { HostError } from './host-error.js';

const CHUNK_BYTES = 16_384;

/**
 * A whole file, but never more than the limit. Reads to the end without asking the size first: pseudo files say 0.
 * @throws the system's errors; EFBIG beyond the limit
 */
export function readBounded(path: string, limitBytes: number): Buffer {
  // O_NONBLOCK: opening a FIFO that nobody writes to would otherwise never return.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const n = readSync(fd, chunk, 0, chunk.length, null);
      if (n === 0) return Buffer.concat(chunks, total);
      total += n;
      if (total > limitBytes) throw new HostError('EFBIG', `${path} is longer than ${limitBytes} bytes`);
      chunks.push(chunk.subarray(0, n));
    }
  } finally {
    closeSync(fd);
  }
}
