import type { Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import type { ScrapedText } from '../exposition/scraped-text.js';
import type { LastWords } from './pass-through.js';

/** A text is kept for so many intervals after its shim stopped answering; how old it is can be seen. */
const KEPT_INTERVALS = 3;

/** What is known of one sandbox's socket from one question to the next. Times are monotonic milliseconds unless they say otherwise. */
export class ShimSocket implements LastWords {
  text: ScrapedText | null = null;
  /** Of the last question; busy before the first. */
  outcome: Outcome = Outcome.busy;
  /** Of the last answer that was good, in bytes; of the last question, in seconds. */
  answerBytes = Number.NaN;
  seconds = Number.NaN;
  /** When the text came; also in milliseconds since 1970. */
  answeredAt = Number.NEGATIVE_INFINITY;
  answeredMs = Number.NaN;
  askedAt: number | null = null;
  /** Questions that were put and not answered well, and how many of them in a row. */
  failures = 0;
  inRow = 0;
  /** Of the labels that the text has. */
  labelsVersion = -1;
  /** The question that is under way or waits for its turn. */
  pending: Promise<void> | null = null;
  timer: NodeJS.Timeout | undefined;
  shim: HeldProcess | null;

  /** @param phase from 0 to 1, spreads the first questions of many */
  constructor(
    readonly subject: Subject,
    readonly phase: number,
  ) {
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
