import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { kindsOf, kvm, kvmDebugfsAccess, listKvm, type Refusal, refusal, VM_NAME } from './kvm-access.js';
import { parseStatistic, type StatisticKind } from './kvm-statistics.js';

/** A listing of 1,000 VMs takes about a millisecond; a VM that is younger is found by the next one. */
const LISTING_MS = 1000;
/** Whether debugfs is mounted, and whether the kernel is locked down, changes by hand. */
const ACCESS_MS = 30_000;
const VCPU = /^vcpu(\d{1,6})$/;
/** PROC_PID_INIT_INO: the initial PID namespace, in whose numbers debugfs speaks. */
const INITIAL_NAMESPACE = 'pid:[4026531836]';
const VM_DESCRIPTOR = 'anon_inode:kvm-vm';

/** The directory of one VM, as it was found right now. */
export interface VmDirectory {
  /** Path of one of its files. */
  path(file: string): string;
  /** Thread that last ran each vCPU, in the order of KVM's numbers; null where none has yet or it is not told. A vCPU that is unplugged keeps its last one. */
  readonly vcpus: readonly (number | null)[];
  /** Thread ids of the process. */
  readonly threads: ReadonlySet<number>;
}

interface Listing {
  /** Directories by the number in their names. */
  readonly vms: ReadonlyMap<number, readonly string[]>;
}

/**
 * <sys>/kernel/debug/kvm. Nothing in it is ever held open: an open file of a VM keeps KVM from taking the VM apart (kvm_debugfs_open), and the
 * last one to be closed does that work.
 */
export class KvmDirectories {
  /**
   * Names of the statistics, which are those of the files beside the VMs' directories. What else is in a VM's directory is no number and may be
   * dear: mmu_rmaps_stat (x86) and the page table dumps (arm64) stop the VM's page faults while they are read.
   */
  statistics: ReadonlyMap<string, StatisticKind> = new Map();
  private listing: Listing | Refusal = Outcome.busy;
  private listedAt = Number.NEGATIVE_INFINITY;
  private accessible: Outcome = Outcome.busy;
  private accessedAt = Number.NEGATIVE_INFINITY;
  private readonly names = new WeakMap<HeldProcess, string>();
  private readonly buffer = Buffer.allocUnsafeSlow(32);
  private readonly isInitial: boolean;

  constructor(private readonly host: Host) {
    // A /proc shows processes of its own namespace and of those below: one of the initial namespace is in no other.
    this.isInitial = ['1', '2', 'self'].some((pid) => host.tryLink(host.proc(pid, 'ns', 'pid')) === INITIAL_NAMESPACE);
  }

  /** Whether counters can be read, as it was at most half a minute ago. */
  access(): Outcome {
    const now = this.host.clock.monotonic();
    if (now - this.accessedAt >= ACCESS_MS) {
      this.accessedAt = now;
      this.accessible = kvmDebugfsAccess(this.host);
    }
    return this.accessible;
  }

  /**
   * The directory of the VM that this process made. The number in its name is the initial PID namespace's and that of the thread that asked
   * for the VM: QEMU's and Firecracker's main thread, another one in Cloud Hypervisor and Dragonball. The directory lives as long as the VM,
   * which may be longer than that thread, so the vCPUs' threads have to be the process's, or where none ran the descriptor has to be a VM.
   */
  find(process: HeldProcess): VmDirectory | Refusal {
    if (!this.isInitial) return Outcome.unsupported;
    try {
      const threads = new Set(process.threads().map(Number));
      const known = this.names.get(process);
      const found = known === undefined ? null : this.examine(process, threads, known);
      return found ?? this.search(process, threads);
    } catch (error) {
      return refusal(error);
    }
  }

  private search(process: HeldProcess, threads: ReadonlySet<number>): VmDirectory | Refusal {
    this.names.delete(process);
    const listing = this.list();
    if (typeof listing === 'number') return listing;
    const found: VmDirectory[] = [];
    for (const thread of threads) {
      for (const name of listing.vms.get(thread) ?? []) {
        const directory = this.examine(process, threads, name);
        if (!directory) continue;
        found.push(directory);
        this.names.set(process, name);
      }
    }
    if (found.length === 1) return found[0];
    // Two VMs of one process: nobody tells which of them is the instance.
    this.names.delete(process);
    return Outcome.unsupported;
  }

  /** @returns null when it is not there any more or is another process's */
  private examine(process: HeldProcess, threads: ReadonlySet<number>, name: string): VmDirectory | null {
    const vcpus = this.vcpus(name);
    if (vcpus === null) return null;
    const path = (file: string): string => this.path(name, file);
    const ran = vcpus.filter((thread) => thread !== null);
    if (ran.length > 0) return ran.some((thread) => threads.has(thread)) ? { path, vcpus, threads } : null;
    const descriptor = VM_NAME.exec(name)?.[2] ?? '';
    const link = this.host.tryLink(this.host.proc(String(process.pid), 'fd', descriptor));
    return link === VM_DESCRIPTOR ? { path, vcpus, threads } : null;
  }

  private vcpus(name: string): (number | null)[] | null {
    let entries: readonly string[];
    try {
      entries = this.host.list(this.path(name));
    } catch (error) {
      if (refusal(error) === Outcome.gone) return null;
      throw error;
    }
    const numbers = entries.flatMap((entry) => VCPU.exec(entry)?.[1] ?? []).map(Number);
    return numbers.sort((a, b) => a - b).map((number) => this.thread(this.path(name, `vcpu${number}`, 'pid')));
  }

  /** null where none has run it yet, or the kernel does not tell (before Linux 6.0). */
  private thread(path: string): number | null {
    try {
      const length = this.host.readInto(path, this.buffer);
      const thread = parseStatistic(this.buffer.toString('latin1', 0, length));
      return thread !== null && thread > 0 ? thread : null;
    } catch (error) {
      if (refusal(error) === Outcome.gone) return null;
      throw error;
    }
  }

  private list(): Listing | Refusal {
    const now = this.host.clock.monotonic();
    if (now - this.listedAt < LISTING_MS) return this.listing;
    this.listedAt = now;
    this.listing = this.read();
    return this.listing;
  }

  private read(): Listing | Refusal {
    const names = listKvm(this.host);
    if (typeof names === 'number') return names;
    const vms = new Map<number, string[]>();
    for (const name of names) {
      const number = VM_NAME.exec(name)?.[1];
      if (number === undefined) continue;
      const same = vms.get(Number(number));
      if (same) same.push(name);
      else vms.set(Number(number), [name]);
    }
    if (this.statistics.size === 0) this.statistics = kindsOf(this.host, names);
    return { vms };
  }

  private path(...parts: readonly string[]): string {
    return kvm(this.host, ...parts);
  }
}
