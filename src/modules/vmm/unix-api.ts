import { timeLeft } from '../../host/deadline.js';
import { askSocket } from '../../host/unix-http.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { Intrusion } from './dialogue.js';
import type { OwnSocket } from './own-socket.js';

const BODY_BYTES = 1 << 20;

export type NotOk = Exclude<Outcome, typeof Outcome.ok>;

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

export const isAnswer = (answer: ApiAnswer | NotOk): answer is ApiAnswer => typeof answer === 'object';

/**
 * GETs over a VMM's own socket, one at a time, each over a connection that is closed with its answer: such servers keep ten for all their
 * clients (micro-http, MAX_CONNECTIONS), and would keep ours.
 */
export class UnixApi {
  private connections = 0;
  private questions = 0;
  private connectedMs = 0;
  private readonly ended = new AbortController();

  /** @param now milliseconds, monotonic */
  constructor(
    private readonly socket: Pick<OwnSocket, 'use'>,
    private readonly now: () => number,
  ) {}

  get intrusion(): Intrusion {
    const { connections, questions, connectedMs } = this;
    return { connections, questions, connectedMs: Math.round(connectedMs) };
  }

  get isEnded(): boolean {
    return this.ended.signal.aborted;
  }

  /** Never rejects. gone once it is ended. @param until on the clock of `now` */
  async get(path: string, until: number): Promise<ApiAnswer | NotOk> {
    const left = timeLeft(until, this.now);
    const { signal } = this.ended;
    let started = Number.NaN;
    try {
      const { status, body } = await this.socket.use(left(), (socket) => {
        started = this.now();
        this.connections++;
        this.questions++;
        return askSocket(socket, path, { deadlineMs: left(), bodyBytes: BODY_BYTES, signal });
      });
      return { status, text: body.toString('utf8') };
    } catch (error) {
      return signal.aborted ? Outcome.gone : notOkOf(error);
    } finally {
      if (!Number.isNaN(started)) this.connectedMs += this.now() - started;
    }
  }

  /** The question that is under way ends at once. */
  end(): void {
    this.ended.abort();
  }
}

/** Words of llhttp for what is no HTTP, of ours for an answer without an end, of the system for one that is cut. */
export function notOkOf(error: unknown): NotOk {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && (code.startsWith('HPE_') || code === 'ENODATA')) return Outcome.malformed;
  // It was closed before the question was read: all places are taken, and the word for that was missed.
  if (code === 'EPIPE') return Outcome.busy;
  // ECONNREFUSED: the file is there, and nobody listens any more.
  const outcome = code === 'ECONNREFUSED' ? Outcome.gone : outcomeOfErrno(error);
  return outcome === Outcome.ok ? Outcome.ioError : outcome;
}
