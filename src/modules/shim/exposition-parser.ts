import { isUtf8 } from 'node:buffer';
import { type Dropped, type DropReason, nothingDropped } from './drop-reasons.js';
import { Byte, CLASS, Is } from './exposition-bytes.js';
import { respelledNumber } from './exposition-number.js';
import { ExpositionReader, MALFORMED, MAX_LABELS, MAX_NAME_BYTES, TOO_LONG } from './exposition-reader.js';
import { FamilyBook, type FamilyDraft, Part, type Slot } from './family-book.js';
import type { FamilyRules } from './family-rules.js';
import { type Belonging, ScrapedText } from './scraped-text.js';
import { SeriesOrder } from './series-order.js';
import { SeriesSet } from './series-set.js';
import { WIRE_TYPES, type WireType } from './vocabulary.js';

export const MAX_SERIES = 20_000;
const STEP_BYTES = 65_536;

/** Labels that we add, and those that say whose a series of ours is; `__name__` and its like are Prometheus' own. */
const RESERVED = ['sandbox_id', 'cri_uid', 'cri_name', 'cri_namespace', 'instance_id', 'instance_name', 'upstream'];
/** By first byte, a bit for each length: what is worth a comparison. */
const RESERVED_LENGTHS = RESERVED.reduce((lengths, name) => {
  lengths[name.charCodeAt(0)] |= 1 << name.length;
  return lengths;
}, new Uint32Array(256));

const LE = Buffer.from('le');
const QUANTILE = Buffer.from('quantile');
const TYPE_LINE = /^#[ \t]+TYPE[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]+([a-z]+)[ \t]*$/;
const HELP_LINE = /^#[ \t]+HELP[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t]+(.*))?$/;
const MAX_COMMENT_BYTES = 1400;
/** What is not a letter to a reader of help. */
const CONTROL_CHARACTERS = /[\u0000-\u0009\u000b-\u001f\u007f]/g;

/** How a text is to be read. */
export interface Reading extends Belonging {
  readonly rules: FamilyRules;
}

/**
 * Exposition text 0.0.4 of a stranger, read byte by byte and written in the same pass with the sandbox's labels at the end of each line: no
 * object for a sample. A bad line costs itself. One text at a time; `step` by step, so that a long one holds nobody up.
 */
export class ExpositionParser {
  private readonly reader = new ExpositionReader();
  private readonly series = new SeriesSet();
  private order = new SeriesOrder();
  private owner: Belonging = { instanceId: '', labels: '' };
  private book: FamilyBook | undefined;
  private dropped: Dropped = nothingDropped();
  private passed = 0;
  private isUtf8 = true;
  private tail = Buffer.alloc(0);
  private bareTail = Buffer.alloc(0);
  private slot: Slot | undefined;
  private family: FamilyDraft | undefined;
  private rangeStart = 0;
  private help = '';
  /** Hash of the labels of the line, without the bound. */
  private low = 0;
  private high = 0;
  private bound = Number.NaN;
  private readonly nameHashes = new Int32Array(2 * MAX_LABELS);

  /** Nothing is read after the last newline: a sample that is cut may be half a number. */
  start(body: Buffer, reading: Reading): void {
    const { instanceId, labels, rules } = reading;
    this.owner = { instanceId, labels };
    const whole = body.subarray(0, body.lastIndexOf(Byte.newline) + 1);
    this.dropped = nothingDropped();
    if (whole.length < body.length) this.dropped.malformed++;
    this.tail = Buffer.from(`,${labels}} `);
    this.bareTail = Buffer.from(`{${labels}} `);
    this.isUtf8 = isUtf8(whole);
    this.reader.start(whole, this.tail.length + 1);
    this.series.clear();
    this.order = new SeriesOrder();
    this.book = new FamilyBook(rules);
    this.passed = this.rangeStart = 0;
    this.slot = this.family = undefined;
    this.help = '';
  }

