import { Byte } from './bytes.js';
import type { DropReason } from './drop-reasons.js';
import { type ExpositionReader, MALFORMED, MAX_LABELS, MAX_NAME_BYTES, TOO_LONG } from './exposition-reader.js';
import { Part, type Slot } from './family-book.js';
import { Kin, LabelNames } from './label-names.js';
import type { LabelRules } from './text-rules.js';

const LE = Buffer.from('le');
const QUANTILE = Buffer.from('quantile');
const EXPORTED = 'exported_';
const NONE: LabelRules = { refused: new Set(), yielding: new Map() };

/** A label of ours that gives way, and the hash of its name and value. */
interface Added {
  readonly rendered: string;
  readonly low: number;
  readonly high: number;
}

/** The labels of a sample, checked and written with the owner's behind them. What they come to stands here until the next sample. */
export class LabelReader {
  /** Hash of the sample's name and its labels in any order; without the name and the bound where a series has several samples. */
  low = 0;
  high = 0;
  /** Of a bucket or quantile. */
  bound = Number.NaN;
  private names = new LabelNames(NONE);
  private standing = '';
  private tail = Buffer.alloc(0);
  private bareTail = Buffer.alloc(0);
  private added: readonly Added[] = [];
  private readonly nameHashes = new Int32Array(2 * MAX_LABELS);
  /** Labels of the sample that was read whole, one that is written later included. */
  private count = 0;
  /** Which of ours the sample has itself, a bit each. */
  private given = 0;
  /** Where the value of the label begins that is written last, under another name; 0 for none. */
  private renamedAt = 0;

  constructor(private readonly reader: ExpositionReader) {}

  /**
   * Before a text, and before the reader has it.
   * @param labels rendered: added to each sample from now on
   * @returns bytes that all this makes a line longer
   */
  add(labels: string, rules: LabelRules): number {
    if (rules !== this.names.rules) {
      this.names = new LabelNames(rules);
      this.added = this.names.yielding.map((rendered) => this.hashed(rendered));
    }
    this.standing = labels;
    const all = this.labelsBeside(0);
    this.tail = Buffer.from(`,${all}} `);
    this.bareTail = Buffer.from(`{${all}} `);
    return this.tail.length + MAX_NAME_BYTES;
  }

  /** From after the name to before the value. @param isBraced whether there are any */
  read(slot: Slot, isBraced: boolean): DropReason | undefined {
    const { reader } = this;
    this.low = slot.part >= Part.bucket ? 0 : slot.seed;
    this.high = 0;
    this.bound = Number.NaN;
    this.given = this.renamedAt = 0;
    reader.beyondAscii = false;
    const start = reader.to;
    if (isBraced) {
      const fault = this.braced(slot) ?? this.rename(start + 1);
      if (fault !== undefined) return fault;
    }
    const isEmpty = reader.to <= start + 1;
    if (isEmpty) reader.to = start;
    if (this.given === 0) reader.write(isEmpty ? this.bareTail : this.tail);
    else reader.write(Buffer.from(`${isEmpty ? '{' : ','}${this.labelsBeside(this.given)}} `));
    if (this.added.length > 0) this.mixAdded();
    return undefined;
  }

  private braced(slot: Slot): DropReason | undefined {
    const { reader } = this;
    reader.put(Byte.open);
    reader.at++;
    const opened = reader.to;
    for (let count = 0; ; count++) {
      if (reader.blanks() === Byte.close) {
        this.count = count;
        break;
      }
      if (count === MAX_LABELS) return 'limit';
      const before = reader.to;
      if (before > opened) reader.put(Byte.comma);
      const fault = this.label(slot, before, count);
      if (fault !== undefined) return fault;
      const byte = reader.blanks();
      if (byte === Byte.comma) reader.at++;
      else if (byte !== Byte.close) return 'malformed';
    }
    reader.at++;
    return undefined;
  }

  /** @param before where to write on when this label is written later */
  private label(slot: Slot, before: number, count: number): DropReason | undefined {
    const { reader } = this;
    const from = reader.at;
    const length = reader.label();
    if (length === 0) return 'malformed';
    if (length > MAX_NAME_BYTES) return 'limit';
    const kin = this.names.of(reader, from, length);
    if (kin === Kin.refused || this.isRepeated(count)) return 'label';
    const named = reader.at;
    const size = reader.quoted();
    if (size === MALFORMED) return 'malformed';
    if (size === TOO_LONG) return 'limit';
    if (kin !== Kin.ordinary && this.isPutOff(kin, named)) {
      reader.to = before;
      return undefined;
    }
    if (slot.part >= Part.bucket && this.isBound(slot, from, length)) return this.readBound(slot.part);
    // A label without a value is no label to Prometheus.
    if (size > 0) this.mix(reader.low, reader.high);
    return undefined;
  }

  /** What is special about a label. @returns whether it is written later */
  private isPutOff(kin: number, named: number): boolean {
    if (kin >= 0) this.given |= 1 << kin;
    if (kin === Kin.renamed) this.renamedAt = named;
    return kin === Kin.renamed;
  }

  /** Writes the label that has another name here, behind the others: that name must be none of theirs. @param opened after the brace */
  private rename(opened: number): DropReason | undefined {
    if (this.renamedAt === 0) return undefined;
    const { reader } = this;
    const { at, to } = reader;
    let name = EXPORTED + this.names.rules.renamed;
    do {
      if (name.length > MAX_NAME_BYTES) return 'limit';
      reader.to = to;
      if (to > opened) reader.put(Byte.comma);
      reader.writeName(name);
      name = EXPORTED + name;
    } while (this.hasName(this.count));
    reader.at = this.renamedAt;
    if (reader.quoted() > 0) this.mix(reader.low, reader.high);
    reader.at = at;
    return undefined;
  }

  private isRepeated(count: number): boolean {
    if (this.hasName(count)) return true;
    this.nameHashes[2 * count] = this.reader.low;
    this.nameHashes[2 * count + 1] = this.reader.high;
    return false;
  }

  /** Whether the sample has a label of this name already among so many, by the hash of the name that was just read. */
  private hasName(count: number): boolean {
    const { nameHashes } = this;
    const { low, high } = this.reader;
    for (let other = 0; other < count; other++) if (nameHashes[2 * other] === low && nameHashes[2 * other + 1] === high) return true;
    return false;
  }

  /** Labels add up, in whatever order they stand. */
  private mix(low: number, high: number): void {
    const spread = Math.imul(low ^ (low >>> 15) ^ high, 0x85ebca6b);
    this.low = (this.low + (spread ^ (spread >>> 13))) | 0;
    this.high = (this.high + Math.imul(high ^ (low >>> 11), 0xc2b2ae35)) | 0;
  }

  /** Ours are part of what a series is: a sample may have spelled the same label itself. */
  private mixAdded(): void {
    this.added.forEach(({ low, high }, place) => {
      if (!(this.given & (1 << place))) this.mix(low, high);
    });
  }

  /** All that is added to a sample which has these of ours itself. */
  private labelsBeside(given: number): string {
    const missing = this.added.filter((_, place) => !(given & (1 << place))).map(({ rendered }) => rendered);
    return [...missing, this.standing].filter((words) => words !== '').join();
  }

  private hashed(rendered: string): Added {
    const { reader } = this;
    reader.start(Buffer.from(`${rendered}\n`), 0);
    reader.label();
    const isEmpty = reader.quoted() <= 0;
    return { rendered, low: isEmpty ? 0 : reader.low, high: isEmpty ? 0 : reader.high };
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
