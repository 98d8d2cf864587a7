import { LineClient, type LineLimits } from '../../../host/line-client.js';
import { Outcome } from '../../../model/outcome.js';
import { type Fields, fieldsOf, parseFields } from '../json-fields.js';
import { type Command, encode, type Rights } from './commands.js';
import type { Dialect } from './dialect.js';
import { type Failure, failureOf, outcomeOfClass, QmpFailure } from './failure.js';

/** A reply to query-stats of 256 vCPUs has some 600 KB; events are small, but nobody bounds their number. */
const LIMITS: LineLimits = { lineBytes: 1 << 20, budgetBytes: 8 << 20 };

/** `value`: member `return`; `missing`: an error that says that the command does not exist. */
export type Reply = { readonly value: unknown } | { readonly error: Failure; readonly missing: boolean };

export interface SessionListener {
  /** A command went out. */
  asked(): void;
  /** An event by the VMM's own name. */
  event(name: string): void;
  /** Once; the connection is closed. Not for one that we closed. */
  ended(): void;
}

interface Waiting<T> {
  readonly id: string | null;
  resolve(value: T): void;
  reject(error: Error): void;
}

/**
 * One connection to a monitor, from the greeting on. One command at a time; replies are matched by id, events may come between. Whatever is
 * none of the three ends the session: after it nothing that comes can be trusted to be the answer to anything.
 */
export class QmpSession {
  /** Member `version` of the greeting. */
  version: Fields = {};
  private waiting: Waiting<Fields> | null = null;
  private failure: QmpFailure | null = null;
  private client: LineClient | null = null;
  private isGreeted = false;
  private sent = 0;

  private constructor(
    private readonly dialect: Dialect,
    private readonly rights: Rights,
    private readonly listener: SessionListener,
  ) {}

  /** Connects, and has sent nothing. @throws the system's errors */
  static async connect(path: string, deadlineMs: number, dialect: Dialect, rights: Rights, listener: SessionListener): Promise<QmpSession> {
    const session = new QmpSession(dialect, rights, listener);
    const heard = { line: (text: string) => session.take(text), ended: (error: Error) => session.fail(failureOf(error), error.message) };
    session.client = await LineClient.connect(path, deadlineMs, LIMITS, heard);
    return session;
  }

  /** Waits until the VMM greets; a VMM that serves somebody else, or hangs, does not. @throws QmpFailure timeout, malformed, ioError */
  async greeted(deadlineMs: number): Promise<void> {
    if (this.isGreeted) return;
    const timer = setTimeout(() => {
      // What came while this process was busy itself is not late: it is read before an immediate runs.
      setImmediate(() => this.isGreeted || this.fail(Outcome.timeout, `no greeting within ${deadlineMs} ms`));
    }, deadlineMs);
    try {
      await this.wait(null);
    } finally {
      clearTimeout(timer);
    }
  }

  /** From now on commands other than this one are answered. @throws QmpFailure */
  async negotiate(): Promise<void> {
    const reply = await this.execute({ execute: 'qmp_capabilities' });
    if ('error' in reply) this.fail(Outcome.malformed, 'the negotiation was refused');
    if (this.failure) throw this.failure;
  }

  /** @throws QmpFailure when the session ended; whatever the VMM says of the command is a reply */
  async execute(command: Command): Promise<Reply> {
    const id = `vmgauge-${++this.sent}`;
    const line = encode(command, id, this.rights);
    const answer = this.wait(id);
    if (!this.failure) {
      this.listener.asked();
      this.client?.send(line);
    }
    const { return: value, error } = await answer;
    if (error === undefined) return { value };
    const said = fieldsOf(error)?.class;
    const errorClass = typeof said === 'string' ? said : '';
    return { error: outcomeOfClass(errorClass), missing: errorClass === 'CommandNotFound' };
  }

  /** What may come until the next call is counted from here on. */
  renew(): void {
    this.client?.renew();
  }

  /** At once. What waits ends with this outcome. */
  close(outcome: Failure): void {
    this.failure ??= new QmpFailure(outcome, 'closed');
    this.client?.close();
    this.waiting?.reject(this.failure);
    this.waiting = null;
  }

  private wait(id: string | null): Promise<Fields> {
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.waiting = { id, resolve, reject };
    });
  }

  private take(text: string): void {
    if (text === '' || this.failure) return;
    const message = parseFields(text);
    if (!message) this.fail(Outcome.malformed, 'no JSON object');
    else if (!this.isGreeted) this.greet(message);
    else if (typeof message.event === 'string') this.listener.event(message.event);
    else this.reply(message);
  }

  private greet(message: Fields): void {
    const version = fieldsOf(fieldsOf(message.QMP)?.version);
    if (!version) {
      this.fail(Outcome.malformed, 'no greeting');
      return;
    }
    this.version = version;
    this.isGreeted = true;
    this.settle(message);
  }

  private reply(message: Fields): void {
    const isReply = 'return' in message !== (fieldsOf(message.error) !== undefined);
    const id = this.waiting?.id ?? null;
    const isAnonymous = this.dialect.answersWithoutId && 'error' in message && message.id === undefined;
    if (isReply && id !== null && (message.id === id || isAnonymous)) this.settle(message);
    else this.fail(Outcome.malformed, 'no reply to what was asked');
  }

  private settle(message: Fields): void {
    const { waiting } = this;
    this.waiting = null;
    waiting?.resolve(message);
  }

  private fail(outcome: Failure, message: string): void {
    if (this.failure) return;
    this.failure = new QmpFailure(outcome, message);
    this.close(outcome);
    this.listener.ended();
  }
}