  /** So many lines, fewer of long ones. @returns whether there are more */
  step(lines: number): boolean {
    const { reader } = this;
    const { length } = reader.body;
    const enough = Math.min(length, reader.at + STEP_BYTES);
    for (let line = 0; line < lines && reader.at < enough; line++) this.line();
    return reader.at < length;
  }

  /** What the text came to; nothing of it is kept here. */
  finish(): ScrapedText {
    const { reader } = this;
    this.leaveFamily();
    const { dropped, passed: series } = this;
    const text = new ScrapedText(this.owner, this.book?.families ?? [], reader.out, { series, dropped });
    reader.stop();
    this.book = this.slot = this.family = undefined;
    this.order = new SeriesOrder();
    return text;
  }

  private line(): void {
    const { reader } = this;
    const byte = reader.blanks();
    if (byte === Byte.newline) reader.at++;
    else if (byte === Byte.hash) this.comment();
    else this.sample(this.name());
  }

  /** Reads a name: the one of the line before, or the one that is likely to follow, or any. */
  private name(): Slot | undefined {
    const { reader, slot } = this;
    if (slot && reader.named(slot.sent)) return slot;
    if (slot?.next && reader.named(slot.next.sent)) {
      this.slot = slot.next;
      return this.slot;
    }
    const { body, at: from } = reader;
    if (!(CLASS[body[from]] & Is.nameStart)) return undefined;
    let at = from;
    while (CLASS[body[at]] & Is.name && at - from <= MAX_NAME_BYTES) at++;
    reader.at = at;
    this.slot = this.book?.slot(reader.word(from, at));
    return this.slot;
  }

  private sample(slot: Slot | undefined): void {
    const { reader } = this;
    const refusal = slot ? (slot.refusal ?? (this.passed >= MAX_SERIES ? 'limit' : undefined)) : 'malformed';
    if (!slot?.family || refusal !== undefined) {
      this.drop(refusal ?? 'malformed');
      return;
    }
    if (slot.family !== this.family) this.enterFamily(slot.family);
    reader.makeRoom();
    const start = reader.to;
    const fault = this.words(slot) ?? this.place(slot, slot.family, start);
    if (fault !== undefined) {
      reader.to = start;
      this.drop(fault);
      return;
    }
    reader.put(Byte.newline);
    reader.at++;
    slot.family.series++;
    this.passed++;
  }

  private drop(reason: DropReason): void {
    this.dropped[reason]++;
    this.reader.skipLine();
  }

  /** Reads and writes all words of a sample after its name. */
  private words(slot: Slot): DropReason | undefined {
    const { reader } = this;
    const begin = reader.at;
    reader.write(slot.head);
    this.low = slot.part >= Part.bucket ? 0 : slot.seed;
    this.high = 0;
    this.bound = Number.NaN;
    const braced = reader.blanks() === Byte.open;
    if (braced) {
      const fault = this.labels(slot);
      if (fault !== undefined) return fault;
      if (reader.beyondAscii && !this.isUtf8 && !isUtf8(reader.body.subarray(begin, reader.at))) return 'malformed';
      reader.blanks();
    } else {
      if (reader.at === begin) return 'malformed';
      reader.write(this.bareTail);
    }
    const number = reader.at;
    if (!reader.number()) return 'malformed';
    const end = reader.at;
    if (!reader.ends()) return 'malformed';
    return slot.part === Part.value || slot.part === Part.sum || slot.part === Part.quantile ? undefined : this.countable(number, end);
  }

  /** What is counted is a number, and not below zero. */
  private countable(from: number, to: number): DropReason | undefined {
    const { reader } = this;
    if (CLASS[reader.body[from]] & Is.digit) return undefined;
    const number = Number(respelledNumber(reader.word(from, to))?.replace('Inf', 'Infinity'));
    return number >= 0 ? undefined : 'misfit';
  }

  private labels(slot: Slot): DropReason | undefined {
    const { reader } = this;
    const start = reader.to;
    reader.beyondAscii = false;
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
    const empty = reader.to === start + 1;
    if (empty) reader.to = start;
    reader.write(empty ? this.bareTail : this.tail);
    return undefined;
  }

