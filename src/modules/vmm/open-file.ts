/** What the kernel says of a descriptor, proc_pid_fdinfo(5). */
export interface OpenFile {
  /** Where its holder reads or writes next, bytes. */
  readonly position: number;
  /** open(2). */
  readonly flags: number;
}

/** As numbered on every architecture that Firecracker runs on, include/uapi/asm-generic/fcntl.h. */
const O_ACCMODE = 0o3;
const O_RDWR = 0o2;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;

/** null for what does not parse. */
export function parseOpenFile(text: string): OpenFile | null {
  const position = Number(/^pos:\t(\d+)$/m.exec(text)?.[1]);
  const flags = Number.parseInt(/^flags:\t([0-7]+)$/m.exec(text)?.[1] ?? '', 8);
  return Number.isSafeInteger(position) && Number.isSafeInteger(flags) ? { position, flags } : null;
}

/** Opened as Firecracker opens where it writes logs, metrics and the console to, `open_file_nonblock` of src/vmm/src/utils/mod.rs; disks are not. */
export const isSink = ({ flags }: OpenFile): boolean => (flags & O_ACCMODE) === O_RDWR && (flags & O_NONBLOCK) !== 0;

export const isAppending = ({ flags }: OpenFile): boolean => (flags & O_APPEND) !== 0;
