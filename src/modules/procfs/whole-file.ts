import type { HeldProcess, KernelFile } from '../../model/process.js';

/**
 * A kernel file from its start to its end. The kernel hands out about a page a call, whatever is asked for.
 * @returns bytes in `buffer`, or -1 for a file that is longer
 */
export function readWhole(file: KernelFile, buffer: Buffer): number {
  let length = 0;
  while (length < buffer.length) {
    const n = file.readAt(buffer, length, buffer.length - length, length);
    if (n === 0) return length;
    length += n;
  }
  return -1;
}

/** As `readWhole`, of a file that is not held. */
export function readWholeOnce(process: HeldProcess, path: string, buffer: Buffer): number {
  const file = process.open(path);
  try {
    return readWhole(file, buffer);
  } finally {
    file.close();
  }
}
