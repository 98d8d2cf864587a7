import type { Host } from '../../host/host.js';
import type { Subject } from '../../model/collector.js';
import { COMPANION_ROLES } from '../../model/instance.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { isWithin } from './group-names.js';
import { Hierarchies } from './hierarchies.js';
import { parseMemberships } from './membership.js';

/** A VM with a helper for each of its devices has a few dozen; whoever may make cgroups or processes could make thousands. */
const MOST_CGROUPS = 512;
const MOST_PROCESSES = 512;
const MOST_DESCRIPTORS = 16_384;
const MOST_GENERATIONS = 16;
const PROCS_BYTES = 65_536;

/** A file of the kernel's in a cgroup's directory, not a cgroup in it. */
const KERNEL_FILE =
  /^(cgroup|cpu|cpuacct|cpuset|memory|io|blkio|pids|hugetlb|rdma|misc|dmem|devices|freezer|net_cls|net_prio|perf_event)\.|^(tasks|notify_on_release|release_agent)$/;
/** pid, comm, state, parent's pid, proc_pid_stat(5); comm may hold blanks and `)`. */
const STAT = /^\d+ \((.*)\) \S (\d+) /s;
/** They work for a VMM and are often daemons, whose parent is init. */
const HELPER = /^(passt|pasta|swtpm|virtiofsd|slirp|vhost-user|qemu-pr-helper|qemu-storage-d)/;
const STAT_BYTES = 4096;
const KVM = 'anon_inode:kvm-vm';

export interface Directory {
  readonly root: string;
  readonly path: string;
  readonly controller: string;
}

/** Who stands in a cgroup and in those that lie in it. */
export class Inhabitants {
  private readonly hierarchies: Hierarchies;

  constructor(private readonly host: Host) {
    this.hierarchies = new Hierarchies(host);
  }

  /**
   * Whether the instance is there and nobody else: its VMM, its companions, what descends from those, and helpers by their names. In one that
   * was made for one VM whoever else is there belongs to it, unless it is a VMM or ourselves. False as well where the cgroup is not to be seen.
   */
  areOf(subject: Pick<Subject, 'companion'>, process: HeldProcess, directory: Directory, isMadeForOne: boolean): boolean {
    if (this.holdsOurselves(directory)) return false;
    const path = directory.root + directory.path;
    const pids = this.processes(path);
    // Another of the same name: that of a removed one, or of a tree that only looks like the one the process is in.
    if (!pids?.includes(process.pid)) return false;
    const family = new Set([process.pid, ...COMPANION_ROLES.flatMap((role) => subject.companion(role)?.pid ?? [])]);
    const others = pids.filter((pid) => !family.has(pid) && !this.serves(pid, family));
    if (isMadeForOne) return !others.some((pid) => this.isVmm(pid, process.pid));
    return others.length === 0 || this.haveEnded(others, path);
  }

  /** Who is hidden from us (proc(5), hidepid) is as little to be seen as one that has ended, and is still there. */
  private haveEnded(pids: readonly number[], directory: string): boolean {
    if (pids.some((pid) => this.statOf(pid) !== undefined)) return false;
    const left = this.processes(directory);
    return left !== null && !pids.some((pid) => left.includes(pid));
  }

  private statOf(pid: number): string | undefined {
    return this.host.tryReadText(this.host.proc(String(pid), 'stat'), STAT_BYTES);
  }

  private holdsOurselves({ path, controller }: Directory): boolean {
    const memberships = parseMemberships(this.host.tryReadText(this.host.proc('self', 'cgroup')) ?? '');
    const own = memberships ? this.hierarchies.placeOf(memberships, controller) : Outcome.malformed;
    return typeof own !== 'number' && isWithin(own.path, path);
  }

  /** null: the cgroup cannot be seen, or has more in it than any VM. */
  private processes(directory: string): readonly number[] | null {
    const found = new Set<number>();
    const cgroups = [directory];
    for (const cgroup of cgroups) {
      try {
        for (const line of this.membersOf(cgroup)) found.add(Number(line));
        for (const name of this.host.list(cgroup))
          if (!KERNEL_FILE.test(name) && this.host.exists(`${cgroup}/${name}/cgroup.procs`)) cgroups.push(`${cgroup}/${name}`);
      } catch (error) {
        // One that has been removed since is nobody's; the first must be there.
        if (cgroup === directory || outcomeOfErrno(error) !== Outcome.gone) return null;
      }
      if (cgroups.length > MOST_CGROUPS || found.size > MOST_PROCESSES) return null;
    }
    return [...found];
  }

  /** Each once or several times; 0 for one that our pid namespace does not have. */
  private membersOf(cgroup: string): readonly string[] {
    try {
      return this.host.readText(`${cgroup}/cgroup.procs`, PROCS_BYTES).match(/^\d+$/gm) ?? [];
    } catch (error) {
      // A threaded cgroup: its processes are told by the one above that is not.
      if (outcomeOfErrno(error) === Outcome.unsupported) return [];
      throw error;
    }
  }

  private serves(pid: number, family: ReadonlySet<number>): boolean {
    let at = pid;
    for (let generation = 0; generation < MOST_GENERATIONS; generation++) {
      const [, comm, parent] = STAT.exec(this.statOf(at) ?? '') ?? [];
      if (generation === 0 && comm !== undefined && HELPER.test(comm)) return true;
      at = Number(parent);
      if (family.has(at)) return true;
      if (!(at > 1)) return false;
    }
    return false;
  }

  /** By a descriptor of a VM, or by the program that the instance's VMM runs. What may not be looked into could be one. */
  private isVmm(pid: number, vmm: number): boolean {
    const program = this.host.tryLink(this.host.proc(String(vmm), 'exe'));
    if (program !== undefined && this.host.tryLink(this.host.proc(String(pid), 'exe')) === program) return true;
    const directory = this.host.proc(String(pid), 'fd');
    try {
      const names = this.host.list(directory);
      return names.length > MOST_DESCRIPTORS || names.some((name) => this.host.tryLink(`${directory}/${name}`) === KVM);
    } catch (error) {
      return outcomeOfErrno(error) !== Outcome.gone;
    }
  }
}
