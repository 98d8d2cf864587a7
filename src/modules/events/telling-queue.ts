import type { Clock } from '../../host/clock.js';

/** What is parsed in one go holds nobody up. */
const SLICE_MS = 1;
/** Some ten tellings. Each has all totals: what is dropped is told again. */
const MAX_LINES = 512;
/** Of a thousand VMs one telling is some 10 MB. */
const MAX_CHARACTERS = 128 * 1024 * 1024;

/** Lines on their way to their reader, who reads them in pieces between turns of the event loop. */
export class TellingQueue {
  private readonly lines: string[] = [];
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
    if (this.lines.length >= MAX_LINES || this.characters + line.length > MAX_CHARACTERS) return false;
    this.lines.push(line);
    this.characters += line.length;
    this.schedule();
    return true;
  }

  /** Reads all that is there, now. */
  drain(): void {
    this.pump(Number.POSITIVE_INFINITY);
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
    for (;;) {
      this.reading ??= this.next();
      if (!this.reading) return;
      if (this.reading.next().done) this.reading = null;
      if (this.clock.monotonic() >= until) {
        this.schedule();
        return;
      }
    }
  }

  private next(): Iterator<void> | null {
    const line = this.lines.shift();
    if (line === undefined) return null;
    this.characters -= line.length;
    return this.read(line);
  }
}
