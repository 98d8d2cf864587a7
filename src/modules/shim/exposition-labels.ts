import type { DropReason } from './drop-reasons.js';
import { Byte } from './exposition-bytes.js';
import { type ExpositionReader, MALFORMED, MAX_LABELS, MAX_NAME_BYTES, TOO_LONG } from './exposition-reader.js';
import { Part, type Slot } from './family-book.js';

/** Labels that we add, and those that say whose a series of ours is; `__name__` and its like are Prometheus' own. */
const RESERVED = ['sandbox_id', 'cri_uid', 'cri_name', 'cri_namespace', 'instance_id', 'instance_name', 'upstream'];
/** By first byte, a bit for each length: what is worth a comparison. */
const RESERVED_LENGTHS = RESERVED.reduce((lengths, name) => {
  lengths[name.charCodeAt(0)] |= 1 << name.length;
  return lengths;
}, new Uint32Array(256));

const LE = Buffer.from('le');
const QUANTILE = Buffer.from('quantile');

/** The labels of a sample, checked and written with the sandbox's behind them. What they come to stands here until the next sample. */
export class LabelReader {
  /** Hash of the sample's name and its labels in any order; without the name and the bound where a series has several samples. */
  low = 0;
  high = 0;
  /** Of a bucket or quantile. */
  bound = Number.NaN;
  private tail = Buffer.alloc(0);
  private bareTail = Buffer.alloc(0);
  private readonly nameHashes = new Int32Array(2 * MAX_LABELS);

  constructor(private readonly reader: ExpositionReader) {}

  /** @param labels of the sandbox, rendered: added to each sample from now on @returns bytes that this makes a line longer */
  add(labels: string): number {
    this.tail = Buffer.from(`,${labels}} `);
    this.bareTail = Buffer.from(`{${labels}} `);
    return this.tail.length;
  }

  /** From after the name to before the value. @param isBraced whether there are any */
  read(slot: Slot, isBraced: boolean): DropReason | undefined {
    const { reader } = this;
    this.low = slot.part >= Part.bucket ? 0 : slot.seed;
    this.high = 0;
    this.bound = Number.NaN;
    reader.beyondAscii = false;
    const start = reader.to;
    if (isBraced) {
      const fault = this.braced(slot);
      if (fault !== undefined) return fault;
    }
    const isEmpty = reader.to <= start + 1;
    if (isEmpty) reader.to = start;
    reader.write(isEmpty ? this.bareTail : this.tail);
    return undefined;
  }

  private braced(slot: Slot): DropReason | undefined {
    const { reader } = this;
    reader.put(Byte.open);
    reader.at++;
    for (let count = 0; ; count++) {
      if (reader.blanks() === Byte.close) break;
      if (count === MAX_LABELS) return 'limit';
      if (count > 0) reader.put(Byte.comma);
      const fault = this.label(slot, count);
      if (fault !== undefined) return fault;
      const byte = reader.blanks();
      if (byte === Byte.comma) reader.at++;
      else if (byte !== Byte.close) return 'malformed';
    }
    reader.at++;
    return undefined;
  }

  private label(slot: Slot, index: number): DropReason | undefined {
    const { reader } = this;
    const from = reader.at;
    const length = reader.label();
    if (length === 0) return 'malformed';
    if (length > MAX_NAME_BYTES) return 'limit';
    if (this.isReserved(from, length) || this.isRepeated(index)) return 'label';
    const size = reader.quoted();
    if (size === MALFORMED) return 'malformed';
    if (size === TOO_LONG) return 'limit';
    if (slot.part >= Part.bucket && this.isBound(slot, from, length)) return this.readBound(slot.part);
    // A label without a value is no label to Prometheus.
    if (size > 0) this.mix();
    return undefined;
  }

  /** By the hash of the name that was just read. */
  private isRepeated(index: number): boolean {
    const { nameHashes } = this;
    const { low, high } = this.reader;
    for (let other = 0; other < index; other++) if (nameHashes[2 * other] === low && nameHashes[2 * other + 1] === high) return true;
    nameHashes[2 * index] = low;
    nameHashes[2 * index + 1] = high;
    return false;
  }

  /** Labels add up, in whatever order they stand. */
  private mix(): void {
    const { low, high } = this.reader;
    const spread = Math.imul(low ^ (low >>> 15) ^ high, 0x85ebca6b);
    this.low = (this.low + (spread ^ (spread >>> 13))) | 0;
    this.high = (this.high + Math.imul(high ^ (low >>> 11), 0xc2b2ae35)) | 0;
  }

  private isReserved(from: number, length: number): boolean {
    const { reader } = this;
    const first = reader.body[from];
    if (first === Byte.underscore && reader.body[from + 1] === Byte.underscore) return true;
    if (length > 31 || !(RESERVED_LENGTHS[first] & (1 << length))) return false;
    return RESERVED.includes(reader.word(from, from + length));
  }

  private isBound({ family }: Slot, from: number, length: number): boolean {
    const name = family?.words.type === 'summary' ? QUANTILE : LE;
    return length === name.length && this.reader.stands(name, from);
  }

  private readBound(part: Part): DropReason | undefined {
    if (part !== Part.bucket && part !== Part.quantile) return 'misfit';
    const bound = this.reader.valueNumber();
    if (Number.isNaN(bound) || (part === Part.quantile && !(bound >= 0 && bound <= 1))) return 'misfit';
    this.bound = bound;
    return undefined;
  }
}
