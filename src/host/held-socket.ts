import { constants } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { withDeadline } from './deadline.js';
import { HostError } from './host-error.js';

/** open(2): a name is held, nothing is opened for reading; so that a FIFO or a device is not touched. Node has no word for it. */
const O_PATH = 0o10000000;

/** A socket that a stranger put into a directory of its own. */
export interface StrangersSocket {
  readonly directory: string;
  readonly name: string;
  /** Uids that may have made it. */
  readonly owners: readonly number[];
}

export interface HeldSocket {
  /** To connect to: short, and the socket that was checked whatever has its name by now. */
  readonly path: string;
  /** Where it really is, without links, as the kernel names it to us. */
  readonly realPath: string;
}

/**
 * Holds directory and socket while they are used: what was checked is what is connected to, whoever changes names meanwhile, and the path is
 * short whatever the directory's is (sun_path has 108 bytes, unix(7)). Past the deadline nothing goes on but a look at a directory that hangs
 * in the kernel.
 * @param left milliseconds until the deadline
 * @throws ENOENT, ENOTDIR, ELOOP for a directory that is a symlink; ENOTSOCK for anything but a socket, symlinks included; EPERM for one of
 * another owner; ETIMEDOUT; and what `use` throws
 */
export async function withHeldSocket<T>(socket: StrangersSocket, left: () => number, use: (held: HeldSocket) => Promise<T>): Promise<T> {
  const directory = await hold(socket.directory, constants.O_DIRECTORY, left());
  try {
    const held = await hold(`/proc/self/fd/${directory.fd}/${socket.name}`, 0, left());
    try {
      await checkSocket(held, socket.owners, left());
      const path = `/proc/self/fd/${held.fd}`;
      return await use({ path, realPath: await withDeadline(readlink(path), left(), 'looking at a socket') });
    } finally {
      await held.close();
    }
  } finally {
    await directory.close();
  }
}

async function hold(path: string, flags: number, deadlineMs: number): Promise<FileHandle> {
  const opening = open(path, O_PATH | constants.O_NOFOLLOW | flags);
  try {
    return await withDeadline(opening, deadlineMs, `opening ${path}`);
  } catch (error) {
    // It may still open, later than anybody waits for.
    opening.then(
      (late) => late.close(),
      () => undefined,
    );
    throw error;
  }
}

async function checkSocket(held: FileHandle, owners: readonly number[], deadlineMs: number): Promise<void> {
  const about = await withDeadline(held.stat(), deadlineMs, 'looking at a socket');
  if (!about.isSocket()) throw new HostError('ENOTSOCK', 'not a socket');
  if (!owners.includes(about.uid)) throw new HostError('EPERM', `a socket of uid ${about.uid}`);
}
