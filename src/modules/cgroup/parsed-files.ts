import { descriptorsHeld, descriptorsHoldable, type HeldFile } from '../../host/held.js';
import type { Host } from '../../host/host.js';
import { HostError } from '../../host/host-error.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';

/** A line of 130 bytes for each of 500 devices. */
const text = Buffer.allocUnsafeSlow(65_536);

/** Up to six files a VM: they leave room for the descriptors without which a VM is not known at all. */
const HOLDABLE_SHARE = 0.5;
const mayHold = (): boolean => descriptorsHeld() < HOLDABLE_SHARE * descriptorsHoldable();

/** Text of a cgroup's file to what it says; null for a text that is none. */
export type Parse<T> = (text: string) => T | null;

/** A file of a cgroup, read at most once a sweep and parsed when it says something else; held open, unless our own descriptors are nearly used up. */
export class ParsedFile<T> {
  users = 0;
  private readonly held: HeldFile | null;
  private readAt = -1;
  private bytes: Buffer | null = null;
  private value: T | null = null;

  /** @throws ENOENT, EACCES and the like */
  constructor(
    private readonly host: Host,
    readonly path: string,
    private readonly parse: Parse<T>,
  ) {
    this.held = mayHold() ? host.holdFile(path) : null;
    if (!this.held && !host.exists(path)) throw new HostError('ENOENT', `no ${path}`);
  }

  /** The same object as before where the text is the same. @throws ENODEV for a cgroup that was removed; EFBIG */
  read(sweep: number): T | null {
    if (this.readAt === sweep) return this.value;
    const length = this.held ? this.held.read(text) : this.host.readInto(this.path, text);
    if (length === text.length) throw new HostError('EFBIG', `${this.path} is longer than ${length} bytes`);
    const now = text.subarray(0, length);
    if (!this.bytes?.equals(now)) {
      this.value = this.parse(now.toString('latin1'));
      this.bytes = Buffer.from(now);
    }
    this.readAt = sweep;
    return this.value;
  }

  close(): void {
    this.held?.close();
  }
}

/** Files that several VMs need: those of cgroups that all of them lie in. Each is open once. */
export class ParsedFiles<T> {
  private readonly files = new Map<string, ParsedFile<T>>();

  constructor(
    private readonly host: Host,
    private readonly parse: Parse<T>,
  ) {}

  /** null where there is no such file. @throws EACCES and the like */
  take(path: string): ParsedFile<T> | null {
    const file = this.files.get(path) ?? openIfThere(this.host, path, this.parse);
    if (!file) return null;
    this.files.set(path, file);
    file.users++;
    return file;
  }

  /** The last user's is closed. */
  give(file: ParsedFile<T>): void {
    if (--file.users > 0) return;
    file.close();
    if (this.files.get(file.path) === file) this.files.delete(file.path);
  }

  /** Its cgroup was removed: who takes its path from now on gets what is there then. */
  forget(file: ParsedFile<T>): void {
    if (this.files.get(file.path) === file) this.files.delete(file.path);
  }
}

/** null where there is no such file. @throws EACCES and the like */
export function openIfThere<T>(host: Host, path: string, parse: Parse<T>): ParsedFile<T> | null {
  try {
    return new ParsedFile(host, path, parse);
  } catch (error) {
    if (outcomeOfErrno(error) === Outcome.gone) return null;
    throw error;
  }
}
