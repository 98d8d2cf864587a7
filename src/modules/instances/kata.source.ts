import type { Host } from '../../host/host.js';
import { HostError } from '../../host/host-error.js';
import { Slicer } from '../../host/slicer.js';
import { whatIs } from '../../host/strangers.js';
import type { InstanceRecord, InstanceSource, InstanceState, Runtime } from '../../model/instance.js';
import type { KataDirectories } from '../../model/kata-directories.js';
import { ticksToMilliseconds } from '../../model/units.js';
import { isShimProgram, shimId } from './kata-argv.js';
import { type FoundBundle, KataBundles } from './kata-bundles.js';
import { KataCensus, type Life } from './kata-census.js';
import { KataDirectoryLister, type SandboxDirectory } from './kata-directories.js';
import { KataProcesses, type Worker } from './kata-processes.js';
import { cgroupOf, sandboxRecord } from './kata-record.js';
import { noteBundle, noteHalf, noteState, remarksOn } from './kata-remarks.js';
import { RoleFinder, type Roles } from './kata-roles.js';
import { type KataState, parsePersist, parseRustState } from './kata-state.js';
import { KataWatch } from './kata-watch.js';
import { KeptFiles, mapBounded, type Reading } from './kept-files.js';
import { Problems } from './problems.js';
import type { ProcSource } from './proc.source.js';

const STATE_BYTES = 1 << 20;
/** Less than the registry waits for a source. */
const LIST_DEADLINE_MS = 8000;
/** A shim this young may still be about to start its VMM. */
const STARTING_MS = 60_000;

/** One pass. */
interface Pass {
  readonly untilMs: number;
  readonly slicer: Slicer;
  readonly problems: Problems;
  readonly readings: ReadonlyMap<string, Reading<KataState>>;
  readonly directories: ReadonlyMap<string, readonly SandboxDirectory[]>;
  readonly shims: ReadonlyMap<string, readonly Worker[]>;
  /** A root may not be looked into: what is not in it may be there. */
  readonly refused: boolean;
}

/**
 * Sandboxes of Kata Containers, of both runtimes: persist.json and state.json below Kata's roots, the bundles of containerd and CRI-O, and
 * the processes that host discovery saw. Files say what to look for; a sandbox is listed only while its shim or its VMM lives.
 * No shim is asked. Rootless Kata, whose roots are below $XDG_RUNTIME_DIR, is not looked for; its VMMs are found by host discovery.
 */
export class KataSource implements InstanceSource, KataDirectories {
  readonly name = 'kata';
  readonly leftovers = true;
  directories: KataDirectories['directories'] = { present: false, roots: [] };
  private found = new Problems();
  private watch: KataWatch | null = null;
  private readonly lister: KataDirectoryLister;
  private readonly census: KataCensus;
  private readonly files: KeptFiles<KataState>;
  private readonly bundles: KataBundles;
  private readonly processes: KataProcesses;
  private readonly finder: RoleFinder;

  /** @param scansItself where host discovery is no source of its own, nobody else starts its passes */
  constructor(
    private readonly host: Host,
    private readonly discovery: ProcSource,
    private readonly scansItself: boolean,
  ) {
    this.lister = new KataDirectoryLister(host);
    this.census = new KataCensus(this.lister);
    this.files = new KeptFiles(host, STATE_BYTES, (text, path) =>
      path.endsWith('persist.json') ? parsePersist(text) : parseRustState(text),
    );
    this.bundles = new KataBundles(host);
    this.processes = new KataProcesses(host, discovery);
    this.finder = new RoleFinder(this.processes);
  }

  get problems(): ReadonlyMap<string, string> {
    return this.found.lines;
  }

  async start(changed: () => void): Promise<void> {
    this.watch = new KataWatch(this.host, changed);
    await this.watch.follow();
  }

  stop(): void {
    this.watch?.close();
  }

  /** @throws ETIMEDOUT, EIO … where nobody can say what is there */
  async list(): Promise<readonly InstanceRecord[]> {
    const problems = new Problems();
    const untilMs = this.host.clock.monotonic() + LIST_DEADLINE_MS;
    await this.watch?.follow();
    const listings = await this.lister.list(problems);
    const all = listings.flatMap(({ directories }) => directories);
    if (this.scansItself) await this.discovery.list();
    this.processes.begin();
    this.bundles.begin();
    const directories = Map.groupBy(all, ({ id }) => id);
    const readings = await this.files.readAll(new Map(all.map(({ stateFile }) => [stateFile, stateFile])), untilMs);
    const shims = await this.processes.shims();
    const ids = [...new Set([...directories.keys(), ...shims.keys()])].sort();
    const known = new Set(ids);
    this.bundles.keep(known);
    this.finder.keep(known);
    const pass = {
      untilMs,
      slicer: new Slicer(this.host.clock),
      problems,
      readings,
      directories,
      shims,
      refused: listings.some(({ refused }) => refused),
    };
    const records = (await mapBounded(ids, (id) => this.sandbox(id, pass))).flatMap((record) => record ?? []);
    const lives = new Map(records.map((record) => [record.id, lifeOf(record)]));
    const blind = this.discovery.refused > 0 ? ['not all processes may be examined'] : [];
    const remarks = (one: SandboxDirectory): readonly string[] => [...remarksOn(one, readings.get(one.stateFile)), ...blind];
    this.directories = await this.census.take(listings, lives, remarks, problems);
    this.found = problems;
    return records;
  }

