import type { Host } from '../host/host.js';
import type { InstanceRecord, InstanceSource } from '../model/instance.js';
import { MalformedError, Problems } from '../modules/instances/problems.js';
import { toRecord } from '../modules/instances/registration.js';
import { EntryReader, parseRegistrations } from '../modules/instances/registration-file.js';

const STORE_BYTES = 64 << 20;
const READ_DEADLINE_MS = 1000;

/** What was registered with the agent, for a command that reads the host without it: the store is read and never written. */
export class KeptRegistrations implements InstanceSource {
  /** That of the agent's own source: the same instances have the same source with and without an agent. */
  readonly name = 'registration';
  private found = new Problems();

  constructor(
    private readonly host: Host,
    private readonly path: string,
  ) {}

  get problems(): ReadonlyMap<string, string> {
    return this.found.lines;
  }

  /** What cannot be understood is passed over. @throws the system's errors but ENOENT */
  async list(): Promise<readonly InstanceRecord[]> {
    this.found = new Problems();
    const text = await this.read();
    if (text === undefined) return [];
    const reader = new EntryReader();
    const values = this.attempt(() => parseRegistrations(text, 'json')) ?? [];
    return values.flatMap((value, i) => this.attempt(() => toRecord(reader.read(value, i))) ?? []);
  }

  private attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.found.note(this.path, error.problem);
      return undefined;
    }
  }

  private async read(): Promise<string | undefined> {
    try {
      return await this.host.readStrangersFile(this.path, STORE_BYTES, READ_DEADLINE_MS);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
