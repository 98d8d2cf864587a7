import type { Host } from '../../../host/host.js';
import type { Subject } from '../../../model/collector.js';
import type { KernelFile } from '../../../model/process.js';
import { NetworkNamespace } from '../namespace.js';

/** Names of interfaces by the identity of their network namespace. */
export type DeviceNames = ReadonlyMap<string, readonly string[]>;

const NONE: DeviceNames = new Map();

/** Looks for interfaces of instances in network namespaces, each of which is read once. To be closed after a pass over the instances. */
export class DeviceLook {
  private readonly known = new Map<string, NetworkNamespace>();

  constructor(private readonly host: Host) {}

  /**
   * In the namespace of the process, or, what is not there, in the host's: a tap may have been opened before the process moved. A namespace that
   * one thread alone is in is not looked at.
   */
  namesOf({ process, nics }: Subject): DeviceNames {
    const names = (nics ?? []).flatMap(({ name }) => name ?? []);
    if (!process || names.length === 0) return NONE;
    const own = this.adopt(() => process.open('net/dev'));
    const hosts = this.adopt(() => this.host.holdFile(this.host.proc('1', 'net', 'dev')));
    const found = new Map<string, readonly string[]>();
    for (const name of new Set(names)) {
      const at = [own, hosts].find((namespace) => namespace !== null && has(namespace, name));
      if (at) found.set(at.identity, [...(found.get(at.identity) ?? []), name]);
    }
    return found;
  }

  close(): void {
    for (const namespace of this.known.values()) namespace.close();
    this.known.clear();
  }

  private adopt(open: () => KernelFile): NetworkNamespace | null {
    try {
      const file = open();
      const identity = file.identity();
      const known = this.known.get(identity);
      if (known) {
        file.close();
        return known;
      }
      const namespace = new NetworkNamespace(identity, file);
      this.known.set(identity, namespace);
      return namespace;
    } catch {
      // The process is gone, or may not be looked at.
      return null;
    }
  }
}

function has(namespace: NetworkNamespace, name: string): boolean {
  try {
    return namespace.has(name);
  } catch {
    return false;
  }
}