  private label(slot: Slot, index: number): DropReason | undefined {
    const { reader, nameHashes } = this;
    const from = reader.at;
    const length = reader.label();
    if (length === 0) return 'malformed';
    if (length > MAX_NAME_BYTES) return 'limit';
    if (this.isReserved(from, length)) return 'label';
    const { low, high } = reader;
    for (let other = 0; other < index; other++) if (nameHashes[2 * other] === low && nameHashes[2 * other + 1] === high) return 'label';
    nameHashes[2 * index] = low;
    nameHashes[2 * index + 1] = high;
    const size = reader.quoted();
    if (size === MALFORMED) return 'malformed';
    if (size === TOO_LONG) return 'limit';
    if (slot.part >= Part.bucket && this.isBound(slot, from, length)) return this.readBound(slot.part);
    // A label without a value is no label to Prometheus.
    if (size > 0) this.mix(reader.low, reader.high);
    return undefined;
  }

  /** Labels add up, in whatever order they stand. */
  private mix(low: number, high: number): void {
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
    const { reader } = this;
    const bound = reader.valueNumber();
    if (Number.isNaN(bound) || (part === Part.quantile && !(bound >= 0 && bound <= 1))) return 'misfit';
    this.bound = bound;
    return undefined;
  }

  /** Whether the sample may stand beside those before it. */
  private place({ part }: Slot, family: FamilyDraft, start: number): DropReason | undefined {
    const { low, high, bound, order } = this;
    if (part < Part.bucket) return this.series.add(low, high) ? undefined : 'duplicate';
    if (order.goesOn(family, low, high)) return order.takes(part, bound) ? undefined : 'misfit';
    const moved = start - this.takeBack(start);
    return order.opens(family, part, low, high, bound, start - moved) ? undefined : 'misfit';
  }

  /** Closes the open series. @returns where the line that was begun behind it stands now */
  private takeBack(lineStart: number): number {
    const incomplete = this.order.close();
    if (!incomplete) return lineStart;
    const { reader } = this;
    const { family, start, samples } = incomplete;
    reader.out.copyWithin(start, lineStart, reader.to);
    reader.to -= lineStart - start;
    family.series -= samples;
    this.passed -= samples;
    this.dropped.misfit += samples;
    return start;
  }

  private enterFamily(family: FamilyDraft): void {
    this.leaveFamily();
    this.family = family;
    this.rangeStart = this.reader.to;
  }

  private leaveFamily(): void {
    const { reader, family } = this;
    this.takeBack(reader.to);
    if (family && reader.to > this.rangeStart) family.ranges.push(this.rangeStart, reader.to);
    this.family = undefined;
  }

  private comment(): void {
    const { reader, book } = this;
    const { at: from } = reader;
    reader.skipLine();
    const end = reader.at - 1;
    if (end - from > MAX_COMMENT_BYTES) return;
    const type = TYPE_LINE.exec(reader.word(from, end));
    if (type) {
      const family = book?.declare(type[1], wireType(type[2]));
      if (family) family.help ??= this.helpOf(family);
      return;
    }
    this.help = reader.body.toString('utf8', from, end);
    const latest = book?.families.at(-1);
    if (latest && latest.series === 0) latest.help ??= this.helpOf(latest);
  }

  /** The last HELP, if it is this family's. */
  private helpOf({ words: { ownName } }: FamilyDraft): string | undefined {
    const help = HELP_LINE.exec(this.help);
    if (help?.[1] !== ownName || help[2] === undefined) return undefined;
    return help[2].replace(/\\([\\n])/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped)).replace(CONTROL_CHARACTERS, '?');
  }
}

function wireType(word: string): WireType {
  const type: string = word === 'untyped' ? 'unknown' : word;
  return WIRE_TYPES.find((known) => known === type) ?? 'unknown';
}
