import type { Host } from '../../host/host.js';
import { replaceFile, setAside } from '../../host/store.js';
import { ApiError } from '../../model/errors.js';
import { ID_PATTERN, type InstanceRecord, type InstanceSource, type ProcessClaim } from '../../model/instance.js';
import { checkFields } from './check-fields.js';
import { describeError, MalformedError, Problems } from './problems.js';
import { RegistrationBody, RegistrationEntry, toRecord } from './registration.js';
import { EntryReader, MAX_ENTRIES, parseRegistrations } from './registration-file.js';

const STORE_BYTES = 64 << 20;
const READ_DEADLINE_MS = 10_000;

export type ProcessVerdict = 'ok' | 'gone' | 'other_process';
/** Whether the claimed process is there and is the one that was meant. */
export type ProcessCheck = (claim: ProcessClaim) => ProcessVerdict | Promise<ProcessVerdict>;

/** One change that waits to be stored. */
interface Change {
  readonly id: string;
  /** Null takes the registration away. */
  readonly entry: RegistrationEntry | null;
  /** @param existed whether the id was registered before */
  resolve(existed: boolean): void;
  reject(error: unknown): void;
}

/**
 * Instances that a control plane registered through the API, kept in a file of the registration format. A change is answered once it is on
 * the disk; changes that come while one is written share the next write, which costs as much as the whole store (10 MB at 50,000).
 */
export class RegistrationSource implements InstanceSource {
  readonly name = 'registration';
  private readonly found = new Problems();
  private entries: ReadonlyMap<string, RegistrationEntry> = new Map();
  private records: readonly InstanceRecord[] = [];
  private waiting: Change[] = [];
  private writing = false;
  private written: Promise<void> = Promise.resolve();
  private loaded = false;

  constructor(
    private readonly host: Host,
    private readonly storePath: string,
    private readonly checkProcess: ProcessCheck,
  ) {}

  get problems(): ReadonlyMap<string, string> {
    return this.found.lines;
  }

  /** By id. Claims are as registered, so the caller checks them again. */
  list(): readonly InstanceRecord[] {
    return this.records;
  }

  /**
   * A store that cannot be understood is renamed to `<store>.bad-<ms>` and reported in `problems`; what is good of it stays registered.
   * @throws Error when the store is there but cannot be read: going on would overwrite it
   */
  async start(): Promise<void> {
    const text = await this.readStore();
    if (text !== undefined) await this.load(text);
    this.loaded = true;
  }

  async stop(): Promise<void> {
    await this.written;
  }

  /**
   * Registers an instance, or puts a new registration in the place of the old one.
   * @param body in the shape of RegistrationBody
   * @throws ApiError invalid_id, invalid_request; conflict for a process that is gone or another, or a full store; unavailable when the
   * store cannot be written, and then nothing has changed
   */
  async put(id: string, body: unknown): Promise<'created' | 'replaced'> {
    requireId(id);
    const entry = Object.assign(new RegistrationEntry(), readBody(body), { id });
    // A registration outlives a reboot, and the same pid and start time may come again.
    if (entry.pid !== undefined) entry.boot_id ??= this.host.bootId ?? undefined;
    const { process } = toRecord(entry);
    if (process) await this.requireProcess(process);
    return (await this.commit(id, entry)) ? 'replaced' : 'created';
  }

  /** @returns false where nothing was registered. @throws ApiError invalid_id, unavailable */
  async delete(id: string): Promise<boolean> {
    requireId(id);
    return this.commit(id, null);
  }

  private async requireProcess(claim: ProcessClaim): Promise<void> {
    const verdict = await this.checkProcess(claim);
    if (verdict === 'gone') throw new ApiError('conflict', `no process ${claim.pid} runs on this host`);
    if (verdict === 'other_process') throw new ApiError('conflict', `process ${claim.pid} is another one: start_ticks or boot_id differ`);
  }

