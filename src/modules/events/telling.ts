import { LIMIT, MAP, OTHER, readShort, type ToldLine, UNREADABLE } from './telling-lines.js';
import { BOUND_COUNT } from './words.js';

/** One key of one map that was told. Reused for each: what is needed of it must be taken out before the next. */
export interface ToldEntry {
  readonly map: string;
  /** First part of the key, and the second; NaN where there is none. */
  readonly first: number;
  readonly second: number;
  /** Of a map of numbers; NaN for a histogram. */
  readonly value: number;
  /** Of a histogram: how many at each of Podtrace's bounds, the last beyond all. Zeros otherwise. */
  readonly buckets: Readonly<Float64Array>;
  /** Places in the map that it takes: one for each bucket that is not empty. */
  readonly slots: number;
}

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const COLON = 58;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN = 123;
const CLOSE = 125;
const LETTER_A = 97;
const LETTER_O = 111;
const BLANK = 32;
const TAB = 9;
const ZERO = 48;
const NINE = 57;

const MAP_LINE = /^\s*\{\s*"type"\s*:\s*"(?:hist|map)"\s*,\s*"data"\s*:\s*\{\s*"@(\w+)"\s*:\s*\{/;
/** Of a map without keys, and of maps of other kinds: not what the script has. */
const OTHER_MAP_LINE = /^\s*\{\s*"type"\s*:\s*"(?:hist|map|stats|lhist)"\s*,\s*"data"\s*:\s*\{\s*"@\w*"\s*:/;
/**
 * Reads a line of `bpftrace -f json`, by hand: one telling of a thousand VMs is a megabyte a map, and may be put aside after each key.
 * What stands before the place where a line is cut is told nevertheless: every number is a total, and one that is cut is left out.
 * @param isRead whether a map is of interest: at its end the program tells all that it has
 */
export function* readLine(text: string, isRead: (map: string) => boolean = () => true): Generator<ToldEntry, ToldLine> {
  const head = MAP_LINE.exec(text);
  if (head && !isRead(head[1])) return OTHER;
  if (head) return yield* new MapReader(text, head[0].length, head[1]).read();
  if (OTHER_MAP_LINE.test(text)) return text.trimEnd().endsWith('}}') ? OTHER : UNREADABLE;
  return readShort(text);
}

class MapReader implements ToldEntry {
  first = Number.NaN;
  second = Number.NaN;
  value = Number.NaN;
  slots = 0;
  readonly buckets = new Float64Array(BOUND_COUNT + 1);
  private isWhole = true;
  /** Every number of the entry is one that can be. */
  private isSound = true;

  constructor(
    private readonly text: string,
    private at: number,
    readonly map: string,
  ) {}

  *read(): Generator<ToldEntry, ToldLine> {
    if (!this.takes(CLOSE)) {
      do {
        if (!this.key() || !this.takes(COLON)) return UNREADABLE;
        this.buckets.fill(0);
        const isRead = this.takes(OPEN_LIST) ? this.histogram() : this.number();
        // A number may go on behind the place where the line is cut.
        const next = this.peek();
        if (!isRead || (next !== COMMA && next !== CLOSE)) return UNREADABLE;
        if (this.isSound && this.first < LIMIT) yield this;
        else this.isWhole = false;
      } while (this.takes(COMMA));
      if (!this.takes(CLOSE)) return UNREADABLE;
    }
    const isEnded = this.takes(CLOSE) && this.takes(CLOSE) && this.peek() === 0;
    return isEnded && this.isWhole ? MAP : UNREADABLE;
  }

  /** `"12"` or `"12,1"`. Keys of more parts are those of no map that is read here. */
  private key(): boolean {
    if (!this.takes(QUOTE)) return false;
    this.first = this.digits();
    this.second = this.takes(COMMA) ? this.digits() : Number.NaN;
    while (this.takes(COMMA)) this.digits();
    return this.takes(QUOTE);
  }

  private number(): boolean {
    this.slots = 1;
    this.value = this.count();
    this.isSound = this.value >= 0 && this.value < LIMIT;
    return true;
  }

  /** `[{"min": 4, "max": 7, "count": 1}, …]` */
  private histogram(): boolean {
    this.slots = 0;
    this.value = Number.NaN;
    this.isSound = true;
    if (this.takes(CLOSE_LIST)) return true;
    do {
      if (!this.bucket()) return false;
    } while (this.takes(COMMA));
    return this.takes(CLOSE_LIST);
  }

  private bucket(): boolean {
    if (!this.takes(OPEN)) return false;
    let max = Number.NaN;
    let count = Number.NaN;
    do {
      if (!this.takes(QUOTE)) return false;
      // min, max, count: told apart by their second letter.
      const letter = this.text.charCodeAt(this.at + 1);
      const end = this.text.indexOf('"', this.at);
      if (end < 0) return false;
      this.at = end + 1;
      if (!this.takes(COLON)) return false;
      const value = this.count();
      if (letter === LETTER_A) max = value;
      else if (letter === LETTER_O) count = value;
    } while (this.takes(COMMA));
    if (!this.takes(CLOSE)) return false;
    if (count >= 0 && count < LIMIT && !Number.isNaN(max)) {
      if (count > 0) this.slots++;
      this.buckets[placeOf(max)] += count;
    } else this.isSound = false;
    return true;
  }

  /** Below zero: -1, whatever it is exactly. */
  private count(): number {
    if (!this.takes(MINUS)) return this.digits();
    return Number.isNaN(this.digits()) ? Number.NaN : -1;
  }

  private digits(): number {
    this.at = this.afterBlanks();
    const from = this.at;
    let value = 0;
    for (;;) {
      const byte = this.text.charCodeAt(this.at);
      if (!(byte >= ZERO && byte <= NINE)) break;
      value = value * 10 + (byte - ZERO);
      this.at++;
    }
    return this.at > from ? value : Number.NaN;
  }

  private takes(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at++;
    return true;
  }

  /** @returns 0 at the end */
  private peek(): number {
    this.at = this.afterBlanks();
    return this.at < this.text.length ? this.text.charCodeAt(this.at) : 0;
  }

  private afterBlanks(): number {
    let { at } = this;
    for (;;) {
      const byte = this.text.charCodeAt(at);
      if (byte !== BLANK && byte !== TAB) return at;
      at++;
    }
  }
}

/** Where 2^5 - 1, the first of Podtrace's bounds, stands among the powers of two. */
const FIRST_BOUND = 5;

/**
 * Where the bucket up to and with `max` of the kernel's numbers, (ns - 1) / 3125, is among Podtrace's. All below the first bound fall into it,
 * with what was measured as no time at all, whose number is below zero.
 */
function placeOf(max: number): number {
  if (max < 2 ** FIRST_BOUND) return 0;
  return Math.min(BOUND_COUNT, Math.ceil(Math.log2(max + 1)) - FIRST_BOUND);
}
