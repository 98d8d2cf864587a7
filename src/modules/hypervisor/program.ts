import type { ProcessEvidence } from './driver.js';

/** TASK_COMM_LEN without its NUL: comm is cut to this many bytes, proc_pid_comm(5). */
const COMM_BYTES = 15;

/** Kata's shims, `-v2` for containerd's protocol; an operator may have one per runtime class (`containerd-shim-kata-fc-v2`). */
export const KATA_SHIM = /(?:^|\/)containerd-shim-kata(?:-[\w.]+)*-v2$/;

/** Names an executable of one kind may have. */
export interface ProgramNames {
  readonly exactly?: readonly string[];
  /** For names that end in an architecture or a version. */
  readonly startingWith?: readonly string[];
}

/** Whether the process runs such a program: by its executable, and only where that cannot be seen by comm, which a process may choose. */
export function runs({ executable, comm }: ProcessEvidence, { exactly = [], startingWith = [] }: ProgramNames): boolean {
  const name = executable === undefined ? comm : executable.slice(executable.lastIndexOf('/') + 1);
  if (exactly.includes(name) || startingWith.some((start) => name.startsWith(start))) return true;
  const cut = executable === undefined && comm.length === COMM_BYTES;
  return cut && [...exactly, ...startingWith].some((long) => long.startsWith(comm));
}
