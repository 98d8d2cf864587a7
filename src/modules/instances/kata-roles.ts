import { basename } from 'node:path';
import { isShimProgram, isVirtiofsd, namesId, shimId } from './kata-argv.js';
import type { KataProcesses, Worker } from './kata-processes.js';
import type { KataState } from './kata-state.js';
import type { Vmm } from './process-examiner.js';

const ROOT = 0;
const VMM_PROGRAM = /^(?:qemu|cloud-hypervisor|clh|firecracker|stratovirt)/;
const DRAGONBALL_THREAD = /^(?:vmm_master|db_vcpu\d+)$/;

/** What the files say of one sandbox that helps to find its processes. */
export interface Traces {
  readonly id: string;
  readonly state?: KataState;
  /** Of the bundle. */
  readonly shimPid?: number;
  /** Of the sandbox's directory. */
  readonly owner: () => Promise<number | undefined>;
  readonly networkNamespace?: string;
  readonly cgroups: readonly string[];
}

/** The VMM's process; `evidence` missing where we may not look and other proofs must do. */
export interface FoundVmm {
  readonly worker: Worker;
  readonly evidence?: Vmm;
  readonly inShim: boolean;
}

/** Live processes of one sandbox, each proven to be its own. */
export interface Roles {
  readonly shim?: Worker;
  readonly vmm?: FoundVmm;
  readonly virtiofsd?: Worker;
  /** It once had a VMM. */
  readonly hadVmm: boolean;
}

const NOBODY: Roles = { hadVmm: false };

/**
 * Gives the processes of a sandbox their roles. A pid in a file is a word of yesterday and argv is anybody's choice, so each takes two
 * proofs of different kinds: a file of root's, descent from the shim, evidence of a VM, and whose the process is.
 */
export class RoleFinder {
  /** As they were found last: who was proven to be somebody stays it for as long as he lives, parents and bundles may go. */
  private known = new Map<string, Roles>();

  constructor(private readonly processes: KataProcesses) {}

  /** Forgets all but these. */
  keep(ids: ReadonlySet<string>): void {
    this.known = new Map([...this.known].filter(([id]) => ids.has(id)));
  }

  /** @param likely processes that look like this sandbox's shim */
  async roles(traces: Traces, likely: readonly Worker[]): Promise<Roles> {
    const before = this.known.get(traces.id) ?? NOBODY;
    let shim = (await this.shimOf(traces, traces.shimPid)) ?? (await this.shimOf(traces, (await this.stillThere(before.shim))?.pid));
    let vmm = await this.vmmOf(traces, shim, before);
    if (!shim) {
      shim = await this.shimOfVmm(traces, vmm);
      shim ??= await this.shimByName(traces, likely);
      vmm = shim ? ((await this.vmmOf(traces, shim, before)) ?? vmm) : vmm;
    }
    const sameShim = shim !== undefined && shim.startTicks === before.shim?.startTicks;
    const hadVmm = vmm !== undefined || (sameShim && before.hadVmm);
    const roles = { shim, vmm, virtiofsd: await this.virtiofsdOf(traces, shim, before), hadVmm };
    this.known.set(traces.id, roles);
    return roles;
  }

  private async stillThere(known: Worker | undefined): Promise<Worker | undefined> {
    const worker = known && (await this.processes.worker(known.pid));
    return worker?.startTicks === known?.startTicks ? worker : undefined;
  }

  private async shimOf(traces: Traces, pid: number | undefined): Promise<Worker | undefined> {
    const worker = pid === undefined ? undefined : await this.processes.worker(pid);
    return worker && (await this.isShim(traces, worker)) ? worker : undefined;
  }

  /** argv names the sandbox, and the process is nobody's who has no business there. */
  private async isShim({ id, owner }: Traces, { argv, uid }: Worker): Promise<boolean> {
    return shimId(argv) === id && (uid === ROOT || uid === process.getuid?.() || uid === (await owner()));
  }

  private async shimByName(traces: Traces, likely: readonly Worker[]): Promise<Worker | undefined> {
    for (const worker of likely) if (isShimProgram(worker) && (await this.isShim(traces, worker))) return worker;
    return undefined;
  }

  /** Dragonball's is the VMM itself, any other its parent. */
  private async shimOfVmm(traces: Traces, vmm: FoundVmm | undefined): Promise<Worker | undefined> {
    if (!vmm) return undefined;
    if (await this.isShim(traces, vmm.worker)) return vmm.worker;
    return this.shimOf(traces, this.processes.parentOf(vmm.worker.pid)?.pid);
  }

