import type { Host } from '../../host/host.js';
import type { ProcessClaim } from '../../model/instance.js';
import { hasEnded, holdProcess } from '../procfs/held-process.js';
import { readArgv } from './evidence.js';
import type { ProcessKey } from './merge.js';

/** What the registry knows about running VMMs, for claims that ask for evidence. */
export interface VmmLookup {
  isVmm(pid: number): boolean;
  /** True where permission was missing: then a claim that carries another proof is believed without this one. */
  unknown(pid: number): boolean;
}

export type ClaimVerdict = { readonly process: ProcessKey } | { readonly refused: 'gone' | 'other_process' };

/** Looks whether the process that a source names is there and is the one it means. A stale pid is never believed. */
export async function checkClaim(host: Host, claim: ProcessClaim, vmms: VmmLookup): Promise<ClaimVerdict> {
  if (claim.bootId !== undefined && host.bootId !== null && claim.bootId !== host.bootId) return { refused: 'gone' };
  let process: ReturnType<typeof holdProcess>;
  try {
    process = holdProcess(host, claim.pid);
  } catch {
    return { refused: 'gone' };
  }
  try {
    if (hasEnded(process.stateCode)) return { refused: 'gone' };
    if (claim.startTicks !== undefined && claim.startTicks !== process.startTicks) return { refused: 'other_process' };
    const proven = claim.startTicks !== undefined || claim.argument !== undefined;
    if (claim.mustBeVmm && !vmms.isVmm(claim.pid) && !(proven && vmms.unknown(claim.pid))) return { refused: 'other_process' };
    const { argument } = claim;
    if (claim.startTicks === undefined && argument !== undefined) {
      const argv = await readArgv(process.held);
      if (!argv.some((word) => word.includes(argument))) return { refused: 'other_process' };
    }
    return { process: { pid: claim.pid, startTicks: process.startTicks } };
  } finally {
    process.close();
  }
}
