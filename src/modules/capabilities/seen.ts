import { Outcome } from '../../model/outcome.js';
import { type Finding, lacks } from './capability.js';
import { giveRights } from './fixes.js';
import { type ProbeTools, some } from './probe-tools.js';

/** How many processes nobody here may look into; null where discovery saw all it found. */
export function unseen({ discovery: { unreadable, processes } }: ProbeTools): string | null {
  return unreadable === 0 ? null : `${unreadable} of ${some(processes, 'process', 'processes')} cannot be looked into`;
}

/** What is to be said instead of "there is none" where not all could be looked into; undefined where that is certain. @param what `no QEMU that can be seen runs here` */
export function uncertain(what: string, tools: ProbeTools): Finding | undefined {
  const hidden = unseen(tools);
  return hidden === null ? undefined : lacks(Outcome.notPermitted, { detail: `${what}; ${hidden}`, need: 'none', fix: giveRights });
}
