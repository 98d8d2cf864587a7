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
   * @param isWanted families that the configuration wants, by name of a sample or of the family
   */
  constructor(
    readonly labels: LabelRules,
    readonly fallbackHelp: string,
    maxSeries: number,
    private readonly isWanted: (name: string) => boolean = () => true,
  ) {
    const families = Math.min(maxSeries, MAX_FAMILIES);
    this.limits = { series: maxSeries, families, unknownFamilies: families };
  }

  refusesName(own: string): DropReason | undefined {
    if (own.length > MAX_NAME_BYTES) return 'limit';
    return this.isWanted(own) ? undefined : 'excluded';
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
