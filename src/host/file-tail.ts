import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { HostError } from './host-error.js';

/** open(2): a name is held, nothing is opened for reading. Node has no word for it. */
const O_PATH = 0o10000000;
const CHUNK_BYTES = 65_536;

/** How far a file was read. */
export interface TailPosition {
  /** Device and inode: another file begins at its beginning. */
  readonly identity: string;
  readonly offset: number;
}

/** How a file is found: by its name, of which links are not followed, or by what /proc/<pid>/fd/<n> leads to. */
export interface TailedFile {
  readonly path: string;
  readonly follow: boolean;
  /** Uids that it may belong to; null where it was opened by the process itself. */
  readonly owners: readonly number[] | null;
}

/**
 * What was added to a regular file since the last time, and no more than so many bytes of it. Nothing but a regular file is ever opened: a FIFO
 * would lose what is read from it, a device would do who knows what.
 * @param take given each piece; the buffer is used again
 * @returns where it stopped, and how much there is beyond
 * @throws ENOENT, EACCES; ELOOP or EINVAL for what is no regular file; EPERM for one of another owner
 */
export async function readTail(
  file: TailedFile,
  from: TailPosition | null,
  limitBytes: number,
  take: (piece: Buffer) => void,
): Promise<{ readonly position: TailPosition; readonly left: number }> {
  const held = await open(file.path, O_PATH | (file.follow ? 0 : constants.O_NOFOLLOW));
  try {
    const { dev, ino, size } = await checked(held, file.owners);
    const identity = `${dev}:${ino}`;
    const start = from?.identity === identity ? from.offset : 0;
    // One that was cut goes on behind what was there: what was in it before was read.
    if (size <= start) return { position: { identity, offset: size }, left: 0 };
    const offset = await readFrom(held, start, Math.min(size, start + limitBytes), take);
    return { position: { identity, offset }, left: size - offset };
  } finally {
    await held.close();
  }
}

async function checked(held: FileHandle, owners: readonly number[] | null): Promise<{ dev: number; ino: number; size: number }> {
  const about = await held.stat();
  if (!about.isFile()) throw new HostError('EINVAL', 'not a regular file');
  if (owners && !owners.includes(about.uid)) throw new HostError('EPERM', `a file of uid ${about.uid}`);
  return about;
}

async function readFrom(held: FileHandle, start: number, end: number, take: (piece: Buffer) => void): Promise<number> {
  const file = await open(`/proc/self/fd/${held.fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - start));
    let at = start;
    while (at < end) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0) break;
      take(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return at;
  } finally {
    await file.close();
  }
}
