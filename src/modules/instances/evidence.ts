import { withDeadline } from '../../host/deadline.js';
import type { HeldDirectory } from '../../host/held.js';
import type { Host } from '../../host/host.js';
import type { Slicer } from '../../host/slicer.js';
import type { TapDescriptor } from '../hypervisor/driver.js';
import { parseTapName } from '../procfs/fdinfo.js';
import { parseListeningSockets } from '../procfs/unix-sockets.js';

const CMDLINE_BYTES = 1 << 20;
const CMDLINE_DEADLINE_MS = 1000;
const MAX_DESCRIPTORS = 65_536;
const NET_UNIX_BYTES = 32 << 20;
/** Character device of tun and tap queues, Documentation/admin-guide/devices.txt. */
const TUN_MAJOR = 10;
const TUN_MINOR = 200;

/** What is the same for many processes of one scan: socket tables by namespace, interface indexes. */
export class ScanCache {
  readonly sockets = new Map<string, ReadonlyMap<string, string>>();
  private indexes: ReadonlyMap<string, string> | null = null;

  constructor(private readonly host: Host) {}

  /** Name of the interface with this index in the host's namespace; sysfs shows no other. */
  interfaceName(index: string): string | undefined {
    this.indexes ??= new Map(
      this.interfaces().map((name) => [this.host.tryReadText(this.host.sys('class', 'net', name, 'ifindex'), 32)?.trim() ?? '', name]),
    );
    return this.indexes.get(index);
  }

  private interfaces(): string[] {
    try {
      return this.host.list(this.host.sys('class', 'net'));
    } catch {
      return [];
    }
  }
}

/** What the descriptors of a process say: counts, tap queues, listening sockets. */
export interface DescriptorEvidence {
  readonly kvmVms: number;
  readonly kvmVcpus: number;
  readonly taps: readonly TapDescriptor[];
  readonly socketInodes: ReadonlyMap<number, string>;
}

/**
 * Reads the links in /proc/<pid>/fd. @throws EACCES without ptrace rights over the process, ENOENT when it is gone
 * @param slicer a process with thousands of descriptors is looked at in pieces
 */
export async function readDescriptors(directory: HeldDirectory, cache: ScanCache, slicer: Slicer): Promise<DescriptorEvidence> {
  let kvmVms = 0;
  const vcpus = new Set<string>();
  const taps: TapDescriptor[] = [];
  const socketInodes = new Map<number, string>();
  for (const entry of directory.list('fd').slice(0, MAX_DESCRIPTORS)) {
    const fd = Number(entry);
    const link = tryLink(directory, `fd/${entry}`);
    if (link.startsWith('anon_inode:')) {
      if (link === 'anon_inode:kvm-vm') kvmVms++;
      else if (link.startsWith('anon_inode:kvm-vcpu')) vcpus.add(link);
    } else if (link.startsWith('socket:[')) socketInodes.set(fd, link.slice(8, -1));
    else if (link.includes('/')) {
      const tap = readTap(directory, fd, link, cache);
      if (tap) taps.push(tap);
    }
    const pause = slicer.pause();
    if (pause) await pause;
  }
  taps.sort((a, b) => a.fd - b.fd);
  return { kvmVms, kvmVcpus: vcpus.size, taps, socketInodes };
}

/** A tap queue is known by its device number; its interface by the `iff:` line that only tun devices have (drivers/net/tun.c). */
function readTap(directory: HeldDirectory, fd: number, link: string, cache: ScanCache): TapDescriptor | undefined {
  const macvtap = /^\/dev\/tap(\d+)$/.exec(link)?.[1];
  if (macvtap !== undefined) return { fd, kind: 'macvtap', ...named(cache.interfaceName(macvtap)) };
  if (!link.endsWith('/net/tun') && !isTunDevice(directory, fd, link)) return undefined;
  return { fd, kind: 'tap', ...named(parseTapName(tryText(directory, `fdinfo/${fd}`))) };
}

const named = (name: string | undefined): { name?: string } => (name === undefined ? {} : { name });

/** A device node under another path. Regular files are not touched: stat could wait for a stranger's file system. */
function isTunDevice(directory: HeldDirectory, fd: number, link: string): boolean {
  if (!link.includes('/dev/')) return false;
  try {
    const device = directory.characterDevice(`fd/${fd}`);
    return device?.major === TUN_MAJOR && device.minor === TUN_MINOR;
  } catch {
    return false;
  }
}

/** argv of the process. cmdline takes the lock of its address space and can wait behind a stuck process: off the event loop. */
export async function readArgv(directory: HeldDirectory): Promise<readonly string[]> {
  try {
    const text = await withDeadline(directory.readTextAsync('cmdline', CMDLINE_BYTES), CMDLINE_DEADLINE_MS, 'cmdline');
    return text.replace(/\0$/, '').split('\0');
  } catch {
    return [];
  }
}

export function readListening(
  directory: HeldDirectory,
  inodes: ReadonlyMap<number, string>,
  cache: ScanCache,
): ReadonlyMap<number, string> {
  const listening = new Map<number, string>();
  if (inodes.size === 0) return listening;
  const table = socketTable(directory, cache);
  for (const [fd, inode] of inodes) {
    const path = table.get(inode);
    if (path !== undefined) listening.set(fd, path);
  }
  return listening;
}

function socketTable(directory: HeldDirectory, cache: ScanCache): ReadonlyMap<string, string> {
  try {
    const file = directory.open('net/unix');
    const namespace = file.identity();
    file.close();
    const known = cache.sockets.get(namespace);
    if (known) return known;
    const table = parseListeningSockets(directory.readText('net/unix', NET_UNIX_BYTES));
    cache.sockets.set(namespace, table);
    return table;
  } catch {
    return new Map();
  }
}

/** Paths of /proc/<pid>/cgroup, cgroups(7): one `id:controllers:path` a line. */
export function readCgroups(directory: HeldDirectory): readonly string[] {
  const paths = tryText(directory, 'cgroup')
    .split('\n')
    .flatMap((line) => /^\d+:[^:]*:(\/.*)$/.exec(line)?.[1] ?? []);
  return [...new Set(paths)];
}

export function tryLink(directory: HeldDirectory, entry: string): string {
  try {
    return directory.link(entry);
  } catch {
    return '';
  }
}

export function tryText(directory: HeldDirectory, entry: string): string {
  try {
    return directory.readText(entry, 1 << 16);
  } catch {
    return '';
  }
}
