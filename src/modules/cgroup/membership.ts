/** Where a process or thread stands in one hierarchy. */
export interface Membership {
  /** What is mounted with it, `cpu` and `cpuacct` or `name=systemd`; empty for the one hierarchy of version 2. */
  readonly controllers: readonly string[];
  /** From the hierarchy's root as the reader's own cgroup namespace sees it: `/`, `/machine.slice/vm.scope`. */
  readonly path: string;
}

/** Hierarchy's number, controllers, path, which may hold colons; the kernel refuses names of cgroups with a newline in them. */
const LINE = /^\d+:([^:]*):(\/.*)$/;
/** What the kernel adds to the path of a cgroup that was removed under a process that has not ended. */
const DELETED = / \(deleted\)$/;

/**
 * /proc/<pid>/cgroup, cgroups(7): a line for each hierarchy.
 * @returns null for a text that is cut, empty or holds anything else
 */
export function parseMemberships(text: string): readonly Membership[] | null {
  if (!text.endsWith('\n')) return null;
  const memberships: Membership[] = [];
  for (const line of text.slice(0, -1).split('\n')) {
    const [, controllers, path] = LINE.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return null;
    memberships.push({ controllers: controllers === '' ? [] : controllers.split(','), path: path.replace(DELETED, '') });
  }
  return memberships;
}

/** A path that leads out of what our own cgroup namespace may see: `/../other.slice`. Nothing below our mount is meant by it. */
export const isOutside = (path: string): boolean => path.split('/').includes('..');

/** The cgroup itself, then all it lies in, up to the root: `/a/b`, `/a`, `/`. */
export function levels(path: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return [...parts.map((_, i) => `/${parts.slice(0, parts.length - i).join('/')}`), '/'];
}
