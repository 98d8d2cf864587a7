import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces a small file of our own so that a crash leaves the old content or the new one, never a part. Readable by the owner alone.
 * When this returns, content and name are on the disk: two fsync, milliseconds each. One writer at a time.
 * @throws the system's errors (ENOSPC, EROFS, EACCES …); the old content is then still there, unless the very last step failed (EIO)
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  const directory = dirname(path);
  const draft = `${path}.new`;
  // One level only: Node's recursive way does not end below /proc.
  await mkdir(directory, { mode: 0o700 }).catch(unlessThere);
  // A draft that a crash left behind would keep its mode and owner, and a symlink there would lead elsewhere.
  await rm(draft, { force: true });
  try {
    const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(directory);
}

/** Gives a file another name in its directory, so that nothing overwrites it. @returns the new path */
export async function setAside(path: string, suffix: string): Promise<string> {
  const aside = path + suffix;
  await rename(path, aside);
  await syncDirectory(dirname(path));
  return aside;
}

/** A rename is durable only once its directory is, fsync(2). */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function unlessThere(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
}
