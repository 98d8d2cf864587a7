import type { Runtime } from '../../model/instance.js';
import type { DirectoryState, KataDirectories } from '../../model/kata-directories.js';
import type { KataDirectoryLister, RootListing, SandboxDirectory } from './kata-directories.js';
import { describeError, type Problems } from './problems.js';

/** What lives behind a directory's id. */
export interface Life {
  readonly runtime?: Runtime;
  /** `starting`: a shim without a VMM. */
  readonly state: 'running' | 'starting';
}

/** `live` is the sum of `running` and `starting`. */
type Counts = Record<DirectoryState | Life['state'], number>;

/** Counts Kata's directories by what stands behind them, and names those behind which nothing lives. */
export class KataCensus {
  /** Of the last pass, with nothing alive behind them. Null before the first. */
  private dead: ReadonlySet<string> | null = null;

  constructor(private readonly lister: KataDirectoryLister) {}

  /** @param remarksOn what else is to be said of a directory behind which nothing lives */
  async take(
    listings: readonly RootListing[],
    lives: ReadonlyMap<string, Life>,
    remarksOn: (directory: SandboxDirectory) => readonly string[],
    problems: Problems,
  ): Promise<KataDirectories['directories']> {
    const dead = new Set<string>();
    const roots: { root: string; counts: Counts }[] = [];
    for (const { root, directories } of listings) {
      const counts: Counts = { running: 0, starting: 0, live: 0, stale: 0, phantom: 0 };
      const counted = new Set<string>();
      for (const directory of directories) {
        if (counted.has(directory.id)) continue;
        counted.add(directory.id);
        const life = lifeOf(directory, lives);
        const state = life?.state ?? (await this.remains(directory, problems));
        if (state === undefined) continue;
        counts[state]++;
        if (life) counts.live++;
        else {
          dead.add(directory.path);
          this.tell(directory, state, remarksOn(directory), problems);
        }
      }
      roots.push({ root, counts });
    }
    this.lister.keep(dead);
    this.dead = dead;
    return { present: roots.length > 0, roots };
  }

  /** undefined where the directory has just gone or may not be looked into. */
  private async remains(directory: SandboxDirectory, problems: Problems): Promise<'stale' | 'phantom' | undefined> {
    try {
      return (await this.lister.wasSandbox(directory)) ? 'stale' : 'phantom';
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') problems.note(directory.name, `no process; ${describeError(error)}`);
      return undefined;
    }
  }

  /** A directory that appears or is given up while we look is for a moment without a process: it is named when it stays so. */
  private tell({ path, name }: SandboxDirectory, state: string, remarks: readonly string[], problems: Problems): void {
    if (this.dead && !this.dead.has(path)) return;
    const stale = ['stale: no process of this sandbox lives', ...remarks].join('; ');
    problems.note(name, state === 'stale' ? stale : 'phantom: nothing of Kata’s is in it');
  }
}

function lifeOf({ id, runtime }: SandboxDirectory, lives: ReadonlyMap<string, Life>): Life | undefined {
  const life = lives.get(id);
  return life && (life.runtime === undefined || life.runtime === runtime) ? life : undefined;
}
