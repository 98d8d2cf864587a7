import type { Subject } from '../../model/collector.js';
import { Contact } from '../../model/contact.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import type { ScrapedText } from '../exposition/scraped-text.js';
import type { LastWords } from './pass-through.js';

/** A text is kept for so many intervals after its shim stopped answering; how old it is can be seen. */
const KEPT_INTERVALS = 3;

/** What is known of one sandbox's socket. */
export class ShimSocket extends Contact implements LastWords {
  text: ScrapedText | null = null;
  /** Of the last answer that was good. */
  answerBytes = Number.NaN;
  /** Of the labels that the text has. */
  labelsVersion = -1;
  shim: HeldProcess | null;

  constructor(
    readonly subject: Subject,
    phase: number,
  ) {
    super(phase);
    this.shim = subject.companion('shim');
  }

  get isKept(): boolean {
    return this.text !== null;
  }

  linesOf(family: string): Buffer | undefined {
    return this.text?.families.find(({ name }) => name === family)?.lines;
  }

  /** Another shim has nothing to do with what the last one said. */
  begin(shim: HeldProcess | null): void {
    this.shim = shim;
    this.text = null;
    this.askedAt = null;
    this.inRow = 0;
    this.outcome = Outcome.busy;
  }

  rest(outcome: Outcome): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.text = null;
    this.askedAt = null;
    this.outcome = outcome;
  }

  failed(outcome: Outcome): void {
    this.outcome = outcome;
    this.failures++;
    this.inRow++;
  }

  answered(text: ScrapedText, answerBytes: number, at: number, ms: number): void {
    this.outcome = Outcome.ok;
    this.inRow = 0;
    this.text = text;
    this.answerBytes = answerBytes;
    this.answeredAt = at;
    this.answeredMs = ms;
  }

  /** @returns whether a text was dropped */
  expire(now: number, intervalMs: number): boolean {
    if (!this.text || now - this.answeredAt <= KEPT_INTERVALS * intervalMs) return false;
    this.text = null;
    return true;
  }
}
