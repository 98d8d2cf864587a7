import type { Host } from '../../host/host.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { kindOf, type StatisticKind } from './kvm-statistics.js';

/** Number of the thread that made the VM, and the descriptor it got (kvm_create_vm_debugfs). */
export const VM_NAME = /^(\d{1,10})-(\d{1,10})$/;

export type Refusal = Exclude<Outcome, typeof Outcome.ok>;

/** Outcome of a file of debugfs that gave an error. EPERM to whoever came so far is lockdown's (debugfs_locked_down); EACCES is rights'. */
export function refusal(error: unknown): Refusal {
  if (error instanceof Error && 'code' in error && error.code === 'EPERM') return Outcome.lockdown;
  const outcome = outcomeOfErrno(error);
  return outcome === Outcome.ok ? Outcome.ioError : outcome;
}

/**
 * Whether this agent can read what KVM counts. notConfigured: debugfs is not mounted where `path.sysfs` is. notPermitted: it is for root alone.
 * lockdown: the kernel refuses counters to everybody. unsupported: a kernel without debugfs, or KVM is not loaded.
 */
export function kvmDebugfsAccess(host: Host): Outcome {
  const names = listKvm(host);
  if (typeof names === 'number') return names;
  const counter = [...kindsOf(host, names)].find(([, kind]) => kind === 'counter')?.[0];
  if (counter === undefined) return Outcome.unsupported;
  try {
    // Opened and not read: here it is the sum over all VMs.
    host.holdFile(kvm(host, counter)).close();
    return Outcome.ok;
  } catch (error) {
    return refusal(error);
  }
}

/** Names in <sys>/kernel/debug/kvm: VMs and, beside them, statistics. */
export function listKvm(host: Host): readonly string[] | Refusal {
  try {
    const mount = host.list(host.sys('kernel', 'debug'));
    if (mount.length === 0) return Outcome.notConfigured;
    return mount.includes('kvm') ? host.list(kvm(host)) : Outcome.unsupported;
  } catch (error) {
    const outcome = refusal(error);
    if (outcome === Outcome.lockdown) return Outcome.notPermitted;
    return outcome === Outcome.gone ? Outcome.unsupported : outcome;
  }
}

/** A path there. */
export const kvm = (host: Host, ...parts: readonly string[]): string => host.sys('kernel', 'debug', 'kvm', ...parts);

/** The statistics among the names, without histograms. */
export function kindsOf(host: Host, names: readonly string[]): Map<string, StatisticKind> {
  const kinds = new Map<string, StatisticKind>();
  for (const name of names) {
    if (VM_NAME.test(name)) continue;
    const kind = kindOf(name, host.tryMode(kvm(host, name)));
    if (kind !== 'histogram') kinds.set(name, kind);
  }
  return kinds;
}
