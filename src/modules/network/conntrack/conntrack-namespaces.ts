import type { Host } from '../../../host/host.js';
import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';
import type { HeldProcess, KernelFile } from '../../../model/process.js';

const STAT = 'net/stat/nf_conntrack';
/** Threads looked at for a namespace of their own; a shim that contains its VM has about a dozen. */
const MAX_THREADS = 64;

/** Which network namespace a VM has for itself alone, by the file that tells of its connections. */
export class ConntrackNamespaces {
  /** Of whom, by the identity of the file. */
  private readonly users = new Map<string, Set<unknown>>();
  private readonly known = new Map<unknown, string>();

  constructor(private readonly host: Host) {}

  /**
   * The file of the user's own namespace, to be closed by the caller. `unsupported`: it has none of its own, or the kernel gives no counters
   * of one. It is not kept open: a held one would keep the namespace of a VM that has ended.
   * @param inThreads the VMM is made of threads of another program, which alone are in the namespace
   * @throws the system's errors
   */
  open(user: unknown, process: HeldProcess, inThreads: boolean): KernelFile | Outcome {
    this.forget(user);
    const file = this.tryOpen(process, STAT);
    if (file === undefined) return this.whyNone(process);
    const hosts = this.ofHost();
    if (typeof hosts === 'number') {
      file.close();
      return hosts;
    }
    const own = file.identity() === hosts ? this.ofThread(file, process, inThreads, hosts) : file;
    if (own === undefined) return Outcome.unsupported;
    const { size } = this.note(user, own.identity());
    if (size === 1) return own;
    own.close();
    return Outcome.unsupported;
  }

  /** Writes down which namespace a user is in before anybody's is read, so that no two are told the same. */
  look(user: unknown, process: HeldProcess, inThreads: boolean): void {
    try {
      const file = this.open(user, process, inThreads);
      if (typeof file === 'object') file.close();
    } catch {
      // Its turn will say why.
    }
  }

  forget(user: unknown): void {
    const identity = this.known.get(user);
    if (identity === undefined) return;
    this.known.delete(user);
    const users = this.users.get(identity);
    users?.delete(user);
    if (users?.size === 0) this.users.delete(identity);
  }

  private note(user: unknown, identity: string): ReadonlySet<unknown> {
    const users = this.users.get(identity) ?? new Set();
    this.users.set(identity, users.add(user));
    this.known.set(user, identity);
    return users;
  }

  private ofThread(host: KernelFile, process: HeldProcess, inThreads: boolean, hosts: string): KernelFile | undefined {
    host.close();
    for (const thread of inThreads ? process.threads().slice(0, MAX_THREADS) : []) {
      const file = this.tryOpen(process, `task/${thread}/${STAT}`);
      if (file !== undefined && file.identity() !== hosts) return file;
      file?.close();
    }
    return undefined;
  }

  /** Whoever has a `net/dev` has a namespace: it is the kernel that tells nothing of its connections. */
  private whyNone(process: HeldProcess): Outcome {
    process.open('net/dev').close();
    return this.host.exists(this.host.proc('sys', 'net', 'netfilter', 'nf_conntrack_count')) ? Outcome.unsupported : Outcome.notConfigured;
  }

  /**
   * Init is in the host's. Under hidepid it is not there for us: what may be the host's is then not shown. Asked each time: a module that is
   * loaded again has other files.
   */
  private ofHost(): string | Outcome {
    try {
      const file = this.host.holdFile(this.host.proc('1', STAT));
      const identity = file.identity();
      file.close();
      return identity;
    } catch (error) {
      const outcome = outcomeOfErrno(error);
      return outcome === Outcome.gone ? Outcome.notPermitted : outcome;
    }
  }

  /** @returns undefined for a file that is not there @throws the system's other errors */
  private tryOpen(process: HeldProcess, path: string): KernelFile | undefined {
    try {
      return process.open(path);
    } catch (error) {
      if (outcomeOfErrno(error) === Outcome.gone) return undefined;
      throw error;
    }
  }
}
