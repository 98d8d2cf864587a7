import { closeSync, constants, fstatSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { readBounded } from './bounded.js';
import { HostError } from './host-error.js';

let held = 0;

/** Share of our own descriptor limit that may be held; the rest is for connections, rescans and what the runtime needs. */
const HOLDABLE_SHARE = 0.8;
/** Our own soft limit, which Node has raised to the hard one at its start. */
const holdable = Math.floor(HOLDABLE_SHARE * ownDescriptorLimit());

/** Descriptors held open by this process through the classes below. */
export const descriptorsHeld = (): number => held;
/** How many may be held before files are opened for each reading. */
export const descriptorsHoldable = (): number => holdable;
export const mayHoldMore = (): boolean => held < holdable;

function ownDescriptorLimit(): number {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readBounded('/proc/self/limits', 1 << 16).toString('latin1'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * An open descriptor that is read again and again at position 0. On procfs it is also the identity guard: once the process is
 * reaped it answers ESRCH even when the pid has a new owner, where the path would show the stranger.
 */
export class HeldFile {
  constructor(readonly fd: number) {
    held++;
  }

  /** Bytes read into `into` from position 0, synchronously. @throws ESRCH when the process is gone, EACCES when we may not look */
  read(into: Buffer): number {
    return readSync(this.fd, into, 0, into.length, 0);
  }

  /** Bytes read from a position, for tables longer than one buffer. */
  readAt(into: Buffer, offset: number, length: number, position: number): number {
    return readSync(this.fd, into, offset, length, position);
  }

  /** Device and inode: for net/dev the inode names the network namespace. */
  identity(): string {
    const about = fstatSync(this.fd);
    return `${about.dev}:${about.ino}`;
  }

  close(): void {
    held--;
    closeSync(this.fd);
  }
}

/**
 * An open directory through which its entries are reached: `/proc/self/fd/<n>/<entry>` is openat(2), which Node does not offer.
 * For /proc/<pid> every later look, however late, is at the same process or fails.
 */
export class HeldDirectory {
  private readonly prefix: string;

  constructor(readonly fd: number) {
    held++;
    this.prefix = `/proc/self/fd/${fd}/`;
  }

  path(entry: string): string {
    return this.prefix + entry;
  }

  open(entry: string): HeldFile {
    return new HeldFile(openSync(this.prefix + entry, constants.O_RDONLY | constants.O_NONBLOCK));
  }

  openDirectory(entry: string): HeldDirectory {
    return new HeldDirectory(openSync(this.prefix + entry, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  /** Opens, reads once into `into` and closes; three times the price of a held descriptor. */
  readOnce(entry: string, into: Buffer): number {
    const fd = openSync(this.prefix + entry, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return readSync(fd, into, 0, into.length, 0);
    } finally {
      closeSync(fd);
    }
  }

  readText(entry: string, limitBytes = 1 << 20): string {
    return readBounded(this.prefix + entry, limitBytes).toString('utf8');
  }

  /** A small regular file of the process's own view; no link in its last part, no FIFO, no device. @throws EINVAL, ELOOP, EFBIG */
  readRegularText(entry: string, limitBytes: number): string {
    const fd = openSync(this.prefix + entry, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      if (!fstatSync(fd).isFile()) throw new HostError('EINVAL', `${entry} is not a regular file`);
      const buffer = Buffer.allocUnsafe(limitBytes + 1);
      const length = readSync(fd, buffer, 0, buffer.length, 0);
      if (length > limitBytes) throw new HostError('EFBIG', `${entry} is longer than ${limitBytes} bytes`);
      return buffer.toString('utf8', 0, length);
    } finally {
      closeSync(fd);
    }
  }

  /** Off the event loop, for files whose reading may wait or take long (cmdline; smaps_rollup: 11 ms per GiB). */
  async readTextAsync(entry: string, limitBytes = 1 << 20): Promise<string> {
    const file = await open(this.prefix + entry, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const chunks: Buffer[] = [];
      let total = 0;
      for (;;) {
        const chunk = Buffer.allocUnsafe(16_384);
        const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
        if (bytesRead === 0) return Buffer.concat(chunks, total).toString('utf8');
        total += bytesRead;
        if (total > limitBytes) throw new HostError('EFBIG', `${entry} is longer than ${limitBytes} bytes`);
        chunks.push(chunk.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }

  list(entry = ''): string[] {
    return readdirSync(this.prefix + entry);
  }

  link(entry: string): string {
    return readlinkSync(this.prefix + entry);
  }

  /** st_size of the directory itself: on Linux 6.2 and later the number of descriptors for /proc/<pid>/fd. */
  size(): number {
    return fstatSync(this.fd).size;
  }

  /** Owner of the process, the effective uid (proc(5)). */
  owner(): number {
    return fstatSync(this.fd).uid;
  }

  characterDevice(entry: string): { readonly major: number; readonly minor: number } | null {
    const about = statSync(this.prefix + entry);
    if (!about.isCharacterDevice()) return null;
    // The layout of dev_t in glibc's sysmacros.h: major in bits 8-19, minor in bits 0-7 and 20-31.
    return { major: (about.rdev >> 8) & 0xfff, minor: (about.rdev & 0xff) | ((about.rdev >> 12) & 0xfff00) };
  }

  close(): void {
    held--;
    closeSync(this.fd);
  }
}
