import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../../host/host.js';
import { type FileMark, fileMark } from '../../host/strangers.js';
import { describeError, MalformedError } from './problems.js';

/** A torn file is looked at once more after this long; writers take microseconds. */
const RETRY_MS = 25;
/** A file this young may change again without another time stamp (kernel clock ticks are up to 10 ms, NFS and FAT 1 to 2 s). */
const SETTLED_MS = 2000;
/** Reads under way at a time; Node's thread pool has four threads. */
const AT_ONCE = 8;

/** What is known of one file: the last good value, and what is wrong with the file now. Both, where it was good once. */
export interface Reading<T> {
  readonly value?: T;
  readonly problem?: string;
  /** The error behind the problem, for a caller that may see content. */
  readonly error?: unknown;
}

interface Kept<T> {
  readonly reading: Reading<T>;
  /** Null where the content may have changed without a trace. */
  readonly token: string | null;
}

/**
 * Records in files that others write, one a file. A file is parsed again only when its mark moved; a bad one costs nobody but itself, and
 * its last good record stands in for it until the file is repaired or gone.
 */
export class KeptFiles<T> {
  private kept = new Map<string, Kept<T>>();

  /** @param parse throws MalformedError for a text that is no record; gets the file's key as second argument */
  constructor(
    private readonly host: Host,
    private readonly limitBytes: number,
    private readonly parse: (text: string, key: string) => T | Promise<T>,
  ) {}

  /**
   * Looks at all files; what is not among them is forgotten. Never throws.
   * @param files paths by key
   * @param untilMs on the host's monotonic clock; files whose turn does not come before keep what was known of them
   */
  async readAll(files: ReadonlyMap<string, string>, untilMs: number): Promise<Map<string, Reading<T>>> {
    const keys = [...files.keys()];
    this.kept = new Map([...this.kept].filter(([key]) => files.has(key)));
    const readings = await mapBounded([...files], async ([key, path]) => {
      if (this.host.clock.monotonic() < untilMs) return this.read(key, path);
      return { ...this.kept.get(key)?.reading, problem: 'not read: the others took too long' };
    });
    return new Map(readings.map((reading, i) => [keys[i], reading]));
  }

  async read(key: string, path: string): Promise<Reading<T>> {
    const first = await this.look(key, path);
    if (first.reading.problem === undefined || first.token !== null || !isTransient(first.reading.error)) return this.keep(key, first);
    await sleep(RETRY_MS);
    return this.keep(key, await this.look(key, path));
  }

  private keep(key: string, next: Kept<T>): Reading<T> {
    this.kept.set(key, next);
    return next.reading;
  }

  private async look(key: string, path: string): Promise<Kept<T>> {
    const known = this.kept.get(key);
    try {
      const before = await fileMark(path);
      if (known && known.token === before.token) return known;
      return await this.parseFile(key, path, before);
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      return { reading: { ...(missing ? {} : lastGood(known)), problem: describeError(error), error }, token: null };
    }
  }

  private async parseFile(key: string, path: string, before: FileMark): Promise<Kept<T>> {
    const text = await this.host.readStrangersFile(path, this.limitBytes);
    const after = await fileMark(path);
    const settled = after.token === before.token && this.host.clock.now() - after.changedMs > SETTLED_MS;
    const token = settled ? after.token : null;
    try {
      return { reading: { value: await this.parse(text, key) }, token };
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return { reading: { ...lastGood(this.kept.get(key)), problem: error.problem, error }, token };
    }
  }
}

const lastGood = <T>(known: Kept<T> | undefined): Reading<T> => (known?.reading.value === undefined ? {} : { value: known.reading.value });

/** Only what a writer at work can cause is worth a second look. */
const isTransient = (error: unknown): boolean =>
  error instanceof MalformedError || (error instanceof Error && 'code' in error && error.code === 'EAGAIN');

/** `map` with a few calls under way at a time; results in the order of the items. */
export async function mapBounded<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [i, item] of queue) results[i] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return results;
}
