import type { Subject } from '../../model/collector.js';
import { Contact } from '../../model/contact.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { isStoppedBySignal } from '../procfs/held-process.js';
import type { VmmAnswer } from './answer.js';
import type { Conversation, Dialogue, Intrusion } from './dialogue.js';

/** An answer is kept for so many intervals after it came; how old it is can be seen. */
const KEPT_INTERVALS = 2;

/** What is known of one VMM; its questions come in rounds. */
export class VmmContact extends Contact {
  answer: VmmAnswer | null = null;
  /** Something happened that makes the last answer old. */
  hasNews = false;
  private socket: string | undefined;
  private wasStopped = false;
  process: HeldProcess | null = null;
  dialogue: Dialogue | null = null;
  conversation: Conversation | null = null;
  private ended: Intrusion = { connections: 0, questions: 0, connectedMs: 0 };

  constructor(
    readonly subject: Subject,
    phase: number,
  ) {
    super(phase);
  }

  /** Of all conversations with this instance. */
  get intrusion(): Intrusion {
    const { conversation, ended } = this;
    if (!conversation) return ended;
    const { connections, questions, connectedMs } = conversation.intrusion;
    return {
      connections: ended.connections + connections,
      questions: ended.questions + questions,
      connectedMs: ended.connectedMs + connectedMs,
    };
  }

  /** Another process has nothing to do with what the last one said. */
  begin(process: HeldProcess | null, dialogue: Dialogue | null): void {
    this.hangUp();
    this.process = process;
    this.dialogue = dialogue;
    this.answer = null;
    this.answeredAt = Number.NEGATIVE_INFINITY;
    this.answeredMs = Number.NaN;
    this.askedAt = null;
    this.inRow = 0;
    this.hasNews = false;
    this.wasStopped = false;
    this.outcome = Outcome.busy;
  }

  /** It is not asked any more. */
  rest(outcome: Outcome): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.hangUp();
    this.answer = null;
    this.askedAt = null;
    this.inRow = 0;
    this.outcome = outcome;
  }

  hangUp(): void {
    if (!this.conversation) return;
    this.conversation.end();
    this.ended = this.intrusion;
    this.conversation = null;
  }

  /** Its socket by the sources' word: a conversation with another one is over. */
  leadTo(socket: string | undefined): void {
    if (this.socket === socket) return;
    this.socket = socket;
    this.hangUp();
  }

  /** Whether a process that was stopped by a signal while it did not answer runs again. */
  goesOn(process: HeldProcess | null): boolean {
    const isStopped = process !== null && isStoppedBySignal(process.stateCode);
    const goesOn = this.wasStopped && !isStopped && this.inRow > 0;
    this.wasStopped = isStopped;
    return goesOn;
  }

  /** It does not answer any more, or not yet again: what it does now is not known. */
  get isLost(): boolean {
    return !this.answer && this.inRow > 0 && !Number.isNaN(this.answeredMs);
  }

  failed(outcome: Outcome): void {
    this.outcome = outcome;
    this.failures++;
    this.inRow++;
  }

  answered(answer: VmmAnswer, at: number, ms: number): void {
    this.outcome = Outcome.ok;
    this.inRow = 0;
    this.answer = answer;
    this.answeredAt = at;
    this.answeredMs = ms;
  }

  /** Not while its next round waits for its turn behind VMMs that hang. */
  expire(now: number, intervalMs: number): void {
    const isLate = now - this.answeredAt > KEPT_INTERVALS * intervalMs;
    if (isLate && !(this.pending && this.inRow === 0)) this.answer = null;
  }
}
