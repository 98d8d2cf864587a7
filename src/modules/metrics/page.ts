import { FLOAT } from '../../model/metric.js';
import type { Column } from '../../model/table.js';
import { bytesToKib } from '../../model/units.js';
import { MAX_NUMBER_BYTES, putDouble, putFixed } from './digits.js';

const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);
const SPARE_BYTES = 65_536;
/** Pages kept for reuse; more than this many are seldom on their way at once. */
const POOL_PAGES = 2;

/** In the place of decimals: bytes, printed as KiB. */
export const KIB = -2;

/** A column of a family with its part of every line: `name{mode="user",` or `name{`. */
export interface ColumnLines {
  readonly column: Column;
  readonly prefix: Buffer;
  /** Decimal exponent of what is printed: the metric's, or another where the family has another unit; FLOAT; KIB. */
  readonly decimals: number;
}

/** Buffers of about the last page's size. One is given back only after the answer it holds was sent or given up. */
export class PagePool {
  private readonly free: Buffer[] = [];
  private lastBytes = SPARE_BYTES;

  take(): Buffer {
    const page = this.free.pop();
    return page && page.length >= this.lastBytes ? page : Buffer.allocUnsafeSlow(this.lastBytes + SPARE_BYTES);
  }

  give(page: Buffer, usedBytes: number): void {
    this.lastBytes = usedBytes;
    // A page much larger than what is needed now was made for a host that has since lost its VMs.
    if (this.free.length < POOL_PAGES && page.length < 4 * usedBytes + SPARE_BYTES) this.free.push(page);
  }
}

/** Exposition text in bytes, written front to back into one growing buffer. */
export class Page {
  private at = 0;

  constructor(private buffer: Buffer) {}

  /** What is written so far, without a copy. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  /** The whole buffer, to be given back to the pool. */
  get storage(): Buffer {
    return this.buffer;
  }

  get length(): number {
    return this.at;
  }

  text(text: Buffer): void {
    this.reserve(text.length);
    this.at += text.copy(this.buffer, this.at);
  }

  /**
   * The samples of one family: for each row its columns, empty cells passed over.
   * @param labels by row: `instance_id="…"} ` with the blank before the value
   * @param rows in the order of the page
   * @param head HELP and TYPE, written when there is a first sample
   */
  samples(head: Buffer, columns: readonly ColumnLines[], rows: Int32Array, labels: readonly (Buffer | undefined)[]): void {
    let headed = false;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      const label = labels[row];
      if (label === undefined) continue;
      for (let c = 0; c < columns.length; c++) {
        const { column, prefix, decimals } = columns[c];
        const value = column.front[row];
        if (Number.isNaN(value)) continue;
        if (!headed) {
          headed = true;
          this.text(head);
        }
        this.reserve(prefix.length + label.length + MAX_NUMBER_BYTES + 1);
        this.sample(prefix, label, value, decimals);
      }
    }
  }

  /** The samples of a family of words: for each row 1 for the word that its cell stands for. @param words prefixes by what is in the cells */
  words(head: Buffer, { front }: Column, words: readonly Buffer[], rows: Int32Array, labels: readonly (Buffer | undefined)[]): void {
    let headed = false;
    for (const row of rows) {
      const label = labels[row];
      const word = words[front[row]];
      if (label === undefined || word === undefined) continue;
      if (!headed) this.text(head);
      headed = true;
      this.keptLine(word, label, 1);
    }
  }

  /** One sample whose words are made for this page. */
  line(name: string, labels: string, value: number): void {
    const words = labels === '' ? `${name} ` : `${name}{${labels}} `;
    this.reserve(3 * words.length + MAX_NUMBER_BYTES + 1);
    this.at += this.buffer.write(words, this.at);
    this.at = putDouble(this.buffer, this.at, value);
    this.buffer[this.at++] = NEWLINE;
  }

  /** One sample whose words are kept: `name{` and `labels} ` in bytes, a tenth of the price of `line`. */
  keptLine(name: Buffer, labels: Buffer, value: number): void {
    this.reserve(name.length + labels.length + MAX_NUMBER_BYTES + 1);
    this.sample(name, labels, value, FLOAT);
  }

  /** One sample of a column outside its family's loop. @param words all that stands before the value */
  cell(words: Buffer, value: number, decimals: number): void {
    this.reserve(words.length + MAX_NUMBER_BYTES + 1);
    this.sample(words, NOTHING, value, decimals);
  }

  private sample(prefix: Buffer, label: Buffer, value: number, decimals: number): void {
    const { buffer } = this;
    let at = this.at;
    buffer.set(prefix, at);
    at += prefix.length;
    buffer.set(label, at);
    at += label.length;
    // Integers of the kernel are never negative; anything else goes the slow way.
    at = decimals < 0 || value < 0 ? putOther(buffer, at, value, decimals) : putFixed(buffer, at, value, decimals);
    buffer[at] = NEWLINE;
    this.at = at + 1;
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.at + bytes + SPARE_BYTES));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }
}

/** Apart from `sample`, which the compiler would otherwise find too long to put into its loop. */
function putOther(out: Buffer, at: number, value: number, decimals: number): number {
  if (decimals === KIB) return putDouble(out, at, bytesToKib(value));
  return putDouble(out, at, decimals > 0 ? value / 10 ** decimals : value);
}
