import { HostError } from '../../../host/host-error.js';
import { StreamClient } from '../../../host/stream-client.js';
import { oneLine } from '../../../model/labels.js';
import type { OvsDatabase } from './database.js';
import { JsonStream } from './json-stream.js';
import { type Dialect, OvsdbReplica } from './ovsdb-replica.js';
import { type Fields, fieldsOf } from './ovsdb-rows.js';

export interface OvsdbLimits {
  /** Until the first state is there, the connection included. */
  readonly deadlineMs: number;
  /** Of one message; the first state is one: some 600 bytes for each interface with its port. */
  readonly messageBytes: number;
  /** Of all that may come between two calls of `check` that succeed, the first state included. */
  readonly budgetBytes: number;
}

/** Messages have ten levels: tables, rows, columns, tagged values. */
const DEPTH = 32;
const DATABASE = 'Open_vSwitch';
/** Our name for what we follow; the server repeats it in each update. */
const MONITOR = 'vmgauge';
const REASON_LIMIT = 200;
const METHODS = { update2: 'monitor_cond', update: 'monitor' } as const satisfies Record<Dialect, string>;

/** All that can be sent. Who may connect may also write to the database, so there is no way here to say anything else (RFC 7047 section 4.1). */
type Said =
  | { readonly method: 'monitor_cond' | 'monitor'; readonly params: readonly [typeof DATABASE, typeof MONITOR, OvsdbReplica['requests']] }
  | { readonly method: 'echo'; readonly params: readonly [] };

interface Waiting {
  resolve(answer: Fields): void;
  reject(error: Error): void;
}

/**
 * A connection to an ovsdb-server over its unix socket, which follows what the database holds of bridges, ports and interfaces. Silence means
 * that nothing changed, or that the server hangs: `check` tells them apart.
 */
export class OvsdbClient {
  private readonly messages: JsonStream;
  private stream: StreamClient | null = null;
  private replica = new OvsdbReplica('update2');
  private hasState = false;
  private failure: Error | null = null;
  private echo: Promise<unknown> | null = null;
  private readonly waiting = new Map<string, Waiting>();
  private said = 0;

  private constructor(
    limits: OvsdbLimits,
    private readonly changed: () => void,
  ) {
    this.messages = new JsonStream({ messageBytes: limits.messageBytes, depth: DEPTH });
  }

