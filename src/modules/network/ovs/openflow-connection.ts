import { HostError } from '../../../host/host-error.js';
import { StreamClient } from '../../../host/stream-client.js';
import { offeredVersions, refusal, statsPart } from './openflow-answers.js';
import { type Frame, FrameSplitter, malformed } from './openflow-frames.js';
import {
  ECHO_REPLY,
  ECHO_REQUEST,
  ERROR,
  echoReply,
  echoRequest,
  HELLO,
  hello,
  type Question,
  question,
  STATS_TYPES,
  statsReplyType,
  type Version,
} from './openflow-messages.js';

export interface OpenFlowLimits {
  /** Of connecting and the exchange of hellos together. */
  readonly deadlineMs: number;
  /** Of everything that comes from one question to the next: answers, and what nobody asked for. */
  readonly answerBytes: number;
}

/** Hears what nobody asked for: packets, port states, flow updates. What it throws ends the connection. */
export type Unasked = (frame: Frame) => void;

/** Our hello has this xid, questions have greater ones, and a switch gives it to what nobody asked for. */
const GREETING = 0;
const LAST_XID = 0xffffffff;

interface Waiting {
  /** @returns whether nothing more is to come @throws what becomes of the wait then */
  take(frame: Frame): boolean;
  end(error?: Error): void;
}

/**
 * One connection to a bridge, over `<bridge>.mgmt`. It can ask and not tell: all it can send is in openflow-messages.ts. Questions may overlap;
 * answers are matched by xid, and what comes for a question that is no more, or came too late, is dropped.
 */
export class OpenFlowConnection {
  private readonly splitter = new FrameSplitter();
  private readonly waiting = new Map<number, Waiting>();
  private stream: StreamClient | null = null;
  private failure: Error | null = null;
  private negotiated: Version | null = null;
  private xid = GREETING;

  private constructor(private readonly unasked: Unasked) {}

  /**
   * @param versions any of which will do; a switch that accepts none of them writes a warning into its log, so they come from `Bridge.protocols`
   * @throws the system's errors; ETIMEDOUT; EPROTONOSUPPORT, OpenFlowRefusal where there is no version for both; EBADMSG
   */
  static async connect(
    path: string,
    versions: readonly Version[],
    limits: OpenFlowLimits,
    unasked: Unasked = () => undefined,
  ): Promise<OpenFlowConnection> {
    const began = performance.now();
    const connection = new OpenFlowConnection(unasked);
    const listener = { bytes: (piece: Buffer) => connection.take(piece), ended: (error: Error) => connection.end(error) };
    connection.stream = await StreamClient.connect(path, limits.deadlineMs, { budgetBytes: limits.answerBytes }, listener);
    const greet = (frame: Frame): boolean => {
      connection.negotiated = agreed(frame, versions);
      return true;
    };
    try {
      const left = Math.max(1, limits.deadlineMs - (performance.now() - began));
      await connection.exchange(GREETING, hello(versions, GREETING), left, greet);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get version(): Version {
    if (this.negotiated === null) throw new Error('no version before the hello');
    return this.negotiated;
  }

  get isOpen(): boolean {
    return this.failure === null;
  }

  /**
   * @param take each part of the answer as it comes, without its head; what it throws becomes the error of this question alone
   * @throws HostError ETIMEDOUT, EOPNOTSUPP, EBADMSG, EFBIG, ECONNRESET; EAGAIN when the switch does not read; OpenFlowRefusal
   */
  async ask(what: Question, deadlineMs: number, take: (body: Buffer) => void): Promise<void> {
    const { version } = this;
    const xid = this.nextXid();
    await this.exchange(xid, question(what, version, xid), deadlineMs, (frame) => {
      const part = statsPart(expected(frame, statsReplyType(version)), version);
      if (part.type !== STATS_TYPES[what]) throw malformed(`statistics of type ${part.type} for ${what}`);
      take(part.body);
      return !part.hasMore;
    });
  }

  /** Whether the switch still answers. @throws as `ask` */
  async check(deadlineMs: number): Promise<void> {
    const xid = this.nextXid();
    await this.exchange(xid, echoRequest(this.version, xid), deadlineMs, (frame) => frame === expected(frame, ECHO_REPLY));
  }

  /** At once; what waits ends with ECONNRESET. May be called twice. */
  close(): void {
    this.stream?.close();
    this.end(new HostError('ECONNRESET', 'closed by ourselves'));
  }

  private nextXid(): number {
    this.xid = this.xid === LAST_XID ? GREETING + 1 : this.xid + 1;
    return this.xid;
  }

  private exchange(xid: number, message: Buffer, deadlineMs: number, take: (frame: Frame) => boolean): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      const late = (): void => this.settle(xid, new HostError('ETIMEDOUT', `no answer within ${Math.ceil(deadlineMs)} ms`));
      // What came while this process was busy itself is not late: it is read before an immediate runs.
      const timer = setTimeout(() => setImmediate(late), deadlineMs);
      const end = (error?: Error): void => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve();
      };
      this.waiting.set(xid, { take, end });
      try {
        this.stream?.renew();
        this.stream?.send(message);
      } catch (error) {
        this.settle(xid, asError(error));
      }
    });
  }

  private settle(xid: number, error?: Error): void {
    const waiting = this.waiting.get(xid);
    this.waiting.delete(xid);
    waiting?.end(error);
  }

  private take(piece: Buffer): void {
    for (const frame of this.splitter.take(piece)) {
      if (this.failure) return;
      if (this.negotiated === null) this.answer(GREETING, frame);
      else this.hear(frame, this.negotiated);
    }
  }

  private hear(frame: Frame, version: Version): void {
    if (frame.type === HELLO) return;
    // A refusal may come in another version, as that of a question it did not understand.
    if (frame.version !== version && frame.type !== ERROR) throw malformed(`a message of version ${frame.version} after ${version}`);
    if (frame.type === ECHO_REQUEST) this.stream?.send(echoReply(version, frame.xid, frame.body));
    else if (frame.type === ERROR) this.settle(frame.xid, refusal(frame));
    else if (this.waiting.has(frame.xid)) this.answer(frame.xid, frame);
    else this.unasked(frame);
  }

  private answer(xid: number, frame: Frame): void {
    try {
      if (this.waiting.get(xid)?.take(frame)) this.settle(xid);
    } catch (error) {
      this.settle(xid, asError(error));
    }
  }

  private end(error: Error): void {
    this.failure ??= error;
    for (const xid of [...this.waiting.keys()]) this.settle(xid, error);
  }
}

/** The highest version that both speak. @throws HostError EPROTONOSUPPORT, EBADMSG; OpenFlowRefusal */
function agreed(frame: Frame, versions: readonly Version[]): Version {
  if (frame.type === ERROR) throw refusal(frame);
  const offered = offeredVersions(expected(frame, HELLO));
  const best = [...versions].sort((a, b) => b - a).find((version) => (offered >>> version) & 1);
  if (best === undefined) throw new HostError('EPROTONOSUPPORT', `the switch speaks none of the versions ${versions.join(', ')}`);
  return best;
}

/** @throws HostError EBADMSG */
function expected(frame: Frame, type: number): Frame {
  if (frame.type !== type) throw malformed(`a message of type ${frame.type} for one of type ${type}`);
  return frame;
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
