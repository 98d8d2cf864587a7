import { codeOf, type ProbeTools } from './probe-tools.js';

/** Bits of CapEff, linux/capability.h. */
const BITS = { CAP_DAC_OVERRIDE: 1n, CAP_DAC_READ_SEARCH: 2n, CAP_SYS_PTRACE: 19n, CAP_SYS_ADMIN: 21n } as const;
export type Right = keyof typeof BITS;

/** What this process is and may do. */
export interface OwnProcess {
  /** Effective. */
  readonly uid: number;
  readonly rights: ReadonlySet<Right>;
}

/** Null where the procfs that is read does not know this process. @throws the system's other errors */
export async function ownProcess({ host, look }: ProbeTools): Promise<OwnProcess | null> {
  const text = await unlessGone(look.text(host.proc('self', 'status')));
  return text === null ? null : parseOwnProcess(text);
}

/** proc_pid_status(5): the second of Uid is the effective one, CapEff is hexadecimal. */
export function parseOwnProcess(text: string): OwnProcess | null {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1];
  const effective = /^CapEff:\s+([0-9a-f]{1,16})$/m.exec(text)?.[1];
  if (uid === undefined || effective === undefined) return null;
  const mask = BigInt(`0x${effective}`);
  // Object.keys forgets what it was given.
  const all = Object.keys(BITS) as Right[];
  return { uid: Number(uid), rights: new Set(all.filter((right) => (mask >> BITS[right]) & 1n)) };
}

/** For people: `user 65534 without capabilities`, `root with all rights`. */
export function ownWords(own: OwnProcess | null): string {
  if (!own) return 'this agent';
  const who = own.uid === 0 ? 'root' : `user ${own.uid}`;
  const missing = (['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'] as const).filter((right) => !own.rights.has(right));
  return missing.length === 0 ? `${who} with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH` : `${who} without ${missing.join(' and ')}`;
}

/** @returns null for ENOENT, ENOTDIR and ESRCH */
export async function unlessGone<T>(look: Promise<T>): Promise<T | null> {
  try {
    return await look;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH') return null;
    throw error;
  }
}

/** Files of this process stand for what the kernel has; null where the procfs that is read does not know it, and they say nothing. */
export async function ownFile({ host, look }: ProbeTools, name: string): Promise<{ readonly text: string | null } | null> {
  const text = await unlessGone(look.text(host.proc('self', name)));
  return text === null && !(await look.isThere(host.proc('self', 'stat'))) ? null : { text };
}
