import { randomInt } from 'node:crypto';
import { Byte, CLASS, Is } from './bytes.js';
import { MAX_NUMBER_BYTES, plainNumberEnd, respelledNumber } from './number.js';

export const MAX_NAME_BYTES = 200;
export const MAX_VALUE_BYTES = 1024;
export const MAX_LABELS = 32;
/** The longest line within these limits, without what we add. */
const MAX_LINE_BYTES = MAX_NAME_BYTES + MAX_LABELS * (MAX_NAME_BYTES + MAX_VALUE_BYTES + 4) + MAX_NUMBER_BYTES + 16;
const FIRST_BYTES = 1 << 18;
const KEPT_BYTES = 1 << 20;

const ZERO = 48;
const EXACT_DIGITS = 15;
const INFINITE = Buffer.from('+Inf');
/** Other hashes in every process, so that nobody can choose names that meet. */
const SEED = randomInt(2 ** 32);

/** What `quoted` says of a value that is none. */
export const MALFORMED = -1;
export const TOO_LONG = -2;

/**
 * Reads the words of a line and writes what it reads in the same pass. A line that turns out bad is taken back by setting `to`. Reading
 * never leaves its line: no class of bytes holds the newline, and there is nothing behind the last one.
 */
export class ExpositionReader {
  at = 0;
  to = 0;
  out: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Of the label read last: name and value. */
  low = 0;
  high = 0;
  /** Value of the label read last, without quotes. */
  valueFrom = 0;
  valueTo = 0;
  /** A byte beyond ASCII was in a value since this was last set. */
  beyondAscii = false;
  body: Buffer = Buffer.alloc(0);
  private reserve = 0;

  /** @param body ends in a newline, or is empty. @param added bytes that may be added to a line */
  start(body: Buffer, added: number): void {
    this.body = body;
    this.at = this.to = 0;
    this.reserve = MAX_LINE_BYTES + added;
  }

