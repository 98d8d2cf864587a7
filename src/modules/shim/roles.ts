import type { Subject } from '../../model/collector.js';
import type { HeldProcess } from '../../model/process.js';
import { isVmmInShim } from '../../model/vmm-in-shim.js';

/** A process of a sandbox, as families and documents name it. */
export interface Role {
  /** Of its families: `kata_shim_threads`. */
  readonly prefix: 'kata_shim' | 'kata_hypervisor' | 'kata_virtiofsd';
  /** Of its places in the stats document. */
  readonly place: string;
  /** Of its families in seconds and bytes; missing for the VMM, which has `vmgauge_vm_*`. */
  readonly native?: 'vmgauge_shim' | 'vmgauge_virtiofsd';
  /** HELP of its families as Kata writes them. */
  readonly help: Readonly<Record<'threads' | 'stat' | 'status' | 'io' | 'fds', string>>;
  process(subject: Subject): HeldProcess | null;
  /** Whether the sandbox has, or had, such a process: one that ended is gone, one that never was concerns nobody. */
  concerns(subject: Subject): boolean;
}

const isSandbox = ({ sandboxRow }: Subject): boolean => sandboxRow >= 0;

export const SHIM: Role = {
  prefix: 'kata_shim',
  place: 'shim',
  native: 'vmgauge_shim',
  help: {
    threads: 'Kata containerd shim v2 process threads.',
    stat: 'Kata containerd shim v2 process statistics.',
    status: 'Kata containerd shim v2 process status.',
    io: 'Kata containerd shim v2 process IO statistics.',
    fds: 'Kata containerd shim v2 open FDs.',
  },
  process: (subject) => subject.companion('shim'),
  concerns: isSandbox,
};

export const VMM: Role = {
  prefix: 'kata_hypervisor',
  place: 'shim.hypervisor',
  help: {
    threads: 'Hypervisor process threads.',
    stat: 'Hypervisor process statistics.',
    status: 'Hypervisor process status.',
    io: 'Hypervisor process IO statistics.',
    fds: 'Open FDs of the hypervisor process.',
  },
  process: ({ process }) => process,
  concerns: (subject) => isSandbox(subject) && !isVmmInShim(subject),
};

/** VMMs that had a virtiofsd; their sandbox is broken without it. */
const served = new WeakSet<HeldProcess>();

export const VIRTIOFSD: Role = {
  prefix: 'kata_virtiofsd',
  place: 'shim.virtiofsd',
  native: 'vmgauge_virtiofsd',
  help: {
    threads: 'Virtiofsd process threads.',
    stat: 'Virtiofsd process statistics.',
    status: 'Virtiofsd process status.',
    io: 'Virtiofsd process IO statistics.',
    fds: 'Open FDs of the virtiofsd process.',
  },
  process: (subject) => subject.companion('virtiofsd'),
  concerns(subject) {
    if (!isSandbox(subject)) return false;
    const { process, record } = subject;
    const named = subject.companion('virtiofsd') !== null || (record.companions?.some(({ role }) => role === 'virtiofsd') ?? false);
    if (named && process) served.add(process);
    return named || (process !== null && served.has(process));
  },
};
