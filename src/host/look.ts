import { constants, watch } from 'node:fs';
import { open, opendir, readlink } from 'node:fs/promises';
import { HostError } from './host-error.js';
import { isThere } from './strangers.js';

/** Looks that never hold up the event loop; whoever asks sets the deadline. All throw the system's errors. */
export interface Look {
  /** A whole kernel file. @throws EFBIG beyond the limit */
  text(path: string, limitBytes?: number): Promise<string>;
  /** Names in a directory of whatever kind, at most so many of them. */
  names(path: string, limit?: number): Promise<readonly string[]>;
  /** Target of a symbolic link. */
  link(path: string): Promise<string>;
  isThere(path: string): Promise<boolean>;
  /** Takes a watch on a directory and gives it back. @throws ENOSPC, EMFILE where the user has no inotify watch or instance left */
  watch(directory: string): Promise<void>;
}

const CHUNK_BYTES = 65_536;
const LIMIT_BYTES = 4 << 20;
const MANY = 4096;

export const hostLook: Look = { text, names, link: (path) => readlink(path), isThere, watch: tryWatch };

async function text(path: string, limitBytes = LIMIT_BYTES): Promise<string> {
  // O_NONBLOCK: opening a FIFO that nobody writes to would otherwise never return.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null);
      if (bytesRead === 0) return Buffer.concat(chunks, total).toString('utf8');
      total += bytesRead;
      if (total > limitBytes) throw new HostError('EFBIG', `${path} is longer than ${limitBytes} bytes`);
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

async function names(path: string, limit = MANY): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name } of await opendir(path, { bufferSize: 1024 })) {
    if (found.length === limit) break;
    found.push(name);
  }
  return found.sort();
}

function tryWatch(directory: string): Promise<void> {
  return new Promise((resolve) => {
    watch(directory, { persistent: false }).close();
    resolve();
  });
}
