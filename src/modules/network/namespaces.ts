import type { Host } from '../../host/host.js';
import { outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess, KernelFile } from '../../model/process.js';
import { NetworkNamespace, type Watcher } from './namespace.js';

/** Threads looked at for a namespace of their own; a shim that contains its VM has about a dozen. */
const MAX_THREADS = 64;

/** The network namespaces in which instances have interfaces, each held and read once. */
export class Namespaces {
  private readonly known = new Map<string, NetworkNamespace>();

  constructor(private readonly host: Host) {}

  /**
   * The namespace in which the process's interface of this name is: its own, that of one of its threads (a Dragonball VMM enters the pod's
   * namespace with some of them), or the host's (the tap was opened before the process moved). Where none has the name: its own.
   * Outside its own, an interface that somebody else watches is another tap of the same name.
   */
  find(process: HeldProcess, name: string): NetworkNamespace | null {
    let own: NetworkNamespace | null = null;
    for (const file of this.candidates(process)) {
      const namespace = this.adopt(file);
      own ??= namespace;
      if (namespace.has(name) && (namespace === own || !namespace.isWatched(name))) {
        if (own !== namespace) this.dropUnused(own);
        namespace.users++;
        return namespace;
      }
      if (own !== namespace) this.dropUnused(namespace);
    }
    if (own) own.users++;
    return own;
  }

  release(namespace: NetworkNamespace, watcher: Watcher): void {
    namespace.unwatch(watcher);
    namespace.users--;
    this.dropUnused(namespace);
  }

  /** One pass over every namespace in use. One that cannot be read leaves its interfaces unseen and says why. */
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
  }

  private *candidates(process: HeldProcess): Iterable<KernelFile> {
    const own = tryOpen(() => process.open('net/dev'));
    if (own) yield own;
    for (const thread of tryOpen(() => process.threads())?.slice(0, MAX_THREADS) ?? []) {
      const file = tryOpen(() => process.open(`task/${thread}/net/dev`));
      if (file) yield file;
    }
    const init = tryOpen(() => this.host.holdFile(this.host.proc('1', 'net', 'dev')));
    if (init) yield init;
  }

  private adopt(file: KernelFile): NetworkNamespace {
    const identity = file.identity();
    const known = this.known.get(identity);
    if (known) {
      file.close();
      return known;
    }
    const namespace = new NetworkNamespace(identity, file);
    this.known.set(identity, namespace);
    return namespace;
  }

  private dropUnused(namespace: NetworkNamespace | null): void {
    if (!namespace || namespace.users > 0) return;
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
