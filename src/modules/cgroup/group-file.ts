import { descriptorsHeld, descriptorsHoldable, type HeldFile } from '../../host/held.js';
import type { Host } from '../../host/host.js';
import { HostError } from '../../host/host-error.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';

/** Some 25 files an instance: they leave room for the descriptors without which an instance is not known at all. */
const HOLDABLE_SHARE = 0.5;
const leavesRoom = (): boolean => descriptorsHeld() < HOLDABLE_SHARE * descriptorsHoldable();

/**
 * A file of one cgroup, held open unless our own descriptors are nearly used up. Once that cgroup was removed it answers ENODEV: what is made at
 * its path later is another's, and is not read.
 */
export class GroupFile {
  private readonly held: HeldFile | null;
  /** Of one that is not held. */
  private readonly identity: string;

  /** @throws ENOENT, EACCES and the like */
  constructor(
    private readonly host: Host,
    readonly path: string,
    mayHold = leavesRoom(),
  ) {
    const file = host.holdFile(path);
    this.held = mayHold ? file : null;
    this.identity = this.held ? '' : identityOf(file);
  }

  /** Bytes read. @throws ENODEV for a cgroup that was removed */
  read(into: Buffer): number {
    return this.held ? this.held.read(into) : this.readOnce(into);
  }

  close(): void {
    this.held?.close();
  }

  /** A directory that is made at the path of another has another inode. */
  private readOnce(into: Buffer): number {
    const file = this.open();
    try {
      if (file.identity() !== this.identity) throw new HostError('ENODEV', `${this.path} is another cgroup’s by now`);
      return file.read(into);
    } finally {
      file.close();
    }
  }

  private open(): HeldFile {
    try {
      return this.host.holdFile(this.path);
    } catch (error) {
      // As a held one says it.
      throw outcomeOfErrno(error) === Outcome.gone ? new HostError('ENODEV', `${this.path} was removed`) : error;
    }
  }
}

function identityOf(file: HeldFile): string {
  try {
    return file.identity();
  } finally {
    file.close();
  }
}

/** null where there is no such file: a controller is off, or the kernel older. @throws EACCES and the like */
export function unlessMissing<T>(open: () => T): T | null {
  try {
    return open();
  } catch (error) {
    if (outcomeOfErrno(error) === Outcome.gone) return null;
    throw error;
  }
}
