import type { Host } from '../../host/host.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';

/** virtiofsd has one relative; this is a bound for what a stranger can cost. */
const MAX_CHILDREN = 16;

const text = Buffer.allocUnsafeSlow(4096);

/** The start of a file below /proc/<pid>. @returns bytes in the buffer; @throws errors of reading */
export type ReadFile = (name: string, buffer: Buffer) => number;

/**
 * Reads something of each relative of a virtiofsd. Its own sandbox makes it two processes: the one that Kata started only waits for its
 * child, which serves; either may be the one that is known.
 * @param read gives files of the relative; one that is none any more afterwards is left out, because its pid may have passed on
 * @returns malformed where a stat line does not tell who they are; @throws errors of reading it
 */
export function readKin<T>(host: Host, process: HeldProcess, read: (pid: string, file: ReadFile) => T): readonly T[] | Outcome {
  const before = kinOf(host, process);
  if (before === null) return Outcome.malformed;
  if (before.length === 0) return [];
  const found = before.map((pid) => [pid, read(pid, (name, buffer) => host.readInto(host.proc(pid, name), buffer))] as const);
  const after = new Set(kinOf(host, process) ?? []);
  return found.filter(([pid]) => after.has(pid)).map(([, value]) => value);
}

function kinOf(host: Host, process: HeldProcess): readonly string[] | null {
  const parents = parentOf(host, process);
  return parents && [...childrenOf(process), ...parents];
}

/** Children of the main thread, proc_pid_task_children(5); none where the kernel does not tell (CONFIG_PROC_CHILDREN). */
function childrenOf(process: HeldProcess): readonly string[] {
  const children = textOr('', () => process.readOnce(`task/${process.pid}/children`, text));
  return children.match(/\d+(?= )/g)?.slice(0, MAX_CHILDREN) ?? [];
}

/** The parent, where it has the same name: another one is the shim, or whoever adopts orphans. null for a stat line that is none. */
function parentOf(host: Host, process: HeldProcess): readonly string[] | null {
  const stat = textOr(null, () => process.readOnce('stat', text));
  if (stat === null) return [];
  const [, name, pid] = /^\d+ \((.*)\) \S (\d+) /s.exec(stat) ?? [];
  if (pid === undefined) return null;
  return textOr('', () => host.readInto(host.proc(pid, 'comm'), text)) === `${name}\n` ? [pid] : [];
}

function textOr<T>(missing: T, read: () => number): string | T {
  try {
    return text.toString('latin1', 0, read());
  } catch (error) {
    if (outcomeOfErrno(error) === Outcome.gone) return missing;
    throw error;
  }
}
