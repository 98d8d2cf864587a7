import type { Host } from '../../../host/host.js';
import type { Subject } from '../../../model/collector.js';
import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';
import type { KernelFile } from '../../../model/process.js';
import { HostUsers } from '../host-users.js';
import { NetworkNamespace } from '../namespace.js';

/** Names of interfaces by the identity of their network namespace. */
export type DeviceNames = ReadonlyMap<string, readonly string[]>;

const NONE: DeviceNames = new Map();

/** Which interfaces a namespace had when it was looked at; nothing of it is held. */
interface Table {
  readonly identity: string;
  has(name: string): boolean;
}

/** Looks for interfaces of instances in network namespaces, each of which is read once: for one pass over the instances. */
export class DeviceLook {
  private readonly known = new Map<string, Table>();
  private readonly hostUsers: HostUsers;
  private hosts: Table | null | undefined;

  constructor(private readonly host: Host) {
    this.hostUsers = new HostUsers(host);
  }

  /**
   * In the namespace of the process, or, what is not there, in the host's: a tap may have been opened before the process moved; not for one in
   * a user namespace of its own. A namespace that one thread alone is in is not looked at.
   * @returns null where our own descriptors were used up: nothing is known then
   */
  namesOf({ process, nics }: Subject): DeviceNames | null {
    const names = (nics ?? []).flatMap(({ name }) => name ?? []);
    if (!process || names.length === 0) return NONE;
    try {
      const own = this.table(() => process.open('net/dev'));
      this.hosts ??= this.table(() => this.host.holdFile(this.host.proc('1', 'net', 'dev')));
      const tables = [own, this.hostUsers.has(process) ? this.hosts : null];
      const found = new Map<string, readonly string[]>();
      for (const name of new Set(names)) {
        const at = tables.find((table) => table?.has(name));
        if (at) found.set(at.identity, [...(found.get(at.identity) ?? []), name]);
      }
      return found;
    } catch {
      return null;
    }
  }

  /** null for one that is gone, or may not be looked at. @throws EMFILE, ENFILE */
  private table(open: () => KernelFile): Table | null {
    try {
      const file = open();
      try {
        return this.adopt(file);
      } finally {
        file.close();
      }
    } catch (error) {
      if (outcomeOfErrno(error) === Outcome.busy) throw error;
      return null;
    }
  }

  private adopt(file: KernelFile): Table {
    const identity = file.identity();
    const known = this.known.get(identity);
    if (known) return known;
    const namespace = new NetworkNamespace(identity, file);
    // The first question reads all names; the others need the file no more.
    namespace.has('');
    const table = { identity, has: (name: string) => namespace.has(name) };
    this.known.set(identity, table);
    return table;
  }
}
