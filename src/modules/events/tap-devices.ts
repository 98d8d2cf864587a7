import type { Nic } from '../../model/instance.js';
import type { HeldProcess, KernelFile } from '../../model/process.js';
import { parseIndexLine } from '../procfs/interface-index.js';
import { readWhole } from '../procfs/whole-file.js';

/** A network device as the kernel tells it from all others of the machine. */
export interface TapDevice {
  /** Inode of the network namespace. */
  readonly namespace: number;
  readonly index: number;
}

export const isSameDevice = (one: TapDevice, other: TapDevice): boolean => one.index === other.index && one.namespace === other.namespace;

/** Names of its taps that are known. */
export const tapNames = (nics: readonly Nic[] | null): Set<string> =>
  new Set((nics ?? []).flatMap(({ kind, name }) => (kind === 'tap' && name !== undefined ? [name] : [])));

/** A thousand taps have some 200 KB. */
const MAX_TABLE_BYTES = 1 << 22;
/** Threads looked at for a namespace of their own; a shim that contains its VM has about a dozen. */
const MAX_THREADS = 64;
const MAX_DEVICES = 64;

type Indexes = ReadonlyMap<string, number>;

/** Which devices the taps of a VM are. Only of namespaces that its process or one of its threads is in: there the name is its own. */
export class TapDevices {
  /** By namespace. Read once for all instances that are looked at in one go. */
  private known = new Map<number, Indexes>();

  /** Devices may have come since. */
  forget(): void {
    if (this.known.size > 0) this.known = new Map();
  }

  of(process: HeldProcess, nics: readonly Nic[] | null): readonly TapDevice[] {
    const wanted = tapNames(nics);
    const found: TapDevice[] = [];
    if (wanted.size === 0) return found;
    for (const directory of doors(process)) {
      const [namespace, indexes] = this.indexes(process, directory);
      for (const name of wanted) {
        const index = indexes?.get(name);
        if (index === undefined || found.length >= MAX_DEVICES) continue;
        wanted.delete(name);
        found.push({ namespace, index });
      }
      if (wanted.size === 0) break;
    }
    return found;
  }

  private indexes(process: HeldProcess, directory: string): readonly [number, Indexes | undefined] {
    const namespace = tryFile(process, `${directory}ns/net`, (file) => Number(file.identity().split(':')[1])) ?? Number.NaN;
    if (!(namespace > 0)) return [namespace, undefined];
    const indexes = this.known.get(namespace) ?? tryFile(process, `${directory}net/dev_mcast`, readIndexes);
    if (indexes) this.known.set(namespace, indexes);
    return [namespace, indexes];
  }
}

function* doors(process: HeldProcess): Iterable<string> {
  yield '';
  let threads: readonly string[] = [];
  try {
    threads = process.threads();
  } catch {
    return;
  }
  for (const thread of threads.slice(0, MAX_THREADS)) yield `task/${thread}/`;
}

function readIndexes(file: KernelFile): Indexes {
  const buffer = Buffer.allocUnsafe(MAX_TABLE_BYTES);
  const length = readWhole(file, buffer);
  const indexes = new Map<string, number>();
  for (const line of buffer.toString('utf8', 0, Math.max(0, length)).split('\n')) {
    const found = parseIndexLine(line);
    if (found) indexes.set(found.name, found.index);
  }
  return indexes;
}

/** Undefined where the process ended, or where we may not look. */
function tryFile<T>(process: HeldProcess, path: string, read: (file: KernelFile) => T): T | undefined {
  try {
    const file = process.open(path);
    try {
      return read(file);
    } finally {
      file.close();
    }
  } catch {
    return undefined;
  }
}