  /** undefined where nothing of the sandbox lives. @throws ETIMEDOUT when it is too late to look */
  private async sandbox(
    id: string,
    { untilMs, slicer, problems, readings, directories, shims, refused }: Pass,
  ): Promise<InstanceRecord | undefined> {
    if (this.host.clock.monotonic() >= untilMs) throw new HostError('ETIMEDOUT', 'looking at sandboxes took too long');
    const pause = slicer.pause();
    if (pause) await pause;
    const readable = (one: SandboxDirectory): boolean => readings.get(one.stateFile)?.value !== undefined;
    const own = directories.get(id) ?? [];
    const ordered = [...own.filter(readable), ...own.filter((one) => !readable(one))];
    const likely = shims.get(id) ?? [];
    const bundle = await this.bundles.of(id, async (pid) => shimId((await this.processes.worker(pid))?.argv ?? []) === id);
    if (own.length === 0 && !isSandboxByItself(id, bundle, likely, refused)) return noteBundle(bundle, problems);
    const state = ordered.map(({ stateFile }) => readings.get(stateFile)?.value).find((value) => value !== undefined);
    const spec = bundle?.spec?.joined === undefined ? bundle?.spec : undefined;
    const runtime = runtimeOf(ordered.filter(readable)) ?? runtimeOf(ordered);
    const cgroup = cgroupOf(state, spec, runtime);
    const roles = await this.finder.roles(
      {
        id,
        state,
        shimPid: bundle?.shimPid,
        owner: () => ownerOf(ordered[0]),
        networkNamespace: state?.networkNamespace ?? spec?.networkNamespace,
        cgroups: [cgroup?.path, cgroup?.overheadPath].filter((path) => path !== undefined),
      },
      likely,
    );
    if (!roles.shim && !roles.vmm) return undefined;
    noteBundle(bundle, problems);
    const withoutVmm = this.withoutVmm(roles);
    noteHalf(id, roles, withoutVmm, problems);
    const mayMiss = state !== undefined || withoutVmm === 'initializing';
    for (const one of own) noteState(one, readings.get(one.stateFile), problems, mayMiss);
    return sandboxRecord({ id, directories: ordered, runtime: roles.vmm?.inShim ? 'rust' : runtime, state, spec, roles, withoutVmm });
  }

  /** A young shim is about to start its first VMM; any other has lost it, or has it on another machine. */
  private withoutVmm({ shim, hadVmm }: Roles): InstanceState {
    const { bootMs, clock } = this.host;
    const young =
      shim !== undefined && !hadVmm && bootMs !== null && clock.now() - bootMs - ticksToMilliseconds(shim.startTicks) < STARTING_MS;
    return young ? 'initializing' : 'unknown';
  }
}

/**
 * A sandbox of which Kata has no directory yet: root's own file says that the process is the shim of this bundle. Where files may not be
 * looked at, its program must do.
 */
function isSandboxByItself(id: string, bundle: FoundBundle | undefined, likely: readonly Worker[], refused: boolean): boolean {
  const { joined } = bundle?.spec ?? {};
  if (joined !== undefined && joined !== id) return false;
  return likely.some((worker) => worker.pid === bundle?.shimPid || ((refused || bundle?.refused) && isShimProgram(worker)));
}

/** undefined where two runtimes have a directory of this id. */
function runtimeOf(directories: readonly SandboxDirectory[]): Runtime | undefined {
  const [runtime, ...others] = new Set(directories.map((one) => one.runtime));
  return others.length === 0 ? runtime : undefined;
}

async function ownerOf(directory: SandboxDirectory | undefined): Promise<number | undefined> {
  try {
    return directory && (await whatIs(directory.path)).owner;
  } catch {
    return undefined;
  }
}

const lifeOf = ({ process, sandbox }: InstanceRecord): Life => ({ runtime: sandbox?.runtime, state: process ? 'running' : 'starting' });
