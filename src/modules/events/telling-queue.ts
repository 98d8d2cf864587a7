import type { Clock } from '../../host/clock.js';

/** What is parsed in one go holds nobody up. */
const SLICE_MS = 1;
/** Some ten tellings. Each has all totals: what is dropped is told again. */
const MAX_LINES = 512;
/** Of a thousand VMs one telling is some 10 MB. */
const MAX_CHARACTERS = 128 * 1024 * 1024;

/** Lines on their way to their reader, who reads them in pieces between turns of the event loop. */
export class TellingQueue {
  private readonly waiting: (string | (() => void))[] = [];
  private characters = 0;
  private reading: Iterator<void> | null = null;
  private isScheduled = false;

  /** @param read a line; may be put aside after each step */
  constructor(
    private readonly clock: Clock,
    private readonly read: (line: string) => Iterator<void>,
  ) {}

  /** @returns false for a line for which there is no room */
  put(line: string): boolean {
    if (this.waiting.length >= MAX_LINES || this.characters + line.length > MAX_CHARACTERS) return false;
    this.waiting.push(line);
    this.characters += line.length;
    this.schedule();
    return true;
  }

  /** When all is read that was there before: now, where that is nothing. Has always room. */
  afterwards(act: () => void): void {
    if (this.reading || this.waiting.length > 0) this.waiting.push(act);
    else act();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.pump(this.clock.monotonic() + SLICE_MS);
    });
  }

  private pump(until: number): void {
    while (this.step()) {
      if (this.clock.monotonic() < until) continue;
      this.schedule();
      return;
    }
  }

  /** @returns false where there is nothing to do */
  private step(): boolean {
    if (this.reading) {
      if (this.reading.next().done) this.reading = null;
      return true;
    }
    const next = this.waiting.shift();
    if (next === undefined) return false;
    if (typeof next === 'string') {
      this.characters -= next.length;
      this.reading = this.read(next);
    } else next();
    return true;
  }
}
