import { withDeadline } from '../../host/deadline.js';
import type { Host } from '../../host/host.js';
import { LineClient } from '../../host/line-client.js';
import { type Answer, answerIn, END_LINE, ringLines, traceLine } from './trace-protocol.js';
import {
  allOff,
  type Hindrance,
  type Started,
  type TraceListener,
  type TraceRequest,
  type TraceRun,
  type TraceSource,
} from './trace-source.js';
import type { BlockStates } from './words.js';

/** The word `line` before each line of the program is more than it may print itself. */
const LIMITS = { lineBytes: (16 << 20) + 64, budgetBytes: 80 << 20 };
const CONNECT_MS = 1000;
/** The helper answers before the program has attached anything. */
const ANSWER_MS = 5000;
/** The program has 2.5 s to end. */
const LAST_WORDS_MS = 4000;

/** `vmgauge trace`, behind its socket: it has the rights, we have none. A connection is one run. */
export class TraceHelper implements TraceSource {
  /** Its program has to end, and it takes a moment's rest. */
  readonly pauseMs = 2500;

  constructor(
    private readonly host: Host,
    private readonly path: string,
    private readonly lastWordsMs = LAST_WORDS_MS,
  ) {}

  hindrance(): Hindrance | null {
    return this.host.exists(this.path) ? null : { reason: 'no_helper', words: `there is no ${this.path}` };
  }

  async start(request: TraceRequest, listener: TraceListener): Promise<Started> {
    const conversation = new Conversation(listener, this.lastWordsMs);
    try {
      return await conversation.begin(this.path, request);
    } catch (error) {
      conversation.end();
      const words = `the helper at ${this.path} does not serve: ${error instanceof Error ? error.message : String(error)}`;
      return { run: null, blocks: allOff(request.blocks, 'no_helper'), hindrance: { reason: 'no_helper', words } };
    }
  }
}

class Conversation implements TraceRun {
  private client: LineClient | null = null;
  private last: NodeJS.Timeout | undefined;
  /** Null once it is answered. */
  private waiting: { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void } | null = null;
  private blocks: BlockStates | null = null;
  private isOver = false;

  constructor(
    private readonly listener: TraceListener,
    private readonly lastWordsMs: number,
  ) {}

  async begin(path: string, request: TraceRequest): Promise<Started> {
    this.client = await LineClient.connect(path, CONNECT_MS, LIMITS, {
      line: (text) => this.take(text),
      ended: (error) => this.gone(error),
    });
    const answered = new Promise<Answer>((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
    this.client.send(traceLine(request));
    const answer = await withDeadline(answered, ANSWER_MS, 'its answer');
    if ('began' in answer) return { run: this, blocks: answer.began };
    if (!('refused' in answer)) throw new Error('it said something else');
    this.close();
    const { reason, words, blocks } = answer.refused;
    return { run: null, blocks: blocks ?? allOff(request.blocks, reason), hindrance: { reason, words } };
  }

  ring(numbers: readonly number[]): void {
    for (const line of ringLines(numbers)) this.client?.send(line);
  }

  renew(): void {
    this.client?.renew();
  }

  /** The helper ends the program, which has its last words, and at the latest when we go. */
  end(): void {
    if (this.isOver || this.last) return;
    if (!this.blocks) {
      this.close();
      return;
    }
    this.client?.send(END_LINE);
    const leave = (): void => this.over({ ended: { cause: 'exited', block: null, reason: 'not_wanted', words: '' } });
    this.last = setTimeout(leave, this.lastWordsMs).unref();
  }

  private take(text: string): void {
    const answer = answerIn(text);
    if (!answer) {
      this.gone(new Error('it said what nobody understands'));
    } else if (this.waiting) {
      const { resolve } = this.waiting;
      this.waiting = null;
      if ('began' in answer) this.blocks = answer.began;
      resolve(answer);
    } else if ('line' in answer) this.listener.line(answer.line);
    else if ('ended' in answer) this.over(answer);
  }

  private over({ ended }: { readonly ended: Parameters<TraceListener['ended']>[0] }): void {
    if (this.isOver) return;
    this.close();
    this.listener.ended(ended);
  }

  private gone(error: Error): void {
    if (this.waiting) {
      this.waiting.reject(error);
      this.waiting = null;
      this.close();
    } else if (this.blocks) this.over({ ended: { cause: 'gone', block: null, reason: 'no_helper', words: error.message } });
    else this.close();
  }

  private close(): void {
    this.isOver = true;
    clearTimeout(this.last);
    this.client?.close();
  }
}
