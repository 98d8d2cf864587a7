import { join } from 'node:path';
import type { Host } from '../../host/host.js';
import { entriesOf, fileMark, isThere } from '../../host/strangers.js';
import { ID_PATTERN, type Runtime } from '../../model/instance.js';
import { describeError, type Problems } from './problems.js';

/** Below the run directory; one directory a sandbox. */
export const KATA_ROOTS = { go: 'vc/sbs', rust: 'kata' } as const satisfies Record<Runtime, string>;
/** A directory of runtime-rs in which jailed Firecrackers have their roots, `firecracker/<id>/root`. */
const JAIL = 'firecracker';
const MAX_DIRECTORIES = 20_000;

const REFUSED = 'refused';

const STATE_FILES = { go: 'persist.json', rust: 'state.json' } as const satisfies Record<Runtime, string>;
/** What else tells that a directory was a sandbox's, of whatever VMM. */
const TRACES = ['shim-monitor.sock', 'ch-api.sock', 'ch-vm.sock', 'run', 'root'];

/** A directory of one sandbox in one of the roots. */
export interface SandboxDirectory {
  readonly runtime: Runtime;
  readonly id: string;
  /** For people, below the run directory. */
  readonly name: string;
  readonly path: string;
  readonly stateFile: string;
  /** The root of a jail: the shim's socket is not here. */
  readonly jailed: boolean;
}

export interface RootListing {
  /** Full path. */
  readonly root: string;
  readonly directories: readonly SandboxDirectory[];
  /** We may not look into it. */
  readonly refused: boolean;
}

/** The two roots, and what lies in directories behind which nothing lives. */
export class KataDirectoryLister {
  private remains = new Map<string, { readonly token: string; readonly ofKata: boolean }>();

  constructor(private readonly host: Host) {}

  /**
   * Roots that exist. One that we may not look into is a problem and empty.
   * @throws ETIMEDOUT and whatever else says nothing about what is there
   */
  async list(problems: Problems): Promise<readonly RootListing[]> {
    const listings: RootListing[] = [];
    for (const runtime of ['go', 'rust'] as const) {
      const root = this.host.run(KATA_ROOTS[runtime]);
      const ids = await this.idsIn(root, KATA_ROOTS[runtime], problems);
      if (ids === undefined) continue;
      if (ids === REFUSED) {
        listings.push({ root, directories: [], refused: true });
        continue;
      }
      const directories = ids.filter((id) => runtime === 'go' || id !== JAIL).map((id) => this.directory(runtime, id));
      listings.push({ root, directories: [...directories, ...(await this.jails(runtime, ids, problems))], refused: false });
    }
    return listings;
  }

  /** Whether a sandbox once lived here; looked at again when the directory changes. */
  async wasSandbox({ path, stateFile }: SandboxDirectory): Promise<boolean> {
    const { token } = await fileMark(path);
    const known = this.remains.get(path);
    if (known?.token === token) return known.ofKata;
    let ofKata = await isThere(stateFile);
    for (const trace of TRACES) ofKata ||= await isThere(join(path, trace));
    this.remains.set(path, { token, ofKata });
    return ofKata;
  }

  /** Forgets the remains of all but these. */
  keep(paths: ReadonlySet<string>): void {
    this.remains = new Map([...this.remains].filter(([path]) => paths.has(path)));
  }

  private async jails(runtime: Runtime, ids: readonly string[], problems: Problems): Promise<readonly SandboxDirectory[]> {
    if (runtime !== 'rust' || !ids.includes(JAIL)) return [];
    const jailed = await this.idsIn(this.host.run(KATA_ROOTS.rust, JAIL), `${KATA_ROOTS.rust}/${JAIL}`, problems);
    return jailed === undefined || jailed === REFUSED ? [] : jailed.map((id) => this.jail(id));
  }

  private directory(runtime: Runtime, id: string): SandboxDirectory {
    const name = `${KATA_ROOTS[runtime]}/${id}`;
    const path = this.host.run(name);
    return { runtime, id, name, path, stateFile: join(path, STATE_FILES[runtime]), jailed: false };
  }

  private jail(id: string): SandboxDirectory {
    const name = `${KATA_ROOTS.rust}/${JAIL}/${id}`;
    const path = this.host.run(name);
    return { runtime: 'rust', id, name, path, stateFile: join(path, 'root', STATE_FILES.rust), jailed: true };
  }

  /** undefined where the root is not there. */
  private async idsIn(root: string, name: string, problems: Problems): Promise<readonly string[] | typeof REFUSED | undefined> {
    try {
      const { names, complete } = await entriesOf(root, 'directory', MAX_DIRECTORIES, () => true);
      if (!complete) problems.note(name, `more than ${MAX_DIRECTORIES} directories: the rest is left out`);
      return names.filter((id) => {
        const valid = ID_PATTERN.test(id);
        if (!valid) problems.note(`${name}/${id}`, 'the name of the directory is no id');
        return valid;
      });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      if (code !== 'EACCES' && code !== 'EPERM') throw error;
      problems.note(name, `${describeError(error)}: sandboxes are found by their processes alone`);
      return REFUSED;
    }
  }
}
