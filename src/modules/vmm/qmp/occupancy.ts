import type { HeldDirectory } from '../../../host/held.js';
import type { Host } from '../../../host/host.js';
import { Slicer } from '../../../host/slicer.js';
import { parseUnixDoor, type UnixDoor } from '../unix-door.js';

const NET_UNIX = 'net/unix';
const NET_UNIX_BYTES = 32 << 20;
const MAX_DESCRIPTORS = 65_536;
/** Tables of the other families that a VMM's sockets may be of. */
const OTHER_FAMILIES = ['tcp', 'tcp6', 'udp', 'udp6', 'netlink', 'packet', 'raw'];

/** Inodes stand in different columns of these tables. */
const NUMBERS = / (\d+)(?=\s|$)/g;

/** Who is at a monitor, seen without touching it. */
export interface Clients {
  /** Clients that the VMM accepted: inodes of its ends of their connections. */
  readonly accepted: ReadonlySet<string>;
  /** Clients that it did not accept yet; also ones that left since. */
  readonly waiting: number;
}

export interface Occupancy extends Clients {
  /** Those of `accepted` whose socket the VMM holds: all, unless one left at this moment or somebody else answers. */
  readonly held: ReadonlySet<string>;
  /** Inodes of clients of other listeners that bound the same words, in another root or directory. */
  readonly others: ReadonlySet<string>;
  /**
   * Sockets that the VMM holds and that are in no table that can be read here. The accepted end of a connection stands in the table of its
   * client's network namespace, not of the VMM's: each of these may be a client in a third one.
   */
  readonly unknown: number;
}

/** @param path as the VMM bound it @throws the system's errors: ESRCH, EACCES, EFBIG */
export async function occupancyOf(process: HeldDirectory, path: string, host: Host): Promise<Occupancy> {
  const ours = host.holdDirectory(host.proc('self'));
  let tables: readonly string[];
  try {
    tables = await Promise.all(namespaces(process, ours).map((place) => place.readTextAsync(NET_UNIX, NET_UNIX_BYTES)));
  } finally {
    ours.close();
  }
  // After the tables: a client that is in them is in these, or has left.
  const inodes = await socketInodes(process, host);
  const doors = tables.map((table) => parseUnixDoor(table, path));
  const isShared = new Set(doors.flatMap(({ listeners }) => listeners)).size > 1;
  const others = new Set(isShared ? doors.flatMap(({ accepted }) => accepted).filter((inode) => !inodes.has(inode)) : []);
  const clients = clientsOf(doors, others);
  return {
    ...clients,
    held: new Set([...clients.accepted].filter((inode) => inodes.has(inode))),
    others,
    unknown: await countUnknown(process, inodes, tables, host),
  };
}

/** The same at this very moment, for who is about to connect; holds up the event loop for as long as the kernel prints its tables. */
export function clientsNow(process: HeldDirectory, path: string, host: Host, others: ReadonlySet<string>): Clients {
  const ours = host.holdDirectory(host.proc('self'));
  try {
    const tables = namespaces(process, ours).map((place) => place.readText(NET_UNIX, NET_UNIX_BYTES));
    return clientsOf(
      tables.map((table) => parseUnixDoor(table, path)),
      others,
    );
  } finally {
    ours.close();
  }
}

const clientsOf = (doors: readonly UnixDoor[], others: ReadonlySet<string>): Clients => ({
  accepted: new Set(doors.flatMap(({ accepted }) => accepted).filter((inode) => !others.has(inode))),
  waiting: doors.reduce((sum, { waiting }) => sum + waiting, 0),
});

/** The VMM's network namespace and ours, where that is another one. */
const namespaces = (process: HeldDirectory, ours: HeldDirectory): readonly HeldDirectory[] =>
  identityOf(ours) === identityOf(process) ? [process] : [process, ours];

function identityOf(directory: HeldDirectory): string {
  const file = directory.open(NET_UNIX);
  try {
    return file.identity();
  } finally {
    file.close();
  }
}

async function socketInodes(process: HeldDirectory, host: Host): Promise<ReadonlySet<string>> {
  const inodes = new Set<string>();
  const slicer = new Slicer(host.clock);
  for (const descriptor of process.list('fd').slice(0, MAX_DESCRIPTORS)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(process, descriptor))?.[1];
    if (inode !== undefined) inodes.add(inode);
    const pause = slicer.pause();
    if (pause) await pause;
  }
  return inodes;
}

function linkOf(process: HeldDirectory, descriptor: string): string {
  try {
    return process.link(`fd/${descriptor}`);
  } catch {
    // Closed since.
    return '';
  }
}

/** Passes over each table once, whatever it and the process have: both may have tens of thousands of rows. */
async function countUnknown(process: HeldDirectory, inodes: ReadonlySet<string>, unix: readonly string[], host: Host): Promise<number> {
  const rest = new Set(inodes);
  const slicer = new Slicer(host.clock);
  const strike = async (table: string): Promise<void> => {
    for (const [, number] of table.matchAll(NUMBERS)) {
      rest.delete(number);
      if (rest.size === 0) return;
      const pause = slicer.pause();
      if (pause) await pause;
    }
  };
  for (const table of unix) await strike(table);
  for (const family of rest.size > 0 ? OTHER_FAMILIES : []) {
    await strike(await process.readTextAsync(`net/${family}`, NET_UNIX_BYTES).catch(() => ''));
  }
  return rest.size;
}
