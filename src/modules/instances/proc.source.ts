import type { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import { ID_PATTERN, type InstanceRecord, type InstanceSource } from '../../model/instance.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { type HeldProcess, STAT_LENGTH, Stat } from '../../model/process.js';
import { parseStat } from '../procfs/stat.js';
import { ScanCache } from './evidence.js';
import type { ProcessKey } from './merge.js';
import type { ProcessExaminer, Verdict, Vmm } from './process-examiner.js';

/** Every process is looked at anew after this long, however little it seems to have changed: an exec keeps pid and start time. */
const LOOK_AGAIN_MS = 60_000;
/** A VMM stays one; what changes about it shows in its descriptors, and a device that is not where it was is told. */
const LOOK_AGAIN_AT_VMM_MS = 600_000;

/** A process as its stat line shows it. */
export interface SeenProcess extends ProcessKey {
  readonly parent: number;
  /** Cut to 15 bytes; a process may choose it. */
  readonly comm: string;
}

interface Known {
  readonly process: SeenProcess;
  /** Start time, comm and either the number of descriptors or size and threads: what changes when a process becomes a VMM. */
  readonly signature: string;
  /** Number of descriptors when it was looked at; NaN where only a listing tells. */
  readonly descriptors: number;
  readonly verdict: Verdict;
  readonly lookedAt: number;
}

/** Processes that somebody holds open already, by pid: asking them is a quarter of the price of a path. */
export type HeldLookup = (pid: number) => HeldProcess | undefined;

/**
 * Host discovery: every process of /proc, by evidence alone. A pass over unchanged processes costs one short read and one stat each, and
 * one stat of a held descriptor for a VMM; only a process that changed is looked at.
 */
export class ProcSource implements InstanceSource {
  readonly name = 'host';
  /** Processes whose descriptors we may not see, in the last pass: VMMs may be among them. */
  refused = 0;
  scanned = 0;
  held: HeldLookup = () => undefined;
  private known = new Map<number, Known>();
  private readonly suspects = new Set<number>();
  private vhosts = new Map<number, number[]>();
  private readonly line = Buffer.allocUnsafeSlow(4096);
  private readonly stat = new Float64Array(STAT_LENGTH);

  constructor(
    private readonly host: Host,
    private readonly examiner: ProcessExaminer,
  ) {}

  async list(): Promise<readonly InstanceRecord[]> {
    const slicer = new Slicer(this.host.clock);
    const cache = new ScanCache(this.host);
    const next = new Map<number, Known>();
    const vhosts = new Map<number, number[]>();
    for (const entry of this.host.list(this.host.proc())) {
      const pid = Number(entry);
      if (!Number.isInteger(pid) || pid <= 0) continue;
      const known = await this.visit(pid, vhosts, cache, slicer);
      if (known) next.set(pid, known);
      const pause = slicer.pause();
      if (pause) await pause;
    }
    this.known = next;
    this.vhosts = vhosts;
    this.scanned = next.size;
    this.refused = [...next.values()].filter(({ verdict }) => verdict.refused).length;
    return [...next.values()].flatMap(({ verdict }) => (verdict.vmm ? [named(verdict.vmm)] : []));
  }

  /** The VMM that has this pid, as of the last pass. */
  vmm(pid: number): Vmm | undefined {
    return this.known.get(pid)?.verdict.vmm ?? undefined;
  }

  /** All VMMs of the last pass. */
  vmms(): Vmm[] {
    return [...this.known.values()].flatMap(({ verdict: { vmm } }) => vmm ?? []);
  }

  /** The process that has this pid, as of the last pass; a zombie is none. */
  process(pid: number): SeenProcess | undefined {
    return this.known.get(pid)?.process;
  }

  /** All processes of the last pass; where one VMM is unchanged, its parent is that of when it was looked at. */
  *processes(): Iterable<SeenProcess> {
    for (const { process } of this.known.values()) yield process;
  }

  /** Whether the last pass could not tell what this process is. */
  wasRefused(pid: number): boolean {
    return this.known.get(pid)?.verdict.refused ?? true;
  }

  /** Kernel threads `vhost-<pid>` that serve this process, as of the last pass. */
  vhostThreads(pid: number): readonly number[] {
    return this.vhosts.get(pid) ?? [];
  }

  /** The next pass looks at this process even if it seems unchanged: a device of its VM is not where it was. */
  lookAgain(pid: number): void {
    this.suspects.add(pid);
  }

  private async visit(pid: number, vhosts: Map<number, number[]>, cache: ScanCache, slicer: Slicer): Promise<Known | undefined> {
    const known = this.known.get(pid);
    const now = this.host.clock.monotonic();
    const suspect = this.suspects.delete(pid);
    try {
      if (known && !suspect && this.isUnchangedVmm(pid, known, now)) return known;
      const process = this.look(pid, vhosts);
      if (!process) return undefined;
      const signature = this.signature(process);
      if (known && known.signature === signature && !suspect && now - known.lookedAt < LOOK_AGAIN_MS) {
        return known.process.parent === process.parent ? known : { ...known, process };
      }
      const descriptors = this.host.descriptorCountBySize ? this.host.sizeOf(this.host.proc(String(pid), 'fd')) : Number.NaN;
      const verdict = await this.examiner.examine(pid, cache, slicer);
      return { process, signature, descriptors, verdict, lookedAt: now - spread(pid, known === undefined) };
    } catch (error) {
      if (outcomeOfErrno(error) === Outcome.gone) return undefined;
      return this.known.get(pid);
    }
  }

  /** A VMM that is held, lives and has as many descriptors as when it was looked at. @throws ESRCH, ENOENT when it is gone */
  private isUnchangedVmm(pid: number, { verdict: { vmm }, descriptors, lookedAt }: Known, now: number): boolean {
    const held = vmm ? this.held(pid) : undefined;
    if (!held || held.startTicks !== vmm?.startTicks || now - lookedAt >= LOOK_AGAIN_AT_VMM_MS) return false;
    return held.descriptorCount() === descriptors;
  }

  /** undefined for a zombie. Kernel threads that work for a VM are noted on the way. @throws ENOENT, ESRCH */
  private look(pid: number, vhosts: Map<number, number[]>): SeenProcess | undefined {
    const length = this.host.readInto(this.host.proc(String(pid), 'stat'), this.line);
    const state = parseStat(this.line, length, this.stat);
    if (state === 0x5a || state === 0x58 || state < 0) return undefined;
    const end = this.line.subarray(0, length).lastIndexOf(41);
    const comm = this.line.toString('latin1', this.line.indexOf(40) + 1, end);
    const owner = /^vhost-(\d+)$/.exec(comm)?.[1];
    // Any process may call itself vhost-<pid>; only a kernel thread has no address space.
    if (owner !== undefined && this.stat[Stat.virtualBytes] === 0) vhosts.set(Number(owner), [...(vhosts.get(Number(owner)) ?? []), pid]);
    // Field 4, after ") S ".
    const parent = Number.parseInt(this.line.toString('latin1', end + 4, end + 15), 10);
    return { pid, startTicks: this.stat[Stat.startTicks], parent, comm };
  }

  /** Of the process that `look` has just read. */
  private signature({ pid, startTicks, comm }: SeenProcess): string {
    const shape = this.host.descriptorCountBySize
      ? this.host.sizeOf(this.host.proc(String(pid), 'fd'))
      : `${this.stat[Stat.virtualBytes]} ${this.stat[Stat.threads]}`;
    return `${startTicks} ${comm} ${shape}`;
  }
}

/** Processes found together are not all looked at again together. */
const spread = (pid: number, first: boolean): number => (first ? (pid * 7919) % LOOK_AGAIN_MS : 0);

/** A VMM that tells no id of its own is named by its process; pid and start time together never come again. */
function named(vmm: Vmm): InstanceRecord {
  const { id } = vmm.record;
  return { ...vmm.record, id: id !== undefined && ID_PATTERN.test(id) ? id : `${vmm.hypervisor}-${vmm.pid}-${vmm.startTicks}` };
}