  /** Lets go of the text, and of a buffer that only an unusual text needed. */
  stop(): void {
    this.body = this.body.subarray(0, 0);
    if (this.out.length > KEPT_BYTES) this.out = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /** Before each line: room for the longest there may be. */
  makeRoom(): void {
    if (this.to + this.reserve <= this.out.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * this.out.length + this.reserve);
    this.out.copy(larger, 0, 0, this.to);
    this.out = larger;
  }

  /** Bytes of the text as they stand there, one a character. */
  word(from: number, to: number): string {
    return this.body.toString('latin1', from, to);
  }

  write(bytes: Buffer): void {
    this.out.set(bytes, this.to);
    this.to += bytes.length;
  }

  put(byte: number): void {
    this.out[this.to++] = byte;
  }

  /** @returns the byte after them */
  blanks(): number {
    const { body } = this;
    let { at } = this;
    while (CLASS[body[at]] & Is.blank) at++;
    this.at = at;
    return body[at];
  }

  /** Whether the line goes on with this name and nothing more of one; only then it is read. */
  named(name: Buffer): boolean {
    const { body, at } = this;
    if (!this.stands(name, at) || CLASS[body[at + name.length]] & Is.name) return false;
    this.at = at + name.length;
    return true;
  }

  /** Whether these bytes are in the text from there on. */
  stands(bytes: Buffer, from: number): boolean {
    const { body } = this;
    const { length } = bytes;
    for (let i = 0; i < length; i++) if (body[from + i] !== bytes[i]) return false;
    return true;
  }

  /** A label's name. @returns its length, 0 for none */
  label(): number {
    const { body, out } = this;
    const from = this.at;
    let at = from;
    let { to } = this;
    let byte = body[at];
    if (!(CLASS[byte] & Is.labelStart)) return 0;
    let low = SEED;
    let high = 0;
    do {
      out[to++] = byte;
      low = Math.imul(low ^ byte, 0x01000193);
      high = (Math.imul(high, 31) + byte) | 0;
      byte = body[++at];
    } while (CLASS[byte] & Is.label && at - from <= MAX_NAME_BYTES);
    this.at = at;
    this.to = to;
    this.low = low;
    this.high = high;
    return at - from;
  }

  /** Writes a name that is not in the text and leaves its hash, as `label` does. @param name at most MAX_NAME_BYTES of ASCII */
  writeName(name: string): void {
    let low = SEED;
    let high = 0;
    for (let at = 0; at < name.length; at++) {
      const byte = name.charCodeAt(at);
      this.put(byte);
      low = Math.imul(low ^ byte, 0x01000193);
      high = (Math.imul(high, 31) + byte) | 0;
    }
    this.low = low;
    this.high = high;
  }

  /** `="value"`. Leaves the hash of name and value. @returns length of the value, MALFORMED or TOO_LONG */
  quoted(): number {
    if (this.blanks() !== Byte.equals) return MALFORMED;
    this.at++;
    if (this.blanks() !== Byte.quote) return MALFORMED;
    const { body, out } = this;
    let at = this.at + 1;
    let { to, low, high } = this;
    const from = at;
    const end = from + MAX_VALUE_BYTES;
    out[to++] = Byte.equals;
    out[to++] = Byte.quote;
    low = Math.imul(low ^ Byte.equals, 0x01000193);
    let seen = 0;
    for (; at <= end; at++) {
      let byte = body[at];
      if (!(CLASS[byte] & Is.value)) {
        if (byte !== Byte.backslash) break;
        out[to++] = byte;
        byte = body[++at];
        if (byte !== Byte.backslash && byte !== Byte.quote && byte !== Byte.lowerN) return MALFORMED;
        // Apart from the letter that it is not.
        low = ~low;
      }
      out[to++] = byte;
      seen |= byte;
      low = Math.imul(low ^ byte, 0x01000193);
      high = (Math.imul(high, 31) + byte) | 0;
    }
    if (at > end) return TOO_LONG;
    if (body[at] !== Byte.quote) return MALFORMED;
    out[to++] = Byte.quote;
    this.valueFrom = from;
    this.valueTo = at;
    this.at = at + 1;
    this.to = to;
    this.low = low;
    this.high = high;
    if (seen > 127) this.beyondAscii = true;
    return at - from;
  }

  /** The value of the label read last as a number, its infinity written as every reader takes it; not a number for anything else. */
  valueNumber(): number {
    const { valueFrom, valueTo } = this;
    if (valueTo - valueFrom === INFINITE.length && this.stands(INFINITE, valueFrom)) return Number.POSITIVE_INFINITY;
    const value = this.numberIn(valueFrom, valueTo);
    if (Math.abs(value) === Number.POSITIVE_INFINITY) {
      this.to -= valueTo - valueFrom + 1;
      this.to += this.out.write(value > 0 ? '+Inf"' : '-Inf"', this.to, 'latin1');
    }
    return value;
  }

  /** These bytes of the text as a number; not a number for anything else. */
  numberIn(from: number, to: number): number {
    const { body } = this;
    let value = 0;
    let at = from;
    for (; CLASS[body[at]] & Is.digit; at++) value = value * 10 + body[at] - ZERO;
    if (at === to && at > from && at - from <= EXACT_DIGITS) return value;
    return Number(respelledNumber(this.word(from, to))?.replace('Inf', 'Infinity'));
  }

  /** A number, in a spelling that every reader takes. @returns false for none */
  number(): boolean {
    const { body, out, at: from } = this;
    const end = plainNumberEnd(body, from);
    if (end < 0 || !(body[end] === Byte.newline || CLASS[body[end]] & Is.blank)) return this.oddNumber();
    let { to } = this;
    for (let at = from; at < end; at++) out[to++] = body[at];
    this.at = end;
    this.to = to;
    return true;
  }

  private oddNumber(): boolean {
    const { body } = this;
    let { at } = this;
    while (body[at] > Byte.blank && at - this.at <= MAX_NUMBER_BYTES) at++;
    if (body[at] > Byte.blank) return false;
    const spelled = respelledNumber(this.word(this.at, at));
    if (spelled === undefined) return false;
    this.at = at;
    this.to += this.out.write(spelled, this.to, 'latin1');
    return true;
  }

  /** What may follow the number: a timestamp, which is not passed on. @returns whether the line ends then; the newline is not read */
  ends(): boolean {
    if (this.body[this.at] === Byte.newline) return true;
    let byte = this.blanks();
    if (byte === Byte.newline) return true;
    if (byte === Byte.minus || byte === Byte.plus) byte = this.body[++this.at];
    const from = this.at;
    while (CLASS[this.body[this.at]] & Is.digit) this.at++;
    return this.at > from && this.blanks() === Byte.newline;
  }

  skipLine(): void {
    this.at = this.body.indexOf(Byte.newline, this.at) + 1;
  }
}
