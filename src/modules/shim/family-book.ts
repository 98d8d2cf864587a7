import type { DropReason } from './drop-reasons.js';
import { type FamilyRules, printedName } from './family-rules.js';
import { namesOf, VOCABULARY, type WireType } from './vocabulary.js';

export const MAX_FAMILIES = 2000;
/** Of those, families that are not in the vocabulary: each costs all pages of the host a name. */
export const MAX_UNKNOWN_FAMILIES = 64;

/** What a sample is to its family. */
export const Part = { value: 0, counter: 1, bucket: 2, quantile: 3, sum: 4, count: 5 } as const;
export type Part = (typeof Part)[keyof typeof Part];

/** A family while its text is read. */
export interface FamilyDraft {
  readonly words: FamilyWords;
  help: string | undefined;
  series: number;
  /** Where its lines stand in what was written: from, to, from, to … */
  readonly ranges: number[];
  /** Which of its series of several samples have ended. */
  readonly ended: Set<number>;
}

/** What is the same of a family in every text. */
export interface FamilyWords {
  readonly ownName: string;
  readonly name: string;
  /** As it is printed. */
  readonly type: WireType;
  readonly help: string | undefined;
  readonly samples: readonly SampleName[];
}

interface SampleName {
  readonly text: string;
  /** As the shim writes it, and as it is printed. */
  readonly sent: Buffer;
  readonly head: Buffer;
  readonly part: Part;
}

/** What the samples of one name come to: lines of a family, or nothing. */
export interface Slot {
  readonly sent: Buffer;
  readonly head: Buffer;
  readonly part: Part;
  readonly refusal: DropReason | undefined;
  readonly family: FamilyDraft | undefined;
  /** Tells series of one name from those of another. */
  readonly seed: number;
  /** The name that is likely to come after this one: sum after bucket, count after sum. */
  next: Slot | undefined;
}

const NOTHING = Buffer.alloc(0);

const SUFFIXES: Readonly<Record<WireType, readonly (readonly [string, Part])[]>> = {
  counter: [['', Part.counter]],
  gauge: [['', Part.value]],
  unknown: [['', Part.value]],
  histogram: [
    ['_bucket', Part.bucket],
    ['_sum', Part.sum],
    ['_count', Part.count],
  ],
  summary: [
    ['', Part.quantile],
    ['_sum', Part.sum],
    ['_count', Part.count],
  ],
};

/** Words of the families of the vocabulary, which nearly all are. */
const kept = new Map<string, FamilyWords>();

function wordsOf(ownName: string, wire: WireType): FamilyWords {
  const key = `${wire} ${ownName}`;
  const known = kept.get(key);
  if (known) return known;
  const name = printedName(ownName);
  const type = printedType(name, wire);
  const samples = SUFFIXES[type].map(([suffix, part]) => ({
    text: ownName + suffix,
    sent: Buffer.from(ownName + suffix),
    head: Buffer.from(name + suffix),
    part,
  }));
  const words = { ownName, name, type, help: VOCABULARY.get(name)?.help, samples };
  if (words.help !== undefined) kept.set(key, words);
  return words;
}

/** The families of one text. The first that has a name keeps it. */
export class FamilyBook {
  readonly families: FamilyDraft[] = [];
  private readonly slots = new Map<string, Slot>();
  /** Names that are printed. */
  private readonly taken = new Set<string>();
  private registered = 0;
  private unknown = 0;
  private seeds = 0;

  constructor(private readonly rules: FamilyRules) {}

  /** A TYPE. @returns the family, unless there is one of this name already or there may be none */
  declare(own: string, type: WireType): FamilyDraft | undefined {
    if (this.registered >= MAX_FAMILIES || this.slots.has(own) || this.rules.refusesName(own) !== undefined) return undefined;
    this.registered++;
    const refusal = this.judge(own, type);
    if (refusal === undefined) return this.add(own, type);
    for (const name of namesOf(own, type)) if (!this.slots.has(name)) this.slots.set(name, refused(name, refusal));
    return undefined;
  }

  /** The slot of a sample's name; without a TYPE before it makes a family of its own. */
  slot(sent: string): Slot {
    const known = this.slots.get(sent);
    if (known) return known;
    const unnamed = this.rules.refusesName(sent);
    if (unnamed !== undefined) return refused(sent, unnamed);
    if (this.registered >= MAX_FAMILIES) return refused(sent, 'limit');
    this.registered++;
    const refusal = this.judge(sent, 'unknown');
    if (refusal === undefined) this.add(sent, 'unknown');
    else this.slots.set(sent, refused(sent, refusal));
    return this.slots.get(sent) ?? refused(sent, 'misfit');
  }

  private judge(own: string, wire: WireType): DropReason | undefined {
    const printed = printedName(own);
    const refusal = this.rules.refusesFamily(printed, wire);
    if (refusal !== undefined) return refusal;
    if (namesOf(printed, printedType(printed, wire)).some((name) => this.taken.has(name))) return 'conflict';
    return this.unknown >= MAX_UNKNOWN_FAMILIES && !VOCABULARY.has(printed) ? 'limit' : undefined;
  }

  private add(own: string, wire: WireType): FamilyDraft {
    const words = wordsOf(own, wire);
    const { name, type, help, samples } = words;
    const family: FamilyDraft = { words, help, series: 0, ranges: [], ended: new Set() };
    this.families.push(family);
    if (!VOCABULARY.has(name)) this.unknown++;
    for (const taken of namesOf(name, type)) this.taken.add(taken);
    // Names that belong to it and that no sample of its type has.
    if (type === 'counter') for (const sent of namesOf(own, type)) this.slots.set(sent, refused(sent, 'conflict'));
    if (type === 'histogram') this.slots.set(own, refused(own, 'misfit'));
    const slots = samples.map(({ text, sent, head, part }): Slot => {
      const seed = Math.imul(++this.seeds, 0x9e3779b1);
      const slot = { sent, head, part, refusal: undefined, family, seed, next: undefined };
      this.slots.set(text, slot);
      return slot;
    });
    slots.forEach((slot, index) => {
      slot.next = slots[(index + 1) % slots.length];
    });
    return family;
  }
}

const printedType = (printed: string, type: WireType): WireType => VOCABULARY.get(printed)?.printed ?? type;

const refused = (sent: string, refusal: DropReason): Slot => ({
  sent: Buffer.from(sent),
  head: NOTHING,
  part: Part.value,
  refusal,
  family: undefined,
  seed: 0,
  next: undefined,
});
