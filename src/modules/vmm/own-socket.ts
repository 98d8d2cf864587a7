import type { HeldDirectory } from '../../host/held.js';
import type { StrangersSocket } from '../../host/held-socket.js';
import type { Host } from '../../host/host.js';
import { holdPlace, type Viewpoint } from '../../host/in-root.js';
import { Slicer } from '../../host/slicer.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { ProcfsProcess } from '../procfs/held-process.js';
import { ownerOf } from '../shim/askable.js';
import { parseUnixDoor, type UnixDoor } from './unix-door.js';

const NET_UNIX_BYTES = 32 << 20;
const MAX_DESCRIPTORS = 65_536;
const ROOT = 0;

/**
 * A socket that a VMM itself listens on. Which one is told by its argv or by a file, and neither is believed: the kernel has to say that
 * a descriptor of that very process listens at those words.
 */
export class OwnSocket {
  /** Where it was found last: the socket that a descriptor is of has the same path for as long as it lives. */
  private found: { readonly descriptor: string; readonly link: string } | null = null;

  /** @param path as the process names it: absolute in its root, or relative to its cwd */
  constructor(
    private readonly process: HeldProcess,
    readonly path: string,
    private readonly host: Host,
  ) {}

  /**
   * Whether it is there, touching nothing. gone: nobody listens; notPermitted: another process does, or we may not look; unsupported: not in
   * the file system. @throws the system's errors
   */
  async look(): Promise<Outcome> {
    const directory = heldDirectory(this.process);
    if (!directory || this.path.startsWith('@')) return Outcome.unsupported;
    if (this.found && linkOf(directory, this.found.descriptor) === this.found.link) return Outcome.ok;
    this.found = null;
    const { listeners } = await this.door();
    if (listeners.length === 0) return Outcome.gone;
    const slicer = new Slicer(this.host.clock);
    const wanted = new Set(listeners.map((inode) => `socket:[${inode}]`));
    for (const descriptor of directory.list('fd').slice(0, MAX_DESCRIPTORS)) {
      const link = linkOf(directory, descriptor);
      if (link !== undefined && wanted.has(link)) {
        this.found = { descriptor, link };
        return Outcome.ok;
      }
      const pause = slicer.pause();
      if (pause) await pause;
    }
    return Outcome.notPermitted;
  }

  /** Who is at it, touching nothing. @throws the system's errors */
  async door(): Promise<UnixDoor> {
    const table = await heldDirectory(this.process)?.readTextAsync('net/unix', NET_UNIX_BYTES);
    return parseUnixDoor(table ?? '', this.path);
  }

  /** Its directory is held while it is used. @throws the system's errors; ETIMEDOUT */
  async use<T>(deadlineMs: number, ask: (socket: StrangersSocket) => Promise<T>): Promise<T> {
    const view = viewOf(this.process);
    if (!view) throw Object.assign(new Error('a process without files'), { code: 'ESRCH' });
    const place = await holdPlace(view, this.path, deadlineMs);
    try {
      return await ask({ directory: place.directory, name: place.name, owners: ownersOf(this.process, this.path, place.linkOwners) });
    } finally {
      await place.close();
    }
  }
}

/**
 * Uids whose files may be what a process means by a path: its own and root's, who starts it. Where another user than root had a say in where
 * the path leads, only that user's: it could lead to a socket or file of root's that it has no right to itself. Its say are symbolic links,
 * the cwd, and mounts, which anybody may make in a user namespace of their own.
 * @throws ESRCH, EACCES
 */
export function ownersOf(process: HeldProcess, path: string, linkOwners: ReadonlySet<number>): readonly number[] {
  const owner = ownerOf(process);
  const own = owner === null ? [ROOT] : [ROOT, owner];
  const leaders = new Set(linkOwners);
  if (owner !== null && (!path.startsWith('/') || mayMount(process))) leaders.add(owner);
  leaders.delete(ROOT);
  return own.filter((uid) => [...leaders].every((leader) => leader === uid));
}

/** PROC_USER_INIT_INO: the namespace in which root is root of the host. */
const INITIAL_USERS = 'user:[4026531837]';

function mayMount(process: HeldProcess): boolean {
  try {
    return heldDirectory(process)?.link('ns/user') !== INITIAL_USERS;
  } catch {
    // Whoever may not look at this may not look at its root either.
    return false;
  }
}

/** What a process sees when it looks for a path; null for one that is not held by its directory. */
export function viewOf(process: HeldProcess): (Viewpoint & { readonly descriptors: string }) | null {
  const directory = heldDirectory(process);
  return directory && { root: directory.path('root'), cwd: directory.path('cwd'), descriptors: directory.path('fd') };
}

/** Its directory in /proc; null for one that is not held by it. */
export const heldDirectory = (process: HeldProcess): HeldDirectory | null => (process instanceof ProcfsProcess ? process.held : null);

function linkOf(directory: HeldDirectory, descriptor: string): string | undefined {
  try {
    return directory.link(`fd/${descriptor}`);
  } catch {
    // Closed since, or not ours to look at: the list itself would have said that.
    return undefined;
  }
}
