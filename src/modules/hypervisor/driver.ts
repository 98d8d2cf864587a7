import type { Hypervisor, Nic } from '../../model/instance.js';

/** A tap or macvtap queue that the process holds open, from /proc/<pid>/fd and fdinfo `iff:`. */
export interface TapDescriptor {
  readonly fd: number;
  readonly kind: 'tap' | 'macvtap';
  /** Interface name; missing when the kernel prints none (not attached, or the device was deleted). */
  readonly name?: string;
}

/** What /proc says of one process, collected through one held directory: all of it belongs to the same process. */
export interface ProcessEvidence {
  readonly pid: number;
  /** Clock ticks after boot. */
  readonly startTicks: number;
  readonly comm: string;
  /** Target of /proc/<pid>/exe without a trailing ` (deleted)`; missing where we may not look. */
  readonly executable?: string;
  readonly argv: readonly string[];
  /** Number of `anon_inode:kvm-vm` descriptors. */
  readonly kvmVms: number;
  /** Number of distinct `anon_inode:kvm-vcpu:<N>` descriptors. */
  readonly kvmVcpus: number;
  readonly taps: readonly TapDescriptor[];
  /** Paths of the unix sockets it listens on, as /proc/<pid>/net/unix spells them, by descriptor number. */
  readonly listening: ReadonlyMap<number, string>;
  /** Paths of /proc/<pid>/cgroup, every hierarchy once. */
  readonly cgroups: readonly string[];
  /** A small regular file as the process itself would name it (its root and working directory); undefined where it cannot be read. */
  readFile(path: string): string | undefined;
  /** First bytes of a PCI device's class file (`0x020000`), undefined where unknown. */
  pciClass(address: string): string | undefined;
}

/** What a driver makes of the evidence. Everything but nothing may be missing; the caller falls back to descriptors and pid. */
export interface Description {
  readonly id?: string;
  readonly name?: string;
  readonly uuid?: string;
  readonly vcpus?: number;
  readonly memoryBytes?: number;
  /** All NICs that argv declares and the taps held, without doubles; missing when the VMM gets its devices by API and holds no tap. */
  readonly nics?: readonly Nic[];
  readonly sockets?: readonly string[];
}

/** One kind of hypervisor: one file plus one line in drivers.ts. Pure: it sees evidence and nothing else. */
export interface HypervisorDriver {
  readonly name: Hypervisor;
  /** True when the process is of this kind. Asked only for a process that already is a VMM by evidence (kvm-vm or listed executable). */
  claims(evidence: ProcessEvidence): boolean;
  /** Never throws, whatever argv holds: argv is a stranger's. */
  describe(evidence: ProcessEvidence): Description;
}
