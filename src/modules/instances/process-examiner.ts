import type { HeldDirectory } from '../../host/held.js';
import type { Host } from '../../host/host.js';
import type { Slicer } from '../../host/slicer.js';
import type { Hypervisor, InstanceRecord, Nic } from '../../model/instance.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Stat } from '../../model/process.js';
import type { HypervisorDriver, ProcessEvidence } from '../hypervisor/driver.js';
import { hasEnded, holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import { readArgv, readCgroups, readDescriptors, readListening, type ScanCache, tryLink, tryText } from './evidence.js';
import { globPattern } from './glob.js';

const CONFIG_FILE_BYTES = 65_536;
const DELETED = / \(deleted\)$/;

/** A process that is a VMM by evidence, and what it tells of its VM. */
export interface Vmm {
  readonly pid: number;
  readonly startTicks: number;
  readonly hypervisor: Hypervisor;
  readonly uid: number;
  readonly executable?: string;
  readonly cgroups: readonly string[];
  /** The instance as host discovery would name it; the id may be missing. */
  readonly record: Omit<InstanceRecord, 'id'> & { readonly id?: string };
}

/** `vmm` null: an ordinary process. `refused`: we may not look, so nothing can be said. */
export interface Verdict {
  readonly vmm: Vmm | null;
  readonly refused: boolean;
}

/**
 * Looks at one process and says whether it is a VMM. Evidence is a kvm-vm descriptor, or an executable whose path the operator listed;
 * never argv or comm alone, which any user may choose.
 */
export class ProcessExaminer {
  private executables: readonly RegExp[];
  /** That of the host's init, or our own where init may not be looked at; empty in a recorded tree. */
  private readonly userNamespace: string;

  constructor(
    private readonly host: Host,
    private readonly drivers: readonly HypervisorDriver[],
    executables: readonly string[],
  ) {
    this.executables = executables.map(globPattern);
    this.userNamespace = host.tryLink(host.proc('1', 'ns', 'user')) ?? host.tryLink(host.proc('self', 'ns', 'user')) ?? '';
  }

  listExecutables(executables: readonly string[]): void {
    this.executables = executables.map(globPattern);
  }

  /** @throws ENOENT, ESRCH when there is no such process */
  async examine(pid: number, cache: ScanCache, slicer: Slicer): Promise<Verdict> {
    const process = holdProcess(this.host, pid);
    try {
      if (hasEnded(process.stateCode)) return { vmm: null, refused: false };
      return await this.look(process, cache, slicer);
    } finally {
      process.close();
    }
  }

  private async look(process: ProcfsProcess, cache: ScanCache, slicer: Slicer): Promise<Verdict> {
    const directory = process.held;
    const executable = tryLink(directory, 'exe').replace(DELETED, '');
    const listed = this.executables.some((pattern) => pattern.test(executable)) && this.isHostsPath(directory);
    let descriptors: Awaited<ReturnType<typeof readDescriptors>>;
    try {
      descriptors = await readDescriptors(directory, cache, slicer);
    } catch (error) {
      if (outcomeOfErrno(error) !== Outcome.notPermitted) throw error;
      return { vmm: null, refused: true };
    }
    if (!listed && descriptors.kvmVms === 0) return { vmm: null, refused: false };
    const evidence: ProcessEvidence = {
      pid: process.pid,
      startTicks: process.startTicks,
      comm: tryText(directory, 'comm').replace(/\n$/, ''),
      ...(executable === '' ? {} : { executable }),
      argv: await readArgv(directory),
      kvmVms: descriptors.kvmVms,
      kvmVcpus: descriptors.kvmVcpus,
      taps: descriptors.taps,
      listening: readListening(directory, descriptors.socketInodes, cache),
      cgroups: readCgroups(directory),
      readFile: (path) => this.readConfiguration(directory, path),
      pciClass: (address) => this.pciClass(address),
    };
    const driver = this.drivers.find((candidate) => candidate.claims(evidence));
    return { vmm: driver ? this.describe(driver, evidence, process) : null, refused: false };
  }

  /**
   * The path of an executable is worth what its mounts are: in a user namespace of their own anybody can mount anything anywhere. There
   * only a kvm-vm descriptor counts.
   */
  private isHostsPath(directory: HeldDirectory): boolean {
    return this.userNamespace === '' || tryLink(directory, 'ns/user') === this.userNamespace;
  }

  private describe(driver: HypervisorDriver, evidence: ProcessEvidence, process: ProcfsProcess): Vmm {
    const description = driver.describe(evidence);
    const { pid, startTicks } = process;
    const record = {
      ...description,
      ...(description.nics ? { nics: description.nics.map((nic) => throughDescriptor(nic, evidence)) } : {}),
      hypervisor: driver.name,
      process: { pid, startTicks },
    };
    return {
      pid,
      startTicks: process.stat[Stat.startTicks],
      hypervisor: driver.name,
      uid: process.held.owner(),
      ...(evidence.executable === undefined ? {} : { executable: evidence.executable }),
      cgroups: evidence.cgroups,
      record,
    };
  }

  /**
   * Only for a process of root or our own user that sees the host's own root: anybody else could mount a file system there on which the
   * read never returns.
   */
  private readConfiguration(directory: HeldDirectory, path: string): string | undefined {
    const owner = directory.owner();
    if (owner !== 0 && owner !== process.getuid?.()) return undefined;
    if (tryLink(directory, 'root') !== '/') return undefined;
    try {
      return directory.readRegularText(path.startsWith('/') ? `root${path}` : `cwd/${path}`, CONFIG_FILE_BYTES);
    } catch {
      return undefined;
    }
  }

  private pciClass(address: string): string | undefined {
    if (!/^[0-9a-fA-F:.]{1,16}$/.test(address)) return undefined;
    const full = /^[0-9a-fA-F]{4}:/.test(address) ? address : `0000:${address}`;
    return this.host.tryReadText(this.host.sys('bus', 'pci', 'devices', full, 'class'), 32)?.trim();
  }
}

/** A tap's name came from one of its descriptors; which one is told on, so that it can be asked again. */
function throughDescriptor(nic: Nic, { taps }: ProcessEvidence): Nic {
  const held = taps.find(({ kind, name }) => kind === 'tap' && name !== undefined && name === nic.name);
  return held && nic.kind === held.kind ? { ...nic, descriptor: held.fd } : nic;
}
