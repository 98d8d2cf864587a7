import { HostError } from '../../../host/host-error.js';

export interface JsonLimits {
  /** Of one value, from its first bracket to its last. */
  readonly messageBytes: number;
  /** Of brackets within brackets. */
  readonly depth: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ARRAY = 0x5b;
const ARRAY_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
/** Space, tab, line feed, carriage return (RFC 8259 section 2). */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const NOTHING = Buffer.alloc(0);

/**
 * Objects and arrays out of a stream of them, which JSON-RPC over a stream puts one behind the other without anything between (RFC 7047
 * section 4). The end of a value is found by counting brackets outside of strings: in UTF-8 no byte of a longer character looks like one.
 * Each byte is looked at once and copied at most a few times, whatever the size of the pieces.
 */
export class JsonStream {
  private depth = 0;
  private isInString = false;
  private isEscaped = false;
  /** Beginning of a value whose end has not come; its buffer has room for more. */
  private held: Buffer = NOTHING;
  private heldBytes = 0;

  constructor(private readonly limits: JsonLimits) {}

  /**
   * Values that are whole with this piece, in order.
   * @throws HostError EFBIG at a value beyond the limits, EBADMSG at what is no JSON or neither object nor array; after the values before it.
   * Nothing is to be taken after that
   */
  *take(piece: Buffer): Generator<unknown> {
    for (let from = this.start(piece, 0); from < piece.length; ) {
      const end = this.scan(piece, from);
      this.hold(piece.subarray(from, end < 0 ? piece.length : end), end >= 0);
      if (end < 0) return;
      yield this.finish();
      from = this.start(piece, end);
    }
  }

  /** Between two values blanks are passed over. */
  private start(piece: Buffer, from: number): number {
    if (this.depth > 0) return from;
    let at = from;
    while (BLANKS.has(piece[at])) at++;
    return at;
  }

  /** Behind the end of the value that is being read; -1 where the piece ends first. The state is kept in locals for the loop: it is most of the price. */
  private scan(piece: Buffer, from: number): number {
    let { depth, isInString, isEscaped } = this;
    let at = from;
    let isWhole = false;
    for (; at < piece.length && !isWhole; at++) {
      const byte = piece[at];
      if (isInString) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) isInString = false;
      } else if (byte === OBJECT || byte === ARRAY) {
        if (++depth > this.limits.depth) throw new HostError('EFBIG', `more than ${this.limits.depth} brackets within each other`);
      } else if (depth === 0) throw new HostError('EBADMSG', 'neither object nor array');
      else if (byte === QUOTE) isInString = true;
      else if (byte === OBJECT_END || byte === ARRAY_END) isWhole = --depth === 0;
    }
    this.depth = depth;
    this.isInString = isInString;
    this.isEscaped = isEscaped;
    return isWhole ? at : -1;
  }

  /** @param isLast nothing of this value comes after it */
  private hold(bytes: Buffer, isLast: boolean): void {
    const size = this.heldBytes + bytes.length;
    if (size > this.limits.messageBytes) throw new HostError('EFBIG', `a message longer than ${this.limits.messageBytes} bytes`);
    if (this.heldBytes === 0 && isLast) {
      this.held = bytes;
    } else {
      if (size > this.held.length) this.held = grown(this.held.subarray(0, this.heldBytes), Math.max(4096, 2 * size));
      bytes.copy(this.held, this.heldBytes);
    }
    this.heldBytes = size;
  }

  private finish(): unknown {
    const text = this.held.toString('utf8', 0, this.heldBytes);
    this.held = NOTHING;
    this.heldBytes = 0;
    try {
      return JSON.parse(text);
    } catch {
      throw new HostError('EBADMSG', 'no JSON');
    }
  }
}

function grown(start: Buffer, bytes: number): Buffer {
  const larger = Buffer.allocUnsafe(bytes);
  start.copy(larger);
  return larger;
}