  private commit(id: string, entry: RegistrationEntry | null): Promise<boolean> {
    if (!this.loaded) return Promise.reject(new ApiError('unavailable', 'registrations are not loaded yet'));
    return new Promise((resolve, reject) => {
      this.waiting.push({ id, entry, resolve, reject });
      if (!this.writing) this.written = this.writeAll();
    });
  }

  private async writeAll(): Promise<void> {
    this.writing = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0);
      const next = new Map(this.entries);
      const accepted = batch.flatMap((change) => apply(change, next));
      try {
        if (accepted.some(({ change, existed }) => change.entry !== null || existed)) await this.store(next);
        for (const { change, existed } of accepted) change.resolve(existed);
      } catch (error) {
        const detail = `the registration could not be stored: ${error instanceof Error ? error.message : String(error)}`;
        for (const { change } of accepted) change.reject(new ApiError('unavailable', detail));
      }
    }
    this.writing = false;
  }

  private async store(next: ReadonlyMap<string, RegistrationEntry>): Promise<void> {
    await replaceFile(this.storePath, `${JSON.stringify({ instances: [...next.values()] })}\n`);
    this.adopt(next);
  }

  private adopt(next: ReadonlyMap<string, RegistrationEntry>): void {
    this.entries = next;
    this.records = [...next.values()].map(toRecord).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  private async readStore(): Promise<string | undefined> {
    try {
      return await this.host.readStrangersFile(this.storePath, STORE_BYTES, READ_DEADLINE_MS);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOENT') return undefined;
      if (code !== 'EFBIG') throw new Error(`registration store ${this.storePath}: ${describeError(error)}`);
      await this.setBadAside(describeError(error));
      return undefined;
    }
  }

  private async load(text: string): Promise<void> {
    const { entries, complaints } = readEntries(text);
    if (complaints.length > 0) {
      await this.setBadAside(`${complaints[0]}${complaints.length > 1 ? ` and ${complaints.length - 1} more` : ''}`);
      if (entries.size > 0) await this.store(entries);
    }
    this.adopt(entries);
  }

  private async setBadAside(why: string): Promise<void> {
    const aside = await setAside(this.storePath, `.bad-${this.host.clock.now()}`);
    this.found.note(this.storePath, `${why}; the file was renamed to ${aside}`);
  }
}

function requireId(id: string): void {
  if (!ID_PATTERN.test(id)) throw new ApiError('invalid_id', `an id must match ${ID_PATTERN.source}`);
}

function readBody(body: unknown): RegistrationBody {
  try {
    return checkFields(new RegistrationBody(), body);
  } catch (error) {
    throw error instanceof MalformedError ? new ApiError('invalid_request', error.message) : error;
  }
}

/** Carries out a change on the map; refuses one for which there is no room. */
function apply(change: Change, entries: Map<string, RegistrationEntry>): { readonly change: Change; readonly existed: boolean }[] {
  const existed = entries.has(change.id);
  if (change.entry === null) entries.delete(change.id);
  else if (existed || entries.size < MAX_ENTRIES) entries.set(change.id, change.entry);
  else {
    change.reject(new ApiError('conflict', `${MAX_ENTRIES} instances are registered: there is no room for more`));
    return [];
  }
  return [{ change, existed }];
}

function readEntries(text: string): { readonly entries: ReadonlyMap<string, RegistrationEntry>; readonly complaints: readonly string[] } {
  const entries = new Map<string, RegistrationEntry>();
  const complaints: string[] = [];
  const reader = new EntryReader();
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      complaints.push(error instanceof MalformedError ? error.problem : 'unexpected error');
    }
  };
  attempt(() => {
    for (const [i, value] of parseRegistrations(text, 'json').entries()) {
      attempt(() => {
        const entry = reader.read(value, i);
        entries.set(entry.id, entry);
      });
    }
  });
  return { entries, complaints };
}
