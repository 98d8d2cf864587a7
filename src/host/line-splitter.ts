import { HostError } from './host-error.js';

const LINE_FEED = 0x0a;
/** A piece has an object and an allocation of its own, some 500 bytes: of a line that comes byte by byte those would be the cost. */
const MAX_PARTS = 1024;

/** Lines out of pieces of any size. */
export class LineSplitter {
  private parts: Buffer[] = [];
  private bytes = 0;

  /** @param limitBytes of one line, its end included */
  constructor(private readonly limitBytes: number) {}

  /**
   * Lines that are whole with this piece, without their end, CR LF or LF alone.
   * @throws EFBIG at a line beyond the limit, after the lines before it; nothing is to be taken after that
   */
  *take(piece: Buffer): Generator<string> {
    let at = 0;
    while (at < piece.length) {
      const feed = piece.indexOf(LINE_FEED, at);
      const end = feed < 0 ? piece.length : feed + 1;
      this.bytes += end - at;
      if (this.bytes > this.limitBytes) throw new HostError('EFBIG', `a line longer than ${this.limitBytes} bytes`);
      this.parts.push(piece.subarray(at, end));
      at = end;
      if (feed >= 0) yield this.finish();
      else if (this.parts.length > MAX_PARTS) this.parts = [Buffer.concat(this.parts, this.bytes)];
    }
  }

  private finish(): string {
    const text = Buffer.concat(this.parts, this.bytes)
      .toString('utf8')
      .replace(/\r?\n$/, '');
    this.parts = [];
    this.bytes = 0;
    return text;
  }
}
