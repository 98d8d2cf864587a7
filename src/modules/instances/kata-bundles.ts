import type { Host } from '../../host/host.js';
import { entriesOf } from '../../host/strangers.js';
import { ID_PATTERN } from '../../model/instance.js';
import { type KataBundle, parseBundle } from './kata-bundle.js';
import { describeError, MalformedError } from './problems.js';

const SPEC_BYTES = 1 << 20;
const PID_BYTES = 32;
const MAX_NAMESPACES = 64;
/** Between two looks for a bundle that is not there or not complete, at most; at first at every pass. */
const LOOK_AGAIN_MS = 60_000;

/** Where containerd keeps its tasks below the run directory, by itself and in distributions that bring it along. */
const TASKS = ['containerd', 'k3s/containerd', 'k0s/containerd', 'docker/containerd/daemon'].map(
  (home) => `${home}/io.containerd.runtime.v2.task`,
);
/** CRI-O's bundles, containers-storage.conf(5) runroot. */
const CRIO = 'containers/storage/overlay-containers';

/** The bundle of a sandbox: the OCI spec it was made of, and the pid its shim wrote when it started. */
export interface FoundBundle {
  /** Below the run directory. */
  readonly path: string;
  readonly spec?: KataBundle;
  /** As read: the process may have gone. */
  readonly shimPid?: number;
  /** We may not look into it. */
  readonly refused: boolean;
  readonly problems: readonly string[];
}

interface Kept {
  readonly sinceMs: number;
  readonly lookAgainMs: number;
  readonly bundle?: FoundBundle;
}

/**
 * Bundles by id, kept while their shim lives. They are looked up one by one and never listed: a host may have thousands of them of other
 * runtimes.
 */
export class KataBundles {
  private places: Promise<readonly string[]> | null = null;
  private kept = new Map<string, Kept>();

  constructor(private readonly host: Host) {}

  /** A new pass: containerd's namespaces are listed anew, should anybody ask for a bundle. */
  begin(): void {
    this.places = null;
  }

  /** Forgets all but these. */
  keep(ids: ReadonlySet<string>): void {
    this.kept = new Map([...this.kept].filter(([id]) => ids.has(id)));
  }

  /**
   * Never throws.
   * @param id checked against ID_PATTERN
   * @param isShim whether a process is this id's shim: then its bundle does not change any more
   */
  async of(id: string, isShim: (pid: number) => Promise<boolean>): Promise<FoundBundle | undefined> {
    const now = this.host.clock.monotonic();
    const known = this.kept.get(id) ?? { sinceMs: now, lookAgainMs: now };
    const { bundle, sinceMs } = known;
    const complete = bundle?.spec !== undefined && bundle.shimPid !== undefined && (await isShim(bundle.shimPid));
    if (complete || now < known.lookAgainMs) return bundle;
    const found = await this.find(id);
    const next = found ? { ...found, spec: found.spec ?? bundle?.spec } : bundle;
    this.kept.set(id, { sinceMs, lookAgainMs: now + Math.min(LOOK_AGAIN_MS, now - sinceMs), bundle: next });
    return next;
  }

  private async find(id: string): Promise<FoundBundle | undefined> {
    this.places ??= this.listPlaces();
    for (const place of await this.places) {
      const found = await this.read(`${place}/${id}`);
      if (found) return found;
    }
    return this.read(`${CRIO}/${id}/userdata`);
  }

  /** One directory a namespace. Where it may not be listed, the namespaces that everybody uses. */
  private async listPlaces(): Promise<readonly string[]> {
    const places: string[] = [];
    for (const tasks of TASKS) {
      try {
        const { names } = await entriesOf(this.host.run(tasks), 'directory', MAX_NAMESPACES, (name) => ID_PATTERN.test(name));
        places.push(...names.map((name) => `${tasks}/${name}`));
      } catch (error) {
        if (isRefusal(error)) places.push(`${tasks}/k8s.io`, `${tasks}/default`);
      }
    }
    return places;
  }

  private async read(path: string): Promise<FoundBundle | undefined> {
    const [config, pidFile] = await Promise.all([
      this.readText(path, 'config.json', SPEC_BYTES),
      this.readText(path, 'shim.pid', PID_BYTES),
    ]);
    if (isMissing(config) && isMissing(pidFile)) return undefined;
    const problems: string[] = [];
    const spec = parsed('config.json', config, parseBundle, problems);
    const shimPid = parsed('shim.pid', pidFile, parsePid, problems);
    if (spec && spec.ignored.length > 0) problems.push(`config.json: no sense in ${spec.ignored.join(', ')}`);
    return { path, spec, shimPid, refused: isRefusal(pidFile), problems };
  }

  private async readText(path: string, name: string, limitBytes: number): Promise<string | Error> {
    try {
      return await this.host.readStrangersFile(this.host.run(path, name), limitBytes);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

function parsed<T>(name: string, text: string | Error, parse: (text: string) => T, problems: string[]): T | undefined {
  if (isMissing(text)) return undefined;
  try {
    if (text instanceof Error) throw text;
    return parse(text);
  } catch (error) {
    problems.push(`${name}: ${error instanceof MalformedError ? error.problem : describeError(error)}`);
    return undefined;
  }
}

/** @throws MalformedError */
function parsePid(text: string): number {
  const pid = /^\d{1,7}$/.test(text.trim()) ? Number(text) : 0;
  if (pid <= 0) throw new MalformedError('no pid');
  return pid;
}

const codeOf = (value: unknown): unknown => (value instanceof Error && 'code' in value ? value.code : undefined);
const isRefusal = (value: unknown): boolean => ['EACCES', 'EPERM'].includes(String(codeOf(value)));
const isMissing = (value: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(String(codeOf(value)));
