import type { Host } from '../../host/host.js';
import type { Subject } from '../../model/collector.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { type HeldProcess, Stat } from '../../model/process.js';
import { isVmmInShim } from '../../model/vmm-in-shim.js';
import { type Entry, Part } from './cpu-ledger.js';
import { readKin } from './kin.js';
import { readStatOf } from './process-stat.js';
import { readThread, readThreads, type Thread, vcpusAmong } from './threads.js';

/** Threads, or the outcome where they cannot be told. */
type Threads = readonly Thread[] | Outcome;

/** Everything of a sandbox that uses CPU, once: threads of the VMM, its vhost threads, shim and virtiofsd. @returns or why it cannot be told */
export function readCpuEntries(
  host: Host,
  subject: Subject,
  vmm: HeldProcess,
  shim: HeldProcess,
  virtiofsd: HeldProcess | null,
): readonly Entry[] | Outcome {
  const threads = readThreads(vmm);
  if (typeof threads === 'number') return threads;
  const vcpus = vcpusAmong(threads);
  if (vcpus.size === 0) return Outcome.unsupported;
  const vmmPart = isVmmInShim(subject) ? Part.shim : Part.vmm;
  const entries: Entry[] = threads.map((thread) => [vcpus.has(thread) ? Part.vcpu : vmmPart, thread]);
  const others: readonly (readonly [Part, () => Threads])[] = [
    [vmmPart, () => vhostThreads(host, subject, vmm)],
    [Part.shim, () => (shim === vmm ? [] : wholeProcess(shim, subject))],
    [Part.virtiofsd, () => (virtiofsd ? wholeProcess(virtiofsd, subject) : [])],
    [Part.virtiofsd, () => (virtiofsd ? kin(host, virtiofsd) : [])],
  ];
  try {
    for (const [part, read] of others) {
      const found = read();
      if (typeof found === 'number') return found;
      for (const thread of found) entries.push([part, thread]);
    }
  } catch (error) {
    return outcomeOfErrno(error);
  }
  return entries;
}

/** A process whose threads need not be told apart: its own sum has those that ended, too. */
function wholeProcess(process: HeldProcess, subject: Subject): Threads {
  const outcome = readStatOf(process, subject);
  if (outcome !== Outcome.ok) return outcome;
  const { stat, pid, startTicks } = process;
  return [{ key: `${pid}@${startTicks}`, name: '', ticks: stat[Stat.userTicks] + stat[Stat.systemTicks], guestTicks: 0 }];
}

function kin(host: Host, process: HeldProcess): Threads {
  const found = readKin(host, process, (pid, file) => readThread(pid, (buffer) => file('stat', buffer)));
  return typeof found === 'number' ? found : readable(found);
}

/** Kernel threads that move the guest's frames; since Linux 6.4 they are threads of the VMM and none are listed here. */
function vhostThreads(host: Host, { vhostThreads: pids }: Subject, vmm: HeldProcess): Threads {
  const threads = readable(pids.map((pid) => readThread(String(pid), (buffer) => host.readInto(host.proc(String(pid), 'stat'), buffer))));
  return typeof threads === 'number' ? threads : threads.filter(({ name }) => name === `vhost-${vmm.pid}`);
}

function readable(threads: readonly (Thread | null | undefined)[]): Threads {
  if (threads.includes(undefined)) return Outcome.malformed;
  return threads.filter((thread) => thread !== null && thread !== undefined);
}
