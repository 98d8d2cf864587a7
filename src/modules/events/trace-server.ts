import type { Peer } from '../../host/line-server.js';
import { ring } from './trace-child.js';
import { type Answer, answerLine, END_LINE, numbersIn, requestIn } from './trace-protocol.js';
import type { TraceEnd, TraceRequest, TraceRun, TraceSource } from './trace-source.js';

const HELLO_MS = 5000;
const RENEW_MS = 1000;
const FAREWELL_MS = 2000;
/** A start costs a second of CPU: whoever may connect may not have more than that. */
const PAUSE_MS = 1000;

/**
 * The helper's side: one client at a time, one run for each. The client chooses blocks, interval and slots within bounds, never what the program
 * is told; what it rings with is a number that nothing happens to.
 */
export class TraceServer {
  private served: Peer | null = null;
  /** Of a client that has gone, until it has ended: there is never a second. */
  private running: TraceRun | null = null;
  private nextAt = Number.NEGATIVE_INFINITY;
  private readonly renewing: NodeJS.Timeout;

  /** @param now monotonic milliseconds @param report a line for the log */
  constructor(
    private readonly source: TraceSource,
    private readonly now: () => number,
    private readonly report: (line: string) => void,
    renewMs = RENEW_MS,
  ) {
    this.renewing = setInterval(() => this.renew(), renewMs).unref();
  }

  accept(peer: Peer): void {
    if (this.served || this.running) refuse(peer, 'another is served');
    else if (this.now() < this.nextAt) refuse(peer, 'the last run ended a moment ago');
    else this.serve(peer);
  }

  /** Ends what runs. */
  close(): void {
    clearInterval(this.renewing);
    this.served?.close();
    this.running?.end();
  }

  private serve(peer: Peer): void {
    this.served = peer;
    let isAsked = false;
    const hello = setTimeout(() => peer.close(), HELLO_MS).unref();
    peer.listen({
      line: (text) => {
        if (isAsked) return this.heed(peer, text);
        isAsked = true;
        clearTimeout(hello);
        const request = requestIn(text);
        if (request) void this.begin(peer, request);
        else peer.close();
      },
      ended: () => {
        clearTimeout(hello);
        if (this.served === peer) this.leave();
      },
    });
  }

  private async begin(peer: Peer, request: TraceRequest): Promise<void> {
    this.nextAt = this.now() + PAUSE_MS;
    const say = (answer: Answer): void => peer.send(answerLine(answer));
    let early: TraceEnd | null = null;
    let isSaid = false;
    const end = (how: TraceEnd): void => {
      this.running = null;
      this.nextAt = this.now() + PAUSE_MS;
      this.report(`the program ended: ${how.cause}${how.words === '' ? '' : `, ${how.words}`}`);
      say({ ended: how });
      this.dismiss(peer);
    };
    const started = await this.source.start(request, {
      line: (line) => say({ line }),
      ended: (how) => {
        if (isSaid) end(how);
        else early = how;
      },
    });
    if (!started.run) {
      this.report(`not traced: ${started.hindrance.words}`);
      say({ refused: { ...started.hindrance, blocks: started.blocks } });
      this.dismiss(peer);
      return;
    }
    this.running = started.run;
    this.report('tracing for a client');
    say({ began: started.blocks });
    isSaid = true;
    if (early) end(early);
    else if (this.served !== peer) started.run.end();
  }

  /** All is said: the next one may come. */
  private dismiss(peer: Peer): void {
    if (this.served === peer) this.served = null;
    peer.finish(FAREWELL_MS);
  }

  private leave(): void {
    this.served = null;
    this.running?.end();
  }

  private heed(peer: Peer, text: string): void {
    const numbers = numbersIn(text);
    if (numbers) ring(numbers);
    else if (text === END_LINE && this.running) this.running.end();
    else peer.close();
  }

  private renew(): void {
    this.served?.renew();
    this.running?.renew();
  }
}

function refuse(peer: Peer, words: string): void {
  peer.send(answerLine({ refused: { reason: 'no_helper', words, blocks: null } }));
  peer.finish(FAREWELL_MS);
}
