import type { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import { resolvePath } from '../../host/strangers.js';
import { type Watch, watchFile } from '../../host/watch.js';
import type { InstanceRecord, InstanceSource } from '../../model/instance.js';
import { KeptFiles, type Reading } from './kept-files.js';
import { describeError, MalformedError, Problems } from './problems.js';
import { toRecord } from './registration.js';
import { EntryReader, parseRegistrations } from './registration-file.js';

const FILE_BYTES = 16 << 20;

/**
 * Instances that an operator or a control plane lists in a file, YAML or JSON. All of the file counts or nothing: while it is bad or
 * missing, the last good list stays in force. Replace the file by rename: a list cut short may still be good YAML.
 */
export class FileSource implements InstanceSource {
  readonly name = 'file';
  private records: readonly InstanceRecord[] = [];
  private found = new Problems();
  private watch: Watch | null = null;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly files: KeptFiles<readonly InstanceRecord[]>;

  constructor(
    private readonly host: Host,
    private readonly path: string,
  ) {
    this.files = new KeptFiles(host, FILE_BYTES, (text) => this.parse(text));
  }

  /** The file cannot be understood now: the list is the last good one. */
  stale = false;

  get problems(): ReadonlyMap<string, string> {
    return this.found.lines;
  }

  /** @throws Error, one line with the setting, the path, the entry's index, the key and the value */
  async start(): Promise<void> {
    await this.reload();
    this.watch = watchFile(this.path, () => void this.look());
  }

  /** @throws as `start`; the list in force stays */
  async reload(): Promise<void> {
    const { error } = await this.look();
    if (error === undefined) return;
    throw new Error(`source.file.path: ${this.path}: ${error instanceof MalformedError ? error.message : describeError(error)}`);
  }

  async list(): Promise<readonly InstanceRecord[]> {
    await this.look();
    return this.records;
  }

  stop(): void {
    this.watch?.close();
  }

  /** Takes over the file as it is now. One look at a time, so that an older one cannot come in last. */
  private look(): Promise<Reading<readonly InstanceRecord[]>> {
    const looked = this.turn.then(() => this.readFile()).then((reading) => this.take(reading));
    this.turn = looked;
    return looked;
  }

  private take(reading: Reading<readonly InstanceRecord[]>): Reading<readonly InstanceRecord[]> {
    const { value, problem } = reading;
    this.found = new Problems();
    this.stale = problem !== undefined;
    if (problem !== undefined) this.found.note(this.path, `${problem}; the last good list stays`);
    else if (value !== undefined) this.records = value;
    return reading;
  }

  private async readFile(): Promise<Reading<readonly InstanceRecord[]>> {
    try {
      return await this.files.read(this.path, await resolvePath(this.path));
    } catch (error) {
      return { problem: describeError(error), error };
    }
  }

  private async parse(text: string): Promise<readonly InstanceRecord[]> {
    const slicer = new Slicer(this.host.clock);
    const entries = new EntryReader();
    const records: InstanceRecord[] = [];
    for (const [i, value] of parseRegistrations(text, this.path.endsWith('.json') ? 'json' : 'yaml').entries()) {
      records.push(toRecord(entries.read(value, i)));
      const pause = slicer.pause();
      if (pause) await pause;
    }
    return records;
  }
}
