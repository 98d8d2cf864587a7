import type { DropReason } from './drop-reasons.js';
import type { OpenShare } from './passed-family.js';
import type { TextRules } from './text-rules.js';
import type { WireType } from './wire-types.js';

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
  /** What of it OpenMetrics takes; undefined for all. */
  open: OpenShare | undefined;
}

/** What is the same of a family in every text. */
export interface FamilyWords {
  readonly ownName: string;
  readonly name: string;
  /** As it is printed. */
  readonly type: WireType;
  readonly help: string | undefined;
  readonly isKnown: boolean;
  /** That it keeps for itself, as it is printed. */
  readonly names: readonly string[];
  readonly samples: readonly SampleName[];
}

interface SampleName {
  readonly text: string;
  /** As the text has it, and as it is printed. */
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

/** Words of the families that rules know: no more than there are of these. */
const KEPT = new WeakMap<TextRules, Map<string, FamilyWords>>();

function keptBy(rules: TextRules): Map<string, FamilyWords> {
  const kept = KEPT.get(rules) ?? new Map<string, FamilyWords>();
  KEPT.set(rules, kept);
  return kept;
}

const keyOf = (ownName: string, wire: WireType): string => `${wire} ${ownName}`;

function wordsOf(ownName: string, wire: WireType, rules: TextRules, kept: Map<string, FamilyWords>): FamilyWords {
  const name = rules.printedName(ownName);
  const fixed = rules.words(name);
  const type = fixed?.printed ?? wire;
  const samples = SUFFIXES[type].map(([suffix, part]) => ({
    text: ownName + suffix,
    sent: Buffer.from(ownName + suffix),
    head: Buffer.from(name + suffix),
    part,
  }));
  const words = { ownName, name, type, help: fixed?.help, isKnown: fixed !== undefined, names: rules.names(name, type), samples };
  if (fixed) kept.set(keyOf(ownName, wire), words);
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
  private readonly kept;

  constructor(private readonly rules: TextRules) {
    this.kept = keptBy(rules);
  }

  /** A TYPE. @returns the family, unless there is one of this name already or there may be none */
  declare(own: string, type: WireType): FamilyDraft | undefined {
    if (this.registered >= this.rules.limits.families || this.slots.has(own) || this.rules.refusesName(own) !== undefined) return undefined;
    this.registered++;
    const words = this.words(own, type);
    const refusal = this.judge(words, type);
    if (refusal === undefined) return this.add(words);
    for (const name of this.rules.names(own, type)) if (!this.slots.has(name)) this.slots.set(name, refused(name, refusal));
    return undefined;
  }

  /** The slot of a sample's name; without a TYPE before it makes a family of its own. */
  slot(sent: string): Slot {
    const known = this.slots.get(sent);
    if (known) return known;
    const unnamed = this.rules.refusesName(sent);
    if (unnamed !== undefined) return refused(sent, unnamed);
    if (this.registered >= this.rules.limits.families) return refused(sent, 'limit');
    this.registered++;
    const words = this.words(sent, 'unknown');
    const refusal = this.judge(words, 'unknown');
    if (refusal === undefined) this.add(words);
    else this.slots.set(sent, refused(sent, refusal));
    return this.slots.get(sent) ?? refused(sent, 'misfit');
  }

  private words(own: string, wire: WireType): FamilyWords {
    return this.kept.get(keyOf(own, wire)) ?? wordsOf(own, wire, this.rules, this.kept);
  }

  private judge({ name, names, isKnown }: FamilyWords, wire: WireType): DropReason | undefined {
    const refusal = this.rules.refusesFamily(name, wire);
    if (refusal !== undefined) return refusal;
    if (names.some((one) => this.taken.has(one))) return 'conflict';
    return this.unknown >= this.rules.limits.unknownFamilies && !isKnown ? 'limit' : undefined;
  }

  private add(words: FamilyWords): FamilyDraft {
    const { ownName: own, type, help, isKnown, names, samples } = words;
    const family: FamilyDraft = { words, help, series: 0, ranges: [], ended: new Set(), open: undefined };
    this.families.push(family);
    if (!isKnown) this.unknown++;
    for (const taken of names) this.taken.add(taken);
    // Names that belong to it and that no sample of its type has.
    if (type === 'counter') for (const sent of this.rules.names(own, type)) this.slots.set(sent, refused(sent, 'conflict'));
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

const refused = (sent: string, refusal: DropReason): Slot => ({
  sent: Buffer.from(sent),
  head: NOTHING,
  part: Part.value,
  refusal,
  family: undefined,
  seed: 0,
  next: undefined,
});
