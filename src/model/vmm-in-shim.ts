import type { Subject } from './collector.js';
import type { HeldProcess } from './process.js';

/** Shims that were said to contain their VMM: Kata's files may go before the process does. */
const containers = new WeakSet<HeldProcess>();

/** Dragonball's VMM is made of threads of the shim. */
export function isVmmInShim({ process, record: { sandbox, hypervisor } }: Subject): boolean {
  if (sandbox?.vmmInShim && process) containers.add(process);
  return sandbox?.vmmInShim ?? (hypervisor === 'dragonball' || (process !== null && containers.has(process)));
}
