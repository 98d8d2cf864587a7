import { fileURLToPath } from 'node:url';
import { systemError } from './faults.js';
import type { RecordedHost } from './recorded-host.js';

/** A recorded host below fixtures/hosts, and what a plain tree cannot show. */
export interface Story {
  readonly name: string;
  /** The instance that has golden files of its own; missing where there is none. */
  readonly instance?: string;
  readonly prepare?: (host: RecordedHost) => void;
}

/** What an agent without CAP_SYS_PTRACE is refused of another user's process, proc(5); root cannot be refused by a file's mode. */
const PTRACE_FILES = '(fd|fdinfo|exe|cwd|root|io|smaps_rollup|ns)(/.*)?$';

function refuseStrangers(host: RecordedHost): void {
  for (const pid of [6101, 6201]) {
    host.faults.break(new RegExp(`^proc/${pid}/${PTRACE_FILES}`), { error: systemError('EACCES', `process ${pid}`) });
  }
}

export const STORIES: readonly Story[] = [
  { name: 'two-qemu', instance: '3f0c6a1e-0000-4000-8000-0123456789ab' },
  { name: 'clh-and-firecracker', instance: 'cloud-hypervisor-2101-300000' },
  { name: 'dying-vm', instance: '11111111-0000-4000-8000-000000000004' },
  { name: 'unreadable', instance: 'uvw12345678', prepare: refuseStrangers },
  { name: 'hostile', instance: '33333333-0000-4000-8000-000000000003' },
  { name: 'hypeman', instance: 'qem4xk2p9wvb7rtn3ay6' },
  { name: 'empty' },
];

export function story(name: string): Story {
  const found = STORIES.find((one) => one.name === name);
  if (!found) throw new Error(`no story is called ${name}`);
  return found;
}

export const rootOf = ({ name }: Story): string => fileURLToPath(new URL(`../../fixtures/hosts/${name}`, import.meta.url));