  private async vmmOf(traces: Traces, shim: Worker | undefined, before: Roles): Promise<FoundVmm | undefined> {
    const inShim = shim && (await this.dragonball(shim));
    if (inShim) return inShim;
    const proven = (await this.vmmByFile(traces, shim)) ?? (await this.vmmByDescent(traces, shim));
    if (proven) return proven;
    const known = before.vmm?.inShim ? undefined : await this.stillThere(before.vmm?.worker);
    return (known && (await this.vmm(known.pid))) ?? (await this.vmmByName(traces));
  }

  /** A VM in the shim's own threads: it holds the VM, or its threads say so where its descriptors may not be seen. */
  private async dragonball(shim: Worker): Promise<FoundVmm | undefined> {
    const evidence = this.processes.vmm(shim.pid);
    if (evidence) return { worker: shim, evidence, inShim: true };
    if (!this.processes.isUnknown(shim.pid)) return undefined;
    const names = await this.processes.threadNames(shim);
    return names.some((name) => DRAGONBALL_THREAD.test(name)) ? { worker: shim, inShim: true } : undefined;
  }

  private async vmmByFile(traces: Traces, shim: Worker | undefined): Promise<FoundVmm | undefined> {
    const pid = traces.state?.vmmPid;
    if (pid === undefined || pid === shim?.pid) return undefined;
    const found = await this.vmm(pid);
    if (!found) return undefined;
    if (shim && this.isChild(shim, pid)) return found;
    const itsOwn = this.processes.vmmsNaming(traces.id).some((vmm) => vmm.pid === pid) || namesId(found.worker.argv, traces.id);
    return itsOwn && (await this.belongs(traces, found)) ? found : undefined;
  }

  private async vmmByDescent(traces: Traces, shim: Worker | undefined): Promise<FoundVmm | undefined> {
    const found: FoundVmm[] = [];
    for (const { pid } of shim ? this.processes.childrenOf(shim) : []) {
      const vmm = await this.vmm(pid);
      if (vmm) found.push(vmm);
    }
    return found.find(({ worker }) => namesId(worker.argv, traces.id)) ?? found.find(({ evidence }) => evidence);
  }

  /** A daemon or jailed: nobody's child any more. What it calls itself counts only where a stranger cannot be. */
  private async vmmByName(traces: Traces): Promise<FoundVmm | undefined> {
    const found: FoundVmm[] = [];
    for (const { pid } of this.processes.vmmsNaming(traces.id)) {
      const vmm = await this.vmm(pid);
      if (vmm && (await this.belongs(traces, vmm))) found.push(vmm);
    }
    return found.find(({ evidence }) => isInCgroup(evidence, traces)) ?? found[0];
  }

  private async vmm(pid: number): Promise<FoundVmm | undefined> {
    const evidence = this.processes.vmm(pid);
    if (!evidence && !this.processes.isUnknown(pid)) return undefined;
    const worker = await this.processes.worker(pid);
    if (!worker || (!evidence && !VMM_PROGRAM.test(basename(worker.argv[0] ?? '')))) return undefined;
    return { worker, evidence, inShim: false };
  }

  private isChild(shim: Worker, pid: number): boolean {
    return this.processes.childrenOf(shim).some((child) => child.pid === pid);
  }

  /** Where no stranger's process can be: root's own, in the sandbox's cgroup, or in its network namespace. */
  private async belongs(traces: Traces, { worker, evidence }: FoundVmm): Promise<boolean> {
    if (worker.uid === ROOT || isInCgroup(evidence, traces)) return true;
    const { networkNamespace } = traces;
    return networkNamespace !== undefined && (await this.processes.isInNetwork(worker, networkNamespace));
  }

  private async virtiofsdOf(traces: Traces, shim: Worker | undefined, before: Roles): Promise<Worker | undefined> {
    const candidates = shim ? this.processes.childrenOf(shim).map(({ pid }) => pid) : [];
    const pid = traces.state?.virtiofsdPid;
    for (const candidate of pid === undefined ? candidates : [pid, ...candidates]) {
      const worker = await this.processes.worker(candidate);
      if (!worker || !isVirtiofsd(worker) || !namesId(worker.argv, traces.id)) continue;
      if (candidates.includes(candidate) || (worker.uid === ROOT && candidate === pid)) return this.working(worker);
    }
    return this.stillThere(before.virtiofsd);
  }

  /** A virtiofsd that sandboxes itself forks: the child serves, the parent waits for it. */
  private async working(parent: Worker): Promise<Worker> {
    for (const { pid } of this.processes.childrenOf(parent)) {
      const child = await this.processes.worker(pid);
      if (child && isVirtiofsd(child)) return child;
    }
    return parent;
  }
}

const isInCgroup = (evidence: Vmm | undefined, { cgroups }: Traces): boolean =>
  evidence?.cgroups.some((path) => cgroups.includes(path)) ?? false;
