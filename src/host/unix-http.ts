import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { withDeadline } from './deadline.js';
import { HostError } from './host-error.js';
import { type HttpAnswer, type HttpLimits, httpGet } from './http-client.js';

/** open(2): a name is held, nothing is opened for reading; so that a FIFO or a device is not touched. Node has no word for it. */
const O_PATH = 0o10000000;

/** A socket that a stranger put into a directory of its own. */
export interface StrangersSocket {
  readonly directory: string;
  readonly name: string;
  /** Uids that may have made it. */
  readonly owners: readonly number[];
}

/**
 * One GET over a unix socket. Directory and socket are held while it lasts: what was checked is what is connected to, whoever changes names
 * meanwhile, and the path is short whatever the directory's is (sun_path has 108 bytes, unix(7)). Past the deadline nothing goes on but a look
 * at a directory that hangs in the kernel.
 * @param limits the deadline covers the checks as well
 * @throws ENOENT, ENOTDIR, ELOOP for a directory that is a symlink; ENOTSOCK for anything but a socket, symlinks included; EPERM for one of
 * another owner; ENODATA for an answer whose end cannot be told; and what `httpGet` throws
 */
export async function askSocket(socket: StrangersSocket, path: string, limits: HttpLimits): Promise<HttpAnswer> {
  const started = performance.now();
  const left = (): number => Math.max(1, limits.deadlineMs - (performance.now() - started));
  const directory = await hold(socket.directory, constants.O_DIRECTORY, left());
  try {
    const held = await hold(`/proc/self/fd/${directory.fd}/${socket.name}`, 0, left());
    try {
      await checkSocket(held, socket.owners, left());
      const target = { socketPath: `/proc/self/fd/${held.fd}` };
      const answer = await httpGet(target, path, { host: 'localhost' }, { ...limits, deadlineMs: left() });
      // An answer that ends with its connection may have been cut anywhere.
      if (!answer.headers.has('content-length') && !CHUNKED.test(answer.headers.get('transfer-encoding') ?? '')) {
        throw new HostError('ENODATA', 'neither content-length nor chunks');
      }
      return answer;
    } finally {
      await held.close();
    }
  } finally {
    await directory.close();
  }
}

/** Chunks tell their end only as the last coding (RFC 9112, 6.3). */
const CHUNKED = /(?:^|,)[ \t]*chunked[ \t]*$/i;

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
