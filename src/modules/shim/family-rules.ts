import type { Runtime } from '../../model/instance.js';
import type { Tables } from '../../model/tables.js';
import type { DropReason } from '../exposition/drop-reasons.js';
import { MAX_NAME_BYTES } from '../exposition/exposition-reader.js';
import type { FixedWords, LabelRules, TextRules } from '../exposition/text-rules.js';
import { namesOf, type WireType } from '../exposition/wire-types.js';
import { VOCABULARY, VOCABULARY_NAMES } from './vocabulary.js';

/** Of one text. Families that are not in the vocabulary are few: each costs all pages of the host a name. */
export const LIMITS = { families: 2000, unknownFamilies: 64, series: 20_000 };

/** Labels that we add, and those that say whose a series of ours is. */
const LABELS: LabelRules = {
  refused: new Set(['sandbox_id', 'cri_uid', 'cri_name', 'cri_namespace', 'instance_id', 'instance_name', 'upstream']),
  yielding: new Map(),
};

/**
 * Families by the name that the shim gives them. runtime-rs has no metrics of its runtime and library; what it says of itself, of a VMM in it
 * apart from Dragonball's own counters, the host tells better.
 */
const TOLD_BY: Readonly<Record<Runtime, RegExp>> = {
  go: /^(?:kata_(?:agent|guest|shim|hypervisor|virtiofsd|firecracker)|go|process)_[a-zA-Z0-9_:]+$/,
  rust: /^(?:kata_(?:agent|guest)_[a-zA-Z0-9_:]+|kata_hypervisor_(?:scrape_count|vcpu|seccomp|signals))$/,
};

const BARE = /^(?:go|process)_/;
/** What kata-monitor puts before the names of Go's own libraries. */
export const SHIM_PREFIX = 'kata_shim_';

/** The name of a family on a page of many sandboxes. */
export const printedName = (own: string): string => (BARE.test(own) ? SHIM_PREFIX + own : own);

/** Which families of one runtime's shims are passed on. */
export class FamilyRules implements TextRules {
  readonly limits = LIMITS;
  readonly labels = LABELS;
  /** Both runtimes write their histograms and summaries so. */
  readonly order = 'written';
  readonly fallbackHelp = 'As the shim of a Kata sandbox says it.';
  readonly names = namesOf;
  readonly printedName = printedName;
  private readonly told: RegExp;

  /**
   * @param ours every name of a family of ours, see `namesOf`
   * @param excluded prefixes of names, own or printed
   */
  constructor(
    runtime: Runtime,
    private readonly ours: ReadonlySet<string>,
    private readonly excluded: readonly string[],
  ) {
    this.told = TOLD_BY[runtime];
  }

  /** Whether a shim may say this name at all. */
  refusesName(own: string): DropReason | undefined {
    if (own.length > MAX_NAME_BYTES) return 'limit';
    if (!this.told.test(own)) return 'foreign';
    const printed = printedName(own);
    return this.excluded.some((prefix) => own.startsWith(prefix) || printed.startsWith(prefix)) ? 'excluded' : undefined;
  }

  /** Whether a family of this name and type may stand beside ours and those of the vocabulary. */
  refusesFamily(printed: string, type: WireType): DropReason | undefined {
    if (namesOf(printed, type).some((name) => this.ours.has(name))) return 'ours';
    const known = VOCABULARY.get(printed);
    if (known) return known.type === type ? undefined : 'conflict';
    return namesOf(printed, type).some((name) => VOCABULARY_NAMES.has(name)) ? 'conflict' : undefined;
  }

  words(printed: string): FixedWords | undefined {
    return VOCABULARY.get(printed);
  }
}

/** Names of the families that collectors of ours declare, whether they are switched on or not. After all of them are made. */
export function declaredNames(tables: Tables): ReadonlySet<string> {
  const families = tables.columns.flatMap(({ metric }) => metric.families.map(({ family }) => family));
  return new Set(families.flatMap(({ name, type }) => namesOf(name, type)));
}
