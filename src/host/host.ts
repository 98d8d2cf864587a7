import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { readBounded } from './bounded.js';
import { type Clock, systemClock } from './clock.js';
import { withDeadline } from './deadline.js';
import { HeldDirectory, HeldFile } from './held.js';
import { HostError } from './host-error.js';

export interface HostRoots {
  readonly proc: string;
  readonly sys: string;
  readonly cgroup: string;
  readonly run: string;
}

export const DEFAULT_ROOTS: HostRoots = { proc: '/proc', sys: '/sys', cgroup: '/sys/fs/cgroup', run: '/run' };

/** statfs(2) f_type of a real procfs. Recorded trees have another one: there a directory's size says nothing. */
const PROC_SUPER_MAGIC = 0x9fa0;

/**
 * The machine as a value: roots, clock and the only calls that touch files. Everything read here is bounded in size;
 * kernel files are read synchronously (they never wait for a device), files of strangers with a deadline.
 */
export class Host {
  readonly roots: HostRoots;
  readonly pageBytes: number;
  /** Milliseconds since 1970 at boot (/proc/stat btime); null where it cannot be read. */
  readonly bootMs: number | null;
  /** True where the size of /proc/<pid>/fd is the number of descriptors (Linux 6.2 and later); probed on ourselves. */
  readonly descriptorCountBySize: boolean;
  readonly bootId: string | null;

  constructor(
    roots: Partial<HostRoots> = {},
    readonly clock: Clock = systemClock,
  ) {
    this.roots = { ...DEFAULT_ROOTS, ...roots };
    this.pageBytes = pageSize();
    this.bootMs = this.readBootTime();
    this.bootId = this.tryReadText(this.proc('sys/kernel/random/boot_id'), 64)?.trim() ?? null;
    this.descriptorCountBySize = this.probeDescriptorCount();
  }

  proc(...parts: string[]): string {
    return join(this.roots.proc, ...parts);
  }
  sys(...parts: string[]): string {
    return join(this.roots.sys, ...parts);
  }
  run(...parts: string[]): string {
    return join(this.roots.run, ...parts);
  }
  cgroup(...parts: string[]): string {
    return join(this.roots.cgroup, ...parts);
  }

  /** A kernel file as text. @throws ENOENT, ESRCH, EACCES …; EFBIG beyond the limit */
  readText(path: string, limitBytes = 1 << 20): string {
    return readBounded(path, limitBytes).toString('utf8');
  }

  tryReadText(path: string, limitBytes = 1 << 20): string | undefined {
    try {
      return this.readText(path, limitBytes);
    } catch {
      return undefined;
    }
  }

  /** The start of a kernel file into a buffer of the caller's. @returns bytes read */
  readInto(path: string, buffer: Buffer): number {
    const fd = openSync(path, constants.O_RDONLY);
    try {
      // Not at a position: files of debugfs that hold one number refuse pread(2) with ESPIPE (simple_attr_open).
      return readSync(fd, buffer, 0, buffer.length, null);
    } finally {
      closeSync(fd);
    }
  }

  /** st_size: of /proc/<pid>/fd the number of descriptors where `descriptorCountBySize` holds. */
  sizeOf(path: string): number {
    return statSync(path).size;
  }

  /** Permission bits of a file; undefined where it cannot be looked at. */
  tryMode(path: string): number | undefined {
    try {
      return statSync(path).mode & 0o777;
    } catch {
      return undefined;
    }
  }

  list(path: string): string[] {
    return readdirSync(path);
  }

  /** Target of a symbolic link; undefined where there is none or we may not look. */
  tryLink(path: string): string | undefined {
    try {
      return readlinkSync(path);
    } catch {
      return undefined;
    }
  }

  exists(path: string): boolean {
    try {
      accessSync(path, constants.F_OK);
      return true;
    } catch {
      return false;
    }
  }

  holdDirectory(path: string): HeldDirectory {
    return new HeldDirectory(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  holdFile(path: string): HeldFile {
    return new HeldFile(openSync(path, constants.O_RDONLY));
  }

  /**
   * A file that somebody else writes (metadata, run state, configuration). Never follows a symlink in the last part, never opens a
   * FIFO or device, never waits longer than the deadline.
   * @throws ELOOP for a symlink, EINVAL for no regular file, EFBIG beyond the limit, ETIMEDOUT
   */
  async readStrangersFile(path: string, limitBytes: number, deadlineMs = 1000): Promise<string> {
    return withDeadline(readRegularFile(path, limitBytes), deadlineMs, `reading ${path}`);
  }

  private readBootTime(): number | null {
    const btime = /^btime (\d+)$/m.exec(this.tryReadText(this.proc('stat'), 1 << 22) ?? '')?.[1];
    return btime === undefined ? null : Number(btime) * 1000;
  }

  private probeDescriptorCount(): boolean {
    try {
      return statfsSync(this.roots.proc).type === PROC_SUPER_MAGIC && statSync(this.proc('self', 'fd')).size > 0;
    } catch {
      return false;
    }
  }
}

/** AT_PAGESZ of our own auxiliary vector, getauxval(3): pages are 4, 16 or 64 KiB, and statm counts in them. */
function pageSize(): number {
  const AT_PAGESZ = 6n;
  try {
    const auxv = readFileSync('/proc/self/auxv');
    for (let at = 0; at + 16 <= auxv.length; at += 16) {
      if (auxv.readBigUInt64LE(at) === AT_PAGESZ) return Number(auxv.readBigUInt64LE(at + 8));
    }
  } catch {
    // Without an own /proc nothing else works either; the value is only ever used on pages read from there.
  }
  return 4096;
}

async function readRegularFile(path: string, limitBytes: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const about = await file.stat();
    if (!about.isFile()) throw new HostError('EINVAL', `${path} is not a regular file`);
    if (about.size > limitBytes) throw new HostError('EFBIG', `${path} is longer than ${limitBytes} bytes`);
    // The size may have grown since: one byte more than the limit is room enough to notice.
    const buffer = Buffer.allocUnsafe(Math.min(limitBytes, about.size + 65_536) + 1);
    let total = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, total, buffer.length - total, total);
      total += bytesRead;
      if (total > limitBytes) throw new HostError('EFBIG', `${path} is longer than ${limitBytes} bytes`);
      if (bytesRead === 0) return buffer.toString('utf8', 0, total);
      if (total === buffer.length) throw new HostError('EAGAIN', `${path} grows while it is read`);
    }
  } finally {
    await file.close();
  }
}
