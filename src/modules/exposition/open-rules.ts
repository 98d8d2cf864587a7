import type { DropReason } from './drop-reasons.js';
import { MAX_NAME_BYTES } from './exposition-reader.js';
import type { FixedWords, LabelRules, TextLimits, TextRules } from './text-rules.js';
import { textNamesOf, type WireType } from './wire-types.js';

const MAX_FAMILIES = 4000;

/** Of whose text nobody knows anything: every name, type and label of the data model stays as it is. */
export class OpenRules implements TextRules {
  readonly order = 'any';
  readonly limits: TextLimits;

  /**
   * @param maxSeries of one text
   * @param refuse why a family is not wanted, by name of a sample or of the family
   */
  constructor(
    readonly labels: LabelRules,
    readonly fallbackHelp: string,
    maxSeries: number,
    private readonly refuse: (name: string) => DropReason | undefined = () => undefined,
  ) {
    const families = Math.min(maxSeries, MAX_FAMILIES);
    this.limits = { series: maxSeries, families, unknownFamilies: families };
  }

  refusesName(own: string): DropReason | undefined {
    return own.length > MAX_NAME_BYTES ? 'limit' : this.refuse(own);
  }

  refusesFamily(): DropReason | undefined {
    return undefined;
  }

  printedName(own: string): string {
    return own;
  }

  words(): FixedWords | undefined {
    return undefined;
  }

  names(printed: string, type: WireType): readonly string[] {
    return textNamesOf(printed, type);
  }
}
