import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { withDeadline } from './deadline.js';
import { HostError } from './host-error.js';

/** open(2): a name is held, nothing is opened for reading. Node has no word for it. */
const O_PATH = 0o10000000;
const DIRECTORY = O_PATH | constants.O_DIRECTORY;
/** path_resolution(7). */
const MAX_LINKS = 40;
const MAX_PATH = 4096;

/** Where a process begins to look for a path: /proc/<pid>/root and /proc/<pid>/cwd, best reached through a held directory. */
export interface Viewpoint {
  readonly root: string;
  readonly cwd: string;
}

/** A directory that is held, and a name in it at which nobody looked yet. */
export interface HeldPlace {
  /** Of the directory, for as long as it is held, whoever renames it meanwhile. */
  readonly directory: string;
  readonly name: string;
  /** Uids of those who made the symbolic links that led there. */
  readonly linkOwners: ReadonlySet<number>;
  close(): Promise<void>;
}

/**
 * Holds the directory of a path as a process sees it: in its root, of its mounts, links resolved there and never in ours, as openat2(2) does
 * with RESOLVE_IN_ROOT. The last part is not looked at.
 * @throws ENOENT, EACCES, ENOTDIR, ESRCH; ELOOP for too many links; ENAMETOOLONG; EINVAL for a path without a last part; ETIMEDOUT
 */
export async function holdPlace(view: Viewpoint, path: string, deadlineMs: number): Promise<HeldPlace> {
  if (path.length > MAX_PATH) throw new HostError('ENAMETOOLONG', 'a path of more than 4096 characters');
  const cut = path.lastIndexOf('/') + 1;
  const name = path.slice(cut);
  if (['', '.', '..'].includes(name) || path.includes('\0')) throw new HostError('EINVAL', 'a path without a last part');
  const linkOwners = new Set<number>();
  const holding = holdDirectory(view, path.slice(0, cut), linkOwners);
  try {
    const held = await withDeadline(holding, deadlineMs, 'looking for a directory');
    // With the dot the link in /proc/self/fd is followed even where links are not.
    return { directory: `/proc/self/fd/${held.fd}/.`, name, linkOwners, close: () => held.close() };
  } catch (error) {
    // It may still be found, later than anybody waits for.
    holding.then(
      (late) => late.close(),
      () => undefined,
    );
    throw error;
  }
}

async function holdDirectory({ root, cwd }: Viewpoint, path: string, linkOwners: Set<number>): Promise<FileHandle> {
  const top = await open(root, DIRECTORY);
  let at = top;
  const enter = async (next: FileHandle): Promise<void> => {
    if (at !== top && at !== next) await at.close();
    at = next;
  };
  try {
    if (!path.startsWith('/')) await enter(await open(cwd, DIRECTORY));
    const parts = path.split('/');
    let links = 0;
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      if (part === '' || part === '.' || (part === '..' && (await isSame(at, top)))) continue;
      const link = await linkIn(at, part);
      if (!link) {
        await enter(await open(`/proc/self/fd/${at.fd}/${part}`, DIRECTORY | constants.O_NOFOLLOW));
        continue;
      }
      if (++links > MAX_LINKS) throw new HostError('ELOOP', 'too many symbolic links');
      linkOwners.add(link.owner);
      parts.unshift(...link.target.split('/'));
      if (link.target.startsWith('/')) await enter(top);
    }
    return at;
  } catch (error) {
    if (at !== top) await at.close();
    await top.close();
    throw error;
  } finally {
    if (at !== top) await top.close().catch(() => undefined);
  }
}

/** null for anything but a symbolic link. */
async function linkIn(directory: FileHandle, name: string): Promise<{ readonly target: string; readonly owner: number } | null> {
  const path = `/proc/self/fd/${directory.fd}/${name}`;
  try {
    return { target: await readlink(path), owner: (await lstat(path)).uid };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EINVAL') return null;
    throw error;
  }
}

async function isSame(a: FileHandle, b: FileHandle): Promise<boolean> {
  const [one, other] = [await a.stat({ bigint: true }), await b.stat({ bigint: true })];
  return one.dev === other.dev && one.ino === other.ino;
}
