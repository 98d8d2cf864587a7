import type { Host } from '../../host/host.js';
import { whatIs } from '../../host/strangers.js';
import { identify } from '../hypervisor/id-rules.js';
import { KATA_SHIM } from '../hypervisor/program.js';
import { holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import { readArgv, tryLink, tryText } from './evidence.js';
import { type Program, shimId } from './kata-argv.js';
import type { ProcessKey } from './merge.js';
import type { ProcSource, SeenProcess } from './proc.source.js';
import type { Vmm } from './process-examiner.js';

/** argv and owner of a process change only by an exec, which nearly always changes its comm too. */
const LOOK_AGAIN_MS = 600_000;
/** TASK_COMM_LEN cuts all containerd's shims to this. */
const SHIM_COMM = 'containerd-shim';
/** Kata cuts a longer id to this for Firecracker's jailer, which takes no more than 64 in all. */
const JAILED_ID_LENGTH = 32;
const DELETED = / \(deleted\)$/;

/** A process as it was when its files were read through one held directory. */
export interface Worker extends SeenProcess, Program {
  /** Owner, the effective uid. */
  readonly uid: number;
}

interface Looked {
  readonly worker: Worker;
  readonly lookedAt: number;
}

/**
 * Processes of sandboxes, on top of what host discovery saw in its last pass: who lives, whose child it is and which VMMs there are costs
 * nothing more; argv and owner are read once for a process that matters.
 */
export class KataProcesses {
  private looked = new Map<number, Looked>();
  private children: Map<number, SeenProcess[]> | null = null;
  private vmmsById: Map<string, Vmm[]> | null = null;

  constructor(
    private readonly host: Host,
    private readonly discovery: ProcSource,
  ) {}

  /** After a pass of host discovery. */
  begin(): void {
    this.children = null;
    this.vmmsById = null;
    this.looked = new Map([...this.looked].filter(([pid, { worker }]) => isSame(this.discovery.process(pid), worker)));
  }

  /** undefined for a process that is gone, or was not there in the last pass. */
  async worker(pid: number): Promise<Worker | undefined> {
    const seen = this.discovery.process(pid);
    if (!seen) return undefined;
    const known = this.looked.get(pid);
    const now = this.host.clock.monotonic();
    if (known && isSame(seen, known.worker) && now - known.lookedAt < LOOK_AGAIN_MS) return { ...known.worker, parent: seen.parent };
    const worker = await this.look(seen);
    // No argv is that of an exec under way, or of a read that came to nothing.
    if (worker?.argv.some((word) => word !== '')) this.looked.set(pid, { worker, lookedAt: now });
    return worker;
  }

  /** The VMM with this pid by host discovery's evidence. */
  vmm(pid: number): Vmm | undefined {
    return this.discovery.vmm(pid);
  }

  /** We may not see whether it is a VMM. */
  isUnknown(pid: number): boolean {
    return this.discovery.process(pid) !== undefined && this.discovery.wasRefused(pid);
  }

  childrenOf({ pid, startTicks }: SeenProcess): readonly SeenProcess[] {
    this.children ??= groupBy(this.discovery.processes(), ({ parent }) => [parent]);
    // An older "child" is that of an earlier owner of the pid.
    return (this.children.get(pid) ?? []).filter((child) => child.startTicks >= startTicks);
  }

  parentOf(pid: number): SeenProcess | undefined {
    const child = this.discovery.process(pid);
    const parent = child && this.discovery.process(child.parent);
    return parent && parent.startTicks <= child.startTicks ? parent : undefined;
  }

  /** VMMs that say of themselves that they are this sandbox's: anybody's may. The oldest first. */
  vmmsNaming(id: string): readonly Vmm[] {
    this.vmmsById ??= groupBy(this.discovery.vmms(), idsOf);
    const cut = id.length > JAILED_ID_LENGTH ? (this.vmmsById.get(id.slice(0, JAILED_ID_LENGTH)) ?? []) : [];
    const found = [...(this.vmmsById.get(id) ?? []), ...cut.filter(({ hypervisor }) => hypervisor === 'firecracker')];
    return found.sort((a, b) => a.startTicks - b.startTicks);
  }

  /** Processes that look like a Kata shim at work, by sandbox id. */
  async shims(): Promise<ReadonlyMap<string, readonly Worker[]>> {
    const workers: Worker[] = [];
    for (const { pid, comm } of this.discovery.processes()) {
      const worker = comm.startsWith(SHIM_COMM) ? await this.worker(pid) : undefined;
      if (worker && [worker.argv[0] ?? '', worker.executable].some((name) => KATA_SHIM.test(name))) workers.push(worker);
    }
    return groupBy(workers, ({ argv }) => {
      const id = shimId(argv);
      return id === undefined ? [] : [id];
    });
  }

  /** Thread names, which anybody may read. */
  async threadNames(key: ProcessKey): Promise<readonly string[]> {
    const read = ({ held }: ProcfsProcess): string[] => held.list('task').map((tid) => tryText(held, `task/${tid}/comm`).trim());
    return (await this.withHeld(key, async (process) => read(process))) ?? [];
  }

  /** Whether the process is in the network namespace that a path names. That of the host's init, where everybody is, does not count. */
  async isInNetwork(key: ProcessKey, path: string): Promise<boolean> {
    const same = await this.withHeld(key, async ({ held }) => {
      const paths = [held.path('ns/net'), path, this.host.proc('1', 'ns', 'net')];
      const [own, named, hosts] = await Promise.all(paths.map(async (one) => (await whatIs(one)).identity));
      return own === named && own !== hosts;
    });
    return same === true;
  }

  private look(seen: SeenProcess): Promise<Worker | undefined> {
    return this.withHeld(seen, async ({ held }) => ({
      ...seen,
      argv: await readArgv(held),
      uid: held.owner(),
      executable: tryLink(held, 'exe').replace(DELETED, ''),
    }));
  }

  /** undefined where the process is gone or refuses. */
  private async withHeld<T>({ pid, startTicks }: ProcessKey, work: (process: ProcfsProcess) => Promise<T>): Promise<T | undefined> {
    let process: ProcfsProcess | undefined;
    try {
      process = holdProcess(this.host, pid);
      return process.startTicks === startTicks ? await work(process) : undefined;
    } catch {
      return undefined;
    } finally {
      process?.close();
    }
  }
}

/** What a VMM says of its sandbox: its own id, QEMU's `-name sandbox-<id>`, and the directory of its sockets. */
function idsOf({ record: { id, name, sockets = [] } }: Vmm): string[] {
  const named = /^sandbox-(.+)$/.exec(name ?? '')?.[1];
  const found = identify({ paths: sockets, cgroups: [] }).id;
  return [...new Set([id, named, found].filter((word) => word !== undefined))];
}

const isSame = (seen: SeenProcess | undefined, worker: Worker): boolean =>
  seen !== undefined && seen.startTicks === worker.startTicks && seen.comm === worker.comm;

/** Items by each of their keys. */
function groupBy<K, T>(items: Iterable<T>, keysOf: (item: T) => readonly K[]): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    for (const key of keysOf(item)) {
      const group = groups.get(key);
      if (group) group.push(item);
      else groups.set(key, [item]);
    }
  }
  return groups;
}
