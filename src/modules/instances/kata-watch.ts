import type { Host } from '../../host/host.js';
import { whatIs } from '../../host/strangers.js';
import { type Watch, watchDirectory } from '../../host/watch.js';
import { KATA_ROOTS } from './kata-directories.js';

interface Watched {
  readonly path: string;
  /** A directory that went and came again is another one. */
  readonly identity: string;
  readonly watch: Watch;
}

/** Watches Kata's roots; while one is missing, the nearest directory above it in which it will appear. */
export class KataWatch {
  private readonly watched = new Map<string, Watched>();
  private closed = false;

  constructor(
    private readonly host: Host,
    private readonly changed: () => void,
  ) {}

  /** Called at every look: roots come and go. Never throws. */
  async follow(): Promise<void> {
    for (const root of Object.values(KATA_ROOTS)) await this.followOne(root);
  }

  close(): void {
    this.closed = true;
    for (const { watch } of this.watched.values()) watch.close();
    this.watched.clear();
  }

  private async followOne(root: string): Promise<void> {
    const parts = root.split('/');
    for (let depth = parts.length; depth >= 0; depth--) {
      const path = this.host.run(...parts.slice(0, depth));
      const identity = await identityOf(path);
      if (identity === undefined) continue;
      const missing = parts.at(depth);
      return this.watchOne(root, path, identity, (name) => missing === undefined || name === missing);
    }
  }

  private watchOne(root: string, path: string, identity: string, wanted: (name: string) => boolean): void {
    const known = this.watched.get(root);
    if (this.closed || (known?.path === path && known.identity === identity)) return;
    known?.watch.close();
    this.watched.set(root, { path, identity, watch: watchDirectory(path, wanted, this.changed) });
  }
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    return (await whatIs(path)).identity;
  } catch {
    return undefined;
  }
}
