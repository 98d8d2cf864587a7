import { isUtf8 } from 'node:buffer';
import { Byte, CLASS, Is } from './bytes.js';
import { helpOf, MAX_COMMENT_BYTES, typeOf } from './comments.js';
import { type Dropped, type DropReason, nothingDropped } from './drop-reasons.js';
import { ExpositionReader, MAX_NAME_BYTES } from './exposition-reader.js';
import { FamilyBook, type FamilyDraft, Part, type Slot } from './family-book.js';
import { LabelReader } from './label-reader.js';
import { LooseSeries } from './loose-series.js';
import { type Belonging, ScrapedText } from './scraped-text.js';
import { SeriesOrder } from './series-order.js';
import { SeriesSet } from './series-set.js';
import type { TextRules } from './text-rules.js';

const STEP_BYTES = 65_536;

/** How a text is to be read. */
export interface Reading extends Belonging {
  readonly rules: TextRules;
}

/**
 * Exposition text 0.0.4 of a stranger, read byte by byte and written in the same pass with the owner's labels at the end of each line: no
 * object for a sample. A bad line costs itself. One text at a time; `step` by step, so that a long one holds nobody up.
 */
export class ExpositionParser {
  private readonly reader = new ExpositionReader();
  private readonly labels = new LabelReader(this.reader);
  private readonly series = new SeriesSet();
  private order = new SeriesOrder();
  /** Where samples may stand in any order. */
  private readonly loose = new Map<FamilyDraft, LooseSeries>();
  private owner: Belonging = { owner: '', labels: '' };
  private rules: TextRules | undefined;
  private book: FamilyBook | undefined;
  private maxSeries = 0;
  private isScattered = false;
  private dropped: Dropped = nothingDropped();
  private passed = 0;
  private isUtf8 = true;
  private slot: Slot | undefined;
  private family: FamilyDraft | undefined;
  private rangeStart = 0;
  /** Where the line that is being written begins; moves with it when a series before it is taken back. */
  private lineStart = 0;
  /** Of the sample read last, where its series has several. */
  private value = 0;
  private help = '';

  /** Nothing is read after the last newline: a sample that is cut may be half a number. */
  start(body: Buffer, reading: Reading): void {
    const { owner, labels, rules } = reading;
    this.owner = { owner, labels };
    this.rules = rules;
    this.maxSeries = rules.limits.series;
    this.isScattered = rules.order === 'any';
    const whole = body.subarray(0, body.lastIndexOf(Byte.newline) + 1);
    this.dropped = nothingDropped();
    if (whole.length < body.length) this.dropped.malformed++;
    this.isUtf8 = isUtf8(whole);
    this.reader.start(whole, this.labels.add(labels, rules.labels));
    this.series.clear();
    this.loose.clear();
    this.order = new SeriesOrder();
    this.book = new FamilyBook(rules);
    this.passed = this.rangeStart = this.lineStart = 0;
    this.slot = this.family = undefined;
    this.help = '';
  }

  /** So many lines, fewer of long ones; after the last, so many samples that have to be sorted. @returns whether there are more */
  step(lines: number): boolean {
    const { reader } = this;
    const { length } = reader.body;
    if (reader.at >= length) return this.sort(lines);
    const enough = Math.min(length, reader.at + STEP_BYTES);
    for (let line = 0; line < lines && reader.at < enough; line++) this.line();
    return reader.at < length || this.loose.size > 0;
  }

