import { access, lstat, opendir, realpath, stat } from 'node:fs/promises';
import { withDeadline } from './deadline.js';

/**
 * Looking around in directories that somebody else fills. Asynchronous and with a deadline each, because they may lie on a file system
 * that hangs. All throw the system's errors, and ETIMEDOUT.
 */
const DEADLINE_MS = 1000;

/** Which content a file has, without reading it: another token, another content. */
export interface FileMark {
  /** Device, inode, size and both times to the nanosecond. */
  readonly token: string;
  /** Milliseconds since 1970, of the later of content and inode change. */
  readonly changedMs: number;
}

/** The mark of a file; of a symlink its own, never its target's. @throws ENOENT */
export async function fileMark(path: string): Promise<FileMark> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await withDeadline(lstat(path, { bigint: true }), DEADLINE_MS, `looking at ${path}`);
  const changedMs = Math.max(Number(mtimeNs / 1_000_000n), Number(ctimeNs / 1_000_000n));
  return { token: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`, changedMs };
}

/** What a path names, links followed. */
export interface Named {
  /** Device and inode: of a namespace's file the same as that of /proc/<pid>/ns/<kind>. */
  readonly identity: string;
  /** Owner, a uid. */
  readonly owner: number;
}

/** @throws ENOENT */
export async function whatIs(path: string): Promise<Named> {
  const { dev, ino, uid } = await withDeadline(stat(path), DEADLINE_MS, `looking at ${path}`);
  return { identity: `${dev}:${ino}`, owner: uid };
}

export interface Listing {
  /** Sorted. */
  readonly names: readonly string[];
  /** False where there were more than asked for; which ones are missing is up to the file system. */
  readonly complete: boolean;
}

/**
 * Names of a directory's entries of one kind that pass the filter, `limit` at most; symlinks are of neither kind.
 * @throws ENOENT, EACCES, ENOTDIR
 */
export async function entriesOf(
  path: string,
  kind: 'directory' | 'file',
  limit: number,
  wanted: (name: string) => boolean,
): Promise<Listing> {
  const collect = async (): Promise<Listing> => {
    const names: string[] = [];
    // 1024 entries a system call: the default of 32 costs a thread-pool turn each.
    for await (const entry of await opendir(path, { bufferSize: 1024 })) {
      if (!(kind === 'directory' ? entry.isDirectory() : entry.isFile()) || !wanted(entry.name)) continue;
      if (names.length === limit) return { names: names.sort(), complete: false };
      names.push(entry.name);
    }
    return { names: names.sort(), complete: true };
  };
  return withDeadline(collect(), DEADLINE_MS * 5, `listing ${path}`);
}

/** False for a directory that is empty or not there. */
export async function hasEntries(path: string): Promise<boolean> {
  const look = async (): Promise<boolean> => {
    const directory = await opendir(path);
    try {
      return (await directory.read()) !== null;
    } finally {
      await directory.close();
    }
  };
  return notThereIsFalse(withDeadline(look(), DEADLINE_MS, `listing ${path}`));
}

/** Whether the path names something, a symlink's target included. */
export async function isThere(path: string): Promise<boolean> {
  const look = async (): Promise<boolean> => {
    await access(path);
    return true;
  };
  return notThereIsFalse(withDeadline(look(), DEADLINE_MS, `looking at ${path}`));
}

/** The path with every symlink followed, for files that the operator names: a Kubernetes ConfigMap is mounted as symlinks. */
export async function resolvePath(path: string): Promise<string> {
  return withDeadline(realpath(path), DEADLINE_MS, `resolving ${path}`);
}

async function notThereIsFalse(look: Promise<boolean>): Promise<boolean> {
  try {
    return await look;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return false;
    throw error;
  }
}
