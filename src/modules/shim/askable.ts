import type { Subject } from '../../model/collector.js';
import { ASKABLE_SHIMS } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { isVmmInShim } from '../../model/vmm-in-shim.js';

/**
 * Whether the shim of a sandbox may be asked over its socket: ok, or why not. Asked anew before each question, and not left to whoever made
 * the settings: a shim of runtime-rs with QEMU or Firecracker dies of the question, and its sandbox with it (kata-containers#13708).
 * @param configured `<runtime>/<hypervisor>` of the shims that may be asked
 */
export function mayBeAsked(subject: Subject, configured: readonly string[]): Outcome {
  const { sandbox } = subject.record;
  const hypervisor = sandbox?.hypervisor;
  const shim = subject.companion('shim');
  if (!subject.process) return Outcome.gone;
  if (sandbox?.runtime === undefined || hypervisor === undefined) return sandbox ? Outcome.unsupported : Outcome.gone;
  // Another source has the last word on the record; where it contradicts, one of the two is wrong, and the question may be deadly.
  if (subject.record.hypervisor !== hypervisor) return Outcome.unsupported;
  const kind = `${sandbox.runtime}/${hypervisor}`;
  const vmmInShim = kind === 'rust/dragonball';
  if (!ASKABLE_SHIMS.some((askable) => askable === kind) || isVmmInShim(subject) !== vmmInShim) return Outcome.unsupported;
  if (!configured.includes(kind)) return Outcome.notConfigured;
  if (!shim || sandbox.directory === undefined) return Outcome.gone;
  // A word against what is there: a VMM inside a shim that has a process of its own, or the other way round.
  return (shim === subject.process) === vmmInShim ? Outcome.ok : Outcome.unsupported;
}

const statusText = Buffer.allocUnsafeSlow(16_384);
/** Real, effective, saved and file system uid, proc_pid_status(5). */
const UIDS = /^Uid:\s+\d+\s+(\d+)/m;

/** Effective uid of a shim; null where nobody tells. @throws ESRCH, EACCES */
export function ownerOf(shim: HeldProcess): number | null {
  const uid = UIDS.exec(statusText.toString('latin1', 0, shim.readOnce('status', statusText)))?.[1];
  return uid === undefined ? null : Number(uid);
}
