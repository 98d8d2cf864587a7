import type { Host } from '../../host/host.js';
import { outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess, KernelFile } from '../../model/process.js';
import { HostUsers } from './host-users.js';
import { type Door, identityOf, NetworkNamespace, type Watcher } from './namespace.js';

/** Threads looked at for a namespace of their own; a shim that contains its VM has about a dozen. */
const MAX_THREADS = 64;

/** A decimal number and a newline. */
const count = Buffer.allocUnsafeSlow(32);

export interface Found {
  readonly namespace: NetworkNamespace;
  /** Through which it was found. */
  readonly door: Door;
}

/** The network namespaces in which instances have interfaces, each held and read once. */
export class Namespaces {
  private readonly known = new Map<string, NetworkNamespace>();
  /** Whose devices were, in the host's namespace: there it outlasts the last instance, because a tap may be handed on to the next one. */
  private readonly owners = new Map<string, Map<number, string>>();
  private hostsIdentity: string | undefined;
  private readonly hostUsers: HostUsers;

  constructor(private readonly host: Host) {
    this.hostUsers = new HostUsers(host);
  }

  /**
   * The namespace in which the process's interface of this name is: its own, that of one of its threads (a Dragonball VMM enters the pod's
   * namespace with some of them), or the host's (the tap was opened before the process moved; not for one in a user namespace of its own). Where none has the name: its own.
   * Outside its own, an interface that somebody else watches is another tap of the same name.
   */
  find(process: HeldProcess, name: string): Found | null {
    let own: Found | null = null;
    for (const door of this.doors(process)) {
      const file = tryOpen(() => door('dev'));
      if (!file) continue;
      const found = { namespace: this.adopt(file), door };
      const { namespace } = found;
      own ??= found;
      if (namespace.has(name) && (namespace === own.namespace || !namespace.isWatched(name))) {
        if (own.namespace !== namespace) this.dropUnused(own.namespace);
        namespace.users++;
        return found;
      }
      if (own.namespace !== namespace) this.dropUnused(namespace);
    }
    if (own) own.namespace.users++;
    return own;
  }

  release(namespace: NetworkNamespace, watcher: Watcher): void {
    namespace.unwatch(watcher);
    namespace.users--;
    this.dropUnused(namespace);
  }

  /** Whose the devices of these were is known to namespaces that are found in the course of the work, whether or not they were let go of. */
  remembering<T>(namespaces: readonly NetworkNamespace[], work: () => T): T {
    for (const { identity, owners } of namespaces) this.owners.set(identity, owners);
    try {
      return work();
    } finally {
      for (const { identity, isHosts } of namespaces) if (!isHosts) this.owners.delete(identity);
    }
  }

  /**
   * One pass over every namespace in use. One that cannot be read leaves its interfaces unseen and says why. Then, where any device of the
   * machine came or went since, which device has which name: one that is the same afterwards was the same when it was read.
   */
  *pass(): Iterable<void> {
    for (const namespace of this.known.values()) {
      namespace.forgetNames();
      try {
        yield* namespace.pass();
      } catch (error) {
        namespace.outcome = outcomeOfErrno(error);
      }
      yield;
    }
    const changes = this.deviceChanges();
    for (const namespace of this.known.values()) {
      // NaN equals nothing: where the machine does not tell, they are looked at in every sweep.
      if (namespace.lookedAt === changes && !namespace.hasUnidentified) continue;
      if (yield* namespace.identify(changes)) namespace.lookedAt = changes;
      yield;
    }
  }

  /**
   * Counts the announcements of devices of all kinds, in all namespaces, since boot (kernel/ksysfs.c): a network device is announced before
   * its name can be seen. 6 µs a sweep, where looking at the devices themselves would double the price of the counters. NaN: not told.
   */
  deviceChanges(): number {
    try {
      const length = this.host.readInto(this.host.sys('kernel', 'uevent_seqnum'), count);
      return length === 0 ? Number.NaN : Number(count.toString('latin1', 0, length));
    } catch {
      return Number.NaN;
    }
  }

  private *doors(process: HeldProcess): Iterable<Door> {
    yield (table) => process.open(`net/${table}`);
    for (const thread of tryOpen(() => process.threads())?.slice(0, MAX_THREADS) ?? [])
      yield (table) => process.open(`task/${thread}/net/${table}`);
    if (this.hostUsers.has(process)) yield (table) => this.host.holdFile(this.host.proc('1', 'net', table));
  }

  private adopt(file: KernelFile): NetworkNamespace {
    const identity = file.identity();
    const known = this.known.get(identity);
    if (known) {
      file.close();
      return known;
    }
    const isHosts = identity === this.identityOfHosts();
    const namespace = new NetworkNamespace(identity, file, this.owners.get(identity), isHosts);
    if (isHosts) this.owners.set(identity, namespace.owners);
    this.known.set(identity, namespace);
    return namespace;
  }

  /** Init is in the host's; undefined where it is hidden from us. */
  private identityOfHosts(): string | undefined {
    this.hostsIdentity ??= tryOpen(() => identityOf(this.host.holdFile(this.host.proc('1', 'net', 'dev'))));
    return this.hostsIdentity;
  }

  private dropUnused(namespace: NetworkNamespace): void {
    if (namespace.users > 0) return;
    this.known.delete(namespace.identity);
    namespace.close();
  }
}

function tryOpen<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