  /**
   * Resolves when the first state is there.
   * @param changed called when `database` may have changed after that, at most once for what comes at once, and when the connection ended
   * @throws the system's errors of `StreamClient.connect`; ETIMEDOUT; ECONNRESET; EFBIG beyond a limit; EBADMSG from what is no ovsdb-server;
   * EOPNOTSUPP from one that has no database of a switch
   */
  static async connect(path: string, limits: OvsdbLimits, changed: () => void): Promise<OvsdbClient> {
    const ends = performance.now() + limits.deadlineMs;
    const client = new OvsdbClient(limits, changed);
    const listener = { bytes: (piece: Buffer) => client.take(piece), ended: (error: Error) => client.fail(error) };
    client.stream = await StreamClient.connect(path, limits.deadlineMs, limits, listener);
    try {
      await inTime(client.follow(), ends - performance.now(), 'the first state');
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** As it was told last; after the end of the connection what was true then. */
  database(): OvsDatabase {
    return this.replica.database();
  }

  /** Rows and changes that were not taken since the connection began. */
  get dropped(): number {
    return this.replica.dropped;
  }

  get isOpen(): boolean {
    return this.failure === null;
  }

  /**
   * Whether the server answers: a heartbeat, also for what it may send until the next one (`budgetBytes`). The connection stays open when it
   * does not, and another call waits for the same answer.
   * @throws HostError ETIMEDOUT, or why the connection ended: ECONNRESET, EFBIG, EBADMSG
   */
  async check(deadlineMs: number): Promise<void> {
    // Asked once however often nobody answers: a server that is stopped would keep it all.
    this.echo ??= this.ask({ method: 'echo', params: [] }).finally(() => {
      this.echo = null;
    });
    await inTime(this.echo, deadlineMs, 'an answer of ovsdb-server');
    this.stream?.renew();
  }

  /** At once. May be called twice; `changed` is not called for it. */
  close(): void {
    this.end(new HostError('ECONNRESET', 'closed'));
  }

  private async follow(): Promise<void> {
    let answer = await this.monitor('update2');
    if (isRefusal(answer)) answer = await this.monitor('update');
    if (isRefusal(answer)) throw new HostError('EOPNOTSUPP', `ovsdb-server refuses: ${reasonOf(answer.error)}`);
  }

  private async monitor(dialect: Dialect): Promise<Fields> {
    this.replica = new OvsdbReplica(dialect);
    return this.ask({ method: METHODS[dialect], params: [DATABASE, MONITOR, this.replica.requests] });
  }

  private ask(said: Said): Promise<Fields> {
    if (this.failure) return Promise.reject(this.failure);
    const id = `${said.method}-${++this.said}`;
    return new Promise((resolve, reject) => {
      // First: sending may end the connection, which rejects all that wait.
      this.waiting.set(id, { resolve, reject });
      this.send({ ...said, id });
    });
  }

  private send(message: Fields): void {
    this.stream?.send(JSON.stringify(message));
  }

  /** @throws to end the connection */
  private take(piece: Buffer): void {
    let isChanged = false;
    for (const message of this.messages.take(piece)) isChanged = this.hear(message) || isChanged;
    if (isChanged) this.changed();
  }

  /** @returns whether the database is another one now */
  private hear(message: unknown): boolean {
    const fields = fieldsOf(message);
    if (!fields) throw new HostError('EBADMSG', 'no JSON-RPC');
    if (typeof fields.method === 'string') return this.hearRequest(fields.method, fields);
    this.hearAnswer(fields);
    return false;
  }

  private hearRequest(method: string, { id, params }: Fields): boolean {
    if (method === 'echo') {
      // It drops a client that does not answer (RFC 7047 section 4.1.11).
      if (id !== undefined && id !== null) this.send({ id, result: params ?? [], error: null });
      return false;
    }
    const [monitor, updates]: readonly unknown[] = Array.isArray(params) ? params : [];
    if (monitor !== MONITOR) return false;
    if (method === 'monitor_canceled') throw new HostError('ECONNRESET', 'the database was taken away');
    if (method !== this.replica.dialect || !this.hasState) throw new HostError('EBADMSG', `no update: ${oneLine(method, REASON_LIMIT)}`);
    return this.replica.take(updates);
  }

  private hearAnswer(answer: Fields): void {
    const id = typeof answer.id === 'string' ? answer.id : '';
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    // At once: updates may stand right behind it.
    if (id.startsWith('monitor') && !isRefusal(answer)) {
      this.replica.take(answer.result);
      this.hasState = true;
    }
    this.waiting.delete(id);
    waiting.resolve(answer);
  }

  private fail(error: Error): void {
    if (!this.end(error) || !this.hasState) return;
    this.changed();
  }

  /** @returns whether it was still open */
  private end(error: Error): boolean {
    if (this.failure) return false;
    this.failure = error;
    this.stream?.close();
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    return true;
  }
}

const isRefusal = ({ error }: Fields): boolean => error !== undefined && error !== null;

/** RFC 7047 has an object or a text there. */
const reasonOf = (error: unknown): string => oneLine(JSON.stringify(error), REASON_LIMIT);

/** @throws HostError ETIMEDOUT; what came while this process was busy itself is not late, it is read before an immediate runs */
async function inTime<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const expire = (): void => reject(new HostError('ETIMEDOUT', `no ${what} within ${deadlineMs} ms`));
    timer = setTimeout(() => setImmediate(expire), Math.max(1, deadlineMs));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
