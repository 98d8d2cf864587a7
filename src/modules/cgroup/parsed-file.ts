import type { Host } from '../../host/host.js';
import { HostError } from '../../host/host-error.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { GroupFile, unlessMissing } from './group-file.js';

/** A line of 130 bytes for each of 500 devices. */
const buffer = Buffer.allocUnsafeSlow(65_536);

/** Text of a cgroup's file to what it says; null for a text that is none. */
export type Parse<T> = (text: string) => T | null;

/** A file of a cgroup, read at most once a sweep whoever asks for it, and parsed when it says something else. */
export class ParsedFile<T> {
  users = 0;
  /** What it said when it was last read; null before, and where the kernel has the file and nothing to say in it. The same object while the text is the same. */
  value: T | null = null;
  private readonly file: GroupFile;
  /** That `value` was made of. */
  private text: Buffer | null = null;
  private readAt = Number.NaN;
  private failure: unknown = null;

  /** @throws ENOENT, EACCES and the like */
  constructor(
    host: Host,
    readonly path: string,
    private readonly parse: Parse<T>,
  ) {
    this.file = new GroupFile(host, path);
  }

  /** Brings `value` up to date. @throws ENODEV for a cgroup that was removed, EBADMSG for a text that is none, EFBIG; `value` is then null */
  read(sweep: number): T | null {
    if (this.readAt !== sweep) {
      this.readAt = sweep;
      this.failure = null;
      try {
        this.take();
      } catch (error) {
        this.value = null;
        this.text = null;
        this.failure = outcomeOfErrno(error) === Outcome.unsupported ? null : error;
      }
    }
    if (this.failure !== null) throw this.failure;
    return this.value;
  }

  close(): void {
    this.file.close();
  }

  private take(): void {
    const length = this.file.read(buffer);
    if (length === buffer.length) throw new HostError('EFBIG', `${this.path} is longer than ${length} bytes`);
    const now = buffer.subarray(0, length);
    if (this.text?.equals(now)) return;
    this.value = this.parse(now.toString('latin1'));
    if (this.value === null) throw new HostError('EBADMSG', `${this.path} is not what it was expected to be`);
    this.text = Buffer.from(now);
  }
}

/** Files that instances read, each held once: all of them lie in the same slices. */
export class ParsedFiles {
  private readonly files = new Map<string, ParsedFile<unknown>>();

  constructor(private readonly host: Host) {}

  /** @param parse the same for a path each time @returns null where there is no such file @throws EACCES and the like */
  take<T>(path: string, parse: Parse<T>): ParsedFile<T> | null {
    // What is at a path was made with its parser.
    const known = this.files.get(path) as ParsedFile<T> | undefined;
    const file = known ?? unlessMissing(() => new ParsedFile(this.host, path, parse));
    if (!file) return null;
    this.files.set(path, file);
    file.users++;
    return file;
  }

  /** The last user's is closed. */
  give(file: ParsedFile<unknown>): void {
    if (--file.users > 0) return;
    file.close();
    this.forget(file);
  }

  /** Its cgroup was removed: who takes its path from now on gets what is there then. */
  forget(file: ParsedFile<unknown>): void {
    if (this.files.get(file.path) === file) this.files.delete(file.path);
  }
}
