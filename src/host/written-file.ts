import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { withDeadline } from './deadline.js';
import { HostError } from './host-error.js';

/** A file or pipe that another process writes and has open. */
export interface WrittenFile {
  readonly kind: 'file' | 'fifo';
  /** Device and inode. */
  readonly identity: string;
}

const CHUNK_BYTES = 65_536;

/** What a path names, links followed; null for what is neither a regular file nor a FIFO. Opens nothing. @throws ENOENT, EACCES, ETIMEDOUT */
export async function whatIsWritten(path: string, deadlineMs: number): Promise<WrittenFile | null> {
  return aboutOf(await withDeadline(stat(path), deadlineMs, `looking at ${path}`));
}

/**
 * Bytes of what a process has open, through its own link in /proc/<pid>/fd, so that names play no part. Of a FIFO what is in it now, which
 * nobody else reads any more then: a caller that does not wait for the end has to come back for it.
 * @param range of a regular file; what it is shorter than is not there
 * @throws ESTALE for a link that is of something else by now; EACCES, ENOENT
 */
export async function readWritten(
  link: string,
  { kind, identity }: WrittenFile,
  range: { readonly from: number; readonly bytes: number },
): Promise<Buffer> {
  const isWanted = (about: WrittenFile | null): boolean => about?.kind === kind && about.identity === identity;
  // Looked at before it is opened: opening a device may do something.
  if (!isWanted(aboutOf(await stat(link)))) throw new HostError('ESTALE', 'another file by now');
  const file = await open(link, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    if (!isWanted(aboutOf(await file.stat()))) throw new HostError('ESTALE', 'another file by now');
    return await readAll(file, kind === 'file' ? range.from : null, range.bytes);
  } finally {
    await file.close();
  }
}

async function readAll(file: FileHandle, from: number | null, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total < bytes) {
    const wanted = Math.min(CHUNK_BYTES, bytes - total);
    const chunk = Buffer.allocUnsafe(wanted);
    const bytesRead = await readSome(file, chunk, from === null ? null : from + total);
    if (bytesRead === 0) break;
    chunks.push(chunk.subarray(0, bytesRead));
    total += bytesRead;
  }
  return Buffer.concat(chunks, total);
}

/** 0 at the end, and of a FIFO that is empty. */
async function readSome(file: FileHandle, into: Buffer, position: number | null): Promise<number> {
  try {
    return (await file.read(into, 0, into.length, position)).bytesRead;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    throw error;
  }
}

function aboutOf(about: Stats): WrittenFile | null {
  const kind = about.isFile() ? 'file' : about.isFIFO() ? 'fifo' : null;
  return kind && { kind, identity: `${about.dev}:${about.ino}` };
}
