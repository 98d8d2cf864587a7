const NEWLINE = 0x0a;

/** Lines out of pieces of a stream, bounded in length. A line that is not ended yet waits for its rest. */
export class MetricsLines {
  private parts: Buffer[] = [];
  private waiting = 0;
  /** The line that is being read is too long and passed over. */
  private isSkipping = false;

  constructor(private readonly limitBytes: number) {}

  /** Whether part of a line waits. */
  get isPartial(): boolean {
    return this.waiting > 0 || this.isSkipping;
  }

  /** Whole lines of this piece and what waited before it, without their ends; null for one that was too long. */
  *feed(piece: Buffer): Generator<string | null> {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      this.keep(piece.subarray(start, end));
      yield this.take();
      start = end + 1;
    }
    // Copied: the caller reads into the same memory again.
    this.keep(Buffer.from(piece.subarray(start)));
  }

  /** What came before has no rest any more. @returns whether anything waited */
  drop(): boolean {
    const was = this.isPartial;
    this.parts = [];
    this.waiting = 0;
    this.isSkipping = false;
    return was;
  }

  private keep(bytes: Buffer): void {
    if (bytes.length === 0 || this.isSkipping) return;
    if (this.waiting + bytes.length > this.limitBytes) {
      this.drop();
      this.isSkipping = true;
      return;
    }
    this.parts.push(bytes);
    this.waiting += bytes.length;
  }

  private take(): string | null {
    const line = this.isSkipping ? null : Buffer.concat(this.parts, this.waiting).toString('utf8');
    this.drop();
    return line;
  }
}