  /** What the text came to; nothing of it is kept here. */
  finish(): ScrapedText {
    const { reader } = this;
    while (this.sort(Number.POSITIVE_INFINITY));
    const families = this.book?.families ?? [];
    const { dropped, passed: series } = this;
    const fallbackHelp = this.rules?.fallbackHelp ?? '';
    const text = new ScrapedText(this.owner, families, reader.out, { series, dropped, fallbackHelp });
    reader.stop();
    this.rules = this.book = this.slot = this.family = undefined;
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
    const refusal = slot ? (slot.refusal ?? (this.passed >= this.maxSeries ? 'limit' : undefined)) : 'malformed';
    if (!slot?.family || refusal !== undefined) {
      this.drop(refusal ?? 'malformed');
      return;
    }
    if (slot.family !== this.family) this.enterFamily(slot.family);
    reader.makeRoom();
    this.lineStart = reader.to;
    const fault = this.words(slot) ?? this.place(slot, slot.family);
    if (fault !== undefined) {
      reader.to = this.lineStart;
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
    const isBraced = reader.blanks() === Byte.open;
    if (!isBraced && reader.at === begin) return 'malformed';
    const fault = this.labels.read(slot, isBraced);
    if (fault !== undefined) return fault;
    if (reader.beyondAscii && !this.isUtf8 && !isUtf8(reader.body.subarray(begin, reader.at))) return 'malformed';
    reader.blanks();
    const number = reader.at;
    if (!reader.number()) return 'malformed';
    const end = reader.at;
    if (!reader.ends()) return 'malformed';
    if (slot.part >= Part.bucket) this.value = reader.numberIn(number, end);
    return slot.part === Part.value || slot.part === Part.sum || slot.part === Part.quantile ? undefined : this.countable(number, end);
  }

  /** What is counted is a number, and not below zero. */
  private countable(from: number, to: number): DropReason | undefined {
    const { reader } = this;
    return CLASS[reader.body[from]] & Is.digit || reader.numberIn(from, to) >= 0 ? undefined : 'misfit';
  }

  /** Whether the sample may stand beside those before it. */
  private place({ part }: Slot, family: FamilyDraft): DropReason | undefined {
    const { order } = this;
    const { low, high, bound } = this.labels;
    if (part < Part.bucket) return this.series.add(low, high) ? undefined : 'duplicate';
    if (this.isScattered) return this.scatter(part, family);
    if (!(order.goesOn(family, low, high) ? order.takes(part, bound) : this.opens(family, part))) return 'misfit';
    order.weigh(part, this.value);
    return undefined;
  }

  /** A sample that is put into its place when all are there. */
  private scatter(part: Part, family: FamilyDraft): DropReason | undefined {
    const { low, high, bound } = this.labels;
    if ((part === Part.bucket || part === Part.quantile) && Number.isNaN(bound)) return 'misfit';
    const loose = this.loose.get(family) ?? new LooseSeries(family);
    this.loose.set(family, loose);
    const sample = { part, bound, value: this.value, from: this.lineStart, to: this.reader.to + 1 };
    return loose.add(low, high, sample) ? undefined : 'limit';
  }

  /** After the last line. @returns whether there is more of it */
  private sort(enough: number): boolean {
    this.leaveFamily();
    const [first] = this.loose;
    if (!first) return false;
    const [family, loose] = first;
    if (loose.sort(enough)) return true;
    const { duplicates } = loose;
    family.series -= duplicates;
    this.passed -= duplicates;
    this.dropped.duplicate += duplicates;
    this.loose.delete(family);
    return this.loose.size > 0;
  }

  private opens(family: FamilyDraft, part: Part): boolean {
    this.takeBack();
    const { low, high, bound } = this.labels;
    return this.order.opens(family, part, low, high, bound, this.lineStart);
  }

  /** Closes the open series. What stands behind it moves to its place where it is not passed on. */
  private takeBack(): void {
    const refused = this.order.close();
    if (!refused) return;
    const { reader, lineStart } = this;
    const { family, start, samples } = refused;
    reader.out.copyWithin(start, lineStart, reader.to);
    reader.to -= lineStart - start;
    this.lineStart = start;
    family.series -= samples;
    this.passed -= samples;
    this.dropped.misfit += samples;
  }

  private enterFamily(family: FamilyDraft): void {
    this.leaveFamily();
    this.family = family;
    this.rangeStart = this.reader.to;
  }

  private leaveFamily(): void {
    const { reader, family } = this;
    this.lineStart = reader.to;
    this.takeBack();
    if (family && !this.loose.has(family) && reader.to > this.rangeStart) family.ranges.push(this.rangeStart, reader.to);
    this.family = undefined;
  }

  private comment(): void {
    const { reader, book } = this;
    const { at: from } = reader;
    reader.skipLine();
    const end = reader.at - 1;
    if (end - from > MAX_COMMENT_BYTES || reader.body.subarray(from, end).includes(Byte.carriageReturn)) return;
    const type = typeOf(reader.word(from, end));
    if (type) {
      const family = book?.declare(type.name, type.type);
      if (family) family.help ??= helpOf(this.help, family.words.ownName);
      return;
    }
    this.help = reader.body.toString('utf8', from, end);
    const latest = book?.families.at(-1);
    if (latest && latest.series === 0) latest.help ??= helpOf(this.help, latest.words.ownName);
  }
}
