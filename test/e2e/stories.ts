import type { Dialogue } from '../../src/modules/vmm/dialogue.js';
import { answering, FULL_ANSWER } from '../vmm-answer.js';
import { systemError } from './faults.js';
import type { RecordedHost } from './recorded-host.js';
import { recording } from './recordings.js';
import { SwitchedVms } from './switched-vms.js';
import type { World } from './world.js';

/** A recorded host below fixtures/hosts, and what a plain tree cannot show. */
export interface Story {
  readonly name: string;
  /** Folder of the recording, where it is not the story's name. */
  readonly host?: string;
  /** What its VMMs say when they are asked; nobody is where it is missing. */
  readonly dialogues?: readonly Dialogue[];
  /** The instance that has golden files of its own; missing where there is none. */
  readonly instance?: string;
  /** Sweeps of 5 s before the golden files are written, one where it is missing: a reading of the tier `threads` needs two turns. */
  readonly sweeps?: number;
  readonly prepare?: (host: RecordedHost) => void;
  /** What lives and is asked, as files are not; made for each agent. Its host stands in for the recording. */
  readonly world?: () => Promise<World>;
}

/** What an agent without CAP_SYS_PTRACE is refused of another user's process, proc(5); root cannot be refused by a file's mode. */
const PTRACE_FILES = '(fd|fdinfo|exe|cwd|root|io|smaps_rollup|ns)(/.*)?$';

function refuseStrangers(host: RecordedHost): void {
  for (const pid of [6101, 6201]) {
    host.faults.break(new RegExp(`^proc/${pid}/${PTRACE_FILES}`), { error: systemError('EACCES', `process ${pid}`) });
  }
}

/** The first turn is anywhere within an interval of 30 s, the second follows it. */
const TURNS_OF_THREADS = 13;

export const STORIES: readonly Story[] = [
  { name: 'two-qemu', instance: '3f0c6a1e-0000-4000-8000-0123456789ab' },
  {
    ...{ name: 'answering-vmms', host: 'two-qemu', instance: '3f0c6a1e-0000-4000-8000-0123456789ab' },
    dialogues: [answering('qemu', () => FULL_ANSWER)],
  },
  {
    ...{ name: 'switched-vms', host: 'two-qemu', instance: '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11' },
    world: () => SwitchedVms.start(),
  },
  // Two looks at the limits, and one more for a level.
  { name: 'limited-vms', instance: '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11', sweeps: TURNS_OF_THREADS },
  { name: 'clh-and-firecracker', instance: 'cloud-hypervisor-2101-300000' },
  { name: 'dying-vm', instance: '11111111-0000-4000-8000-000000000004' },
  { name: 'unreadable', instance: 'uvw12345678', prepare: refuseStrangers },
  { name: 'hostile', instance: '33333333-0000-4000-8000-000000000003' },
  { name: 'hypeman', instance: 'qem4xk2p9wvb7rtn3ay6' },
  { name: 'kata-go-qemu', instance: 'b962d4afcc67a811c4fdefbf6e55b5fed69f9c933b01f1f45b3682342dbcccac', sweeps: TURNS_OF_THREADS },
  { name: 'kata-go-clh', instance: 'b97dfae87ec6ccacb2c7478baad42ea883d7a7d3d91113dba43bd2f5c5b294db', sweeps: TURNS_OF_THREADS },
  { name: 'kata-rs-qemu', instance: '7759f45f2cb84126c4fa77904bec2deebb328b81245355c12b8130c010a37308', sweeps: TURNS_OF_THREADS },
  { name: 'kata-rs-dragonball', instance: '694cb700fb3cee58deda17c9b9a5be783c5ab0a19b7a3f7ef7608ebd675d1ce7', sweeps: TURNS_OF_THREADS },
  { name: 'empty' },
];

export function story(name: string): Story {
  const found = STORIES.find((one) => one.name === name);
  if (!found) throw new Error(`no story is called ${name}`);
  return found;
}

export const rootOf = ({ name, host = name }: Story): string => recording(host);
