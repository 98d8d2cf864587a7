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
 * @throws errors of reading who they are
 */
export function readKin<T>(host: Host, process: HeldProcess, read: (pid: string, file: ReadFile) => T): readonly T[] {
  const before = kinOf(host, process);
  if (before.length === 0) return [];
  const found = before.map((pid) => [pid, read(pid, (name, buffer) => host.readInto(host.proc(pid, name), buffer))] as const);
  const after = new Set(kinOf(host, process));
  return found.filter(([pid]) => after.has(pid)).map(([, value]) => value);
}

const kinOf = (host: Host, process: HeldProcess): readonly string[] => [...childrenOf(process), ...parentOf(host, process)];

/** Children of the main thread, proc_pid_task_children(5); none where the kernel does not tell (CONFIG_PROC_CHILDREN). */
function childrenOf(process: HeldProcess): readonly string[] {
  const children = textOr('', () => process.readOnce(`task/${process.pid}/children`, text));
  return children.match(/\d+(?= )/g)?.slice(0, MAX_CHILDREN) ?? [];
}

/** The parent, where it has the same name: another one is the shim, or whoever adopts orphans. */
function parentOf(host: Host, process: HeldProcess): readonly string[] {
  const [, name, pid] = /^\d+ \((.*)\) \S (\d+) /s.exec(textOr('', () => process.readOnce('stat', text))) ?? [];
  if (pid === undefined) return [];
  return textOr('', () => host.readInto(host.proc(pid, 'comm'), text)) === `${name}\n` ? [pid] : [];
}

function textOr(missing: string, read: () => number): string {
  try {
    return text.toString('latin1', 0, read());
  } catch (error) {
    if (outcomeOfErrno(error) === Outcome.gone) return missing;
    throw error;
  }
}
