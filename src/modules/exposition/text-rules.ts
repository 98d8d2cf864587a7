import type { DropReason } from './drop-reasons.js';
import type { WireType } from './wire-types.js';

/** How a family stands on our pages, whatever a text says of it. */
export interface FixedWords {
  readonly help: string;
  /** Where it is printed as another type than it is sent. */
  readonly printed?: WireType;
}

/** Labels of a sample that are not taken as they are. Those that begin with two underscores cost the sample in every text. */
export interface LabelRules {
  /** They cost the sample. */
  readonly refused: ReadonlySet<string>;
  /** A sample's own label of this name, which ours takes the place of, becomes `exported_<name>`, as Prometheus does it. */
  readonly renamed?: string;
  /**
   * Ours that give way: by name, rendered (`name="value"`), added to each sample that has no such label, before those that always stand.
   * At most 31; `le`, `quantile` and `renamed` are none.
   */
  readonly yielding: ReadonlyMap<string, string>;
}

/**
 * What may stand in one kind of texts, and how it is printed. Kept from text to text: what is the same in all of them is made once for each
 * object of rules.
 */
export interface TextRules {
  readonly limits: TextLimits;
  readonly labels: LabelRules;
  /**
   * Where the samples of one histogram or summary may stand. `written`: together, bounds rising, then sum, then count, and what is out of
   * place is dropped as it comes, at no cost. `any`: wherever the text has them; they are sorted, and a series that only the text format
   * allows (a negative sum, buckets that fall) is kept for pages of that format.
   */
  readonly order: 'written' | 'any';
  /** Help of a family without fixed words whose text gives none. */
  readonly fallbackHelp: string;
  /** Whether a text may say this name at all. Asked once for each name of a text. */
  refusesName(own: string): DropReason | undefined;
  /** Whether a family of this printed name and sent type may stand on our pages. */
  refusesFamily(printed: string, type: WireType): DropReason | undefined;
  /** Name on a page of many. The same for the same name, always. */
  printedName(own: string): string;
  /** Words that hold whatever the text says; undefined for a family that nobody knows. */
  words(printed: string): FixedWords | undefined;
  /** Names that a family of a text keeps for itself: no other of the same text has one of them. */
  names(printed: string, type: WireType): readonly string[];
}

/** Of one text. */
export interface TextLimits {
  readonly families: number;
  /** Of those, families without fixed words. */
  readonly unknownFamilies: number;
  readonly series: number;
}
