import { descriptorsHeld, descriptorsHoldable, type HeldFile } from '../../host/held.js';
import type { Host } from '../../host/host.js';
import { HostError } from '../../host/host-error.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { TextParser } from './limit-texts.js';

/** memory.stat has some 70 lines; a longer text is cut here, which every parser sees. */
const buffer = Buffer.allocUnsafeSlow(16_384);
/** Some 15 files an instance: they leave room for the descriptors without which an instance is not known at all. */
const HOLDABLE_SHARE = 0.5;
const mayHoldLimits = (): boolean => descriptorsHeld() < HOLDABLE_SHARE * descriptorsHoldable();

/** A file of a cgroup, read at most once a sweep whoever asks for it. Held, it answers ENODEV once the cgroup was removed. */
export class SweptFile {
  users = 0;
  readonly values: Float64Array;
  private readonly held: HeldFile | null;
  private text = '';
  private readAt = Number.NaN;
  private failure: unknown = null;

  /** @throws ENOENT, EACCES and the like */
  constructor(
    private readonly host: Host,
    readonly path: string,
    private readonly parser: TextParser,
  ) {
    this.values = new Float64Array(parser.count).fill(Number.NaN);
    this.held = mayHoldLimits() ? host.holdFile(path) : null;
    if (!this.held && !host.exists(path)) throw new HostError('ENOENT', `no file ${path}`);
  }

  /** Brings `values` up to date. @throws ENODEV for a cgroup that was removed, EBADMSG for a text that is none */
  read(sweep: number): Float64Array {
    if (this.readAt !== sweep) {
      this.readAt = sweep;
      this.failure = null;
      try {
        this.take();
      } catch (error) {
        this.failure = error;
      }
    }
    if (this.failure !== null) throw this.failure;
    return this.values;
  }

  close(): void {
    this.held?.close();
  }

  private take(): void {
    const { values, parser } = this;
    let text: string;
    try {
      text = buffer.toString('latin1', 0, this.held ? this.held.read(buffer) : this.host.readInto(this.path, buffer));
    } catch (error) {
      this.text = '';
      values.fill(Number.NaN);
      // The kernel has the file and nothing to say in it.
      if (outcomeOfErrno(error) === Outcome.unsupported) return;
      throw error;
    }
    // Most say what they said in the sweep before.
    if (text === this.text) return;
    this.text = '';
    if (!parser.parse(text, values)) throw new HostError('EBADMSG', `${this.path} is not what it was expected to be`);
    this.text = text;
  }
}

/** Files that instances read, each held once: all of them lie in the same slices. */
export class SweptFiles {
  private readonly files = new Map<string, SweptFile>();

  constructor(private readonly host: Host) {}

  /** null where the cgroup has no such file: its controller is off, or the kernel older. @throws EACCES and the like */
  take(path: string, parser: TextParser): SweptFile | null {
    try {
      const file = this.files.get(path) ?? new SweptFile(this.host, path, parser);
      this.files.set(path, file);
      file.users++;
      return file;
    } catch (error) {
      if (outcomeOfErrno(error) === Outcome.gone) return null;
      throw error;
    }
  }

  /** The last user's is closed. */
  give(file: SweptFile): void {
    if (--file.users > 0) return;
    file.close();
    this.forget(file);
  }

  /** Its cgroup was removed: who takes its path from now on gets what is there then. */
  forget(file: SweptFile): void {
    if (this.files.get(file.path) === file) this.files.delete(file.path);
  }
}
