import type { PassedFamily } from './passed-family.js';
import type { ScrapedFamily, ScrapedText } from './scraped-text.js';
import { textNamesOf } from './wire-types.js';

/** Families of several texts, as one page may have them. */
export interface MergedTexts {
  /** By name. */
  readonly families: readonly PassedFamily[];
  /** Series that an earlier text contradicts, by owner. */
  readonly conflicts: ReadonlyMap<string, number>;
}

/**
 * One entry a name, with the type and the help of the first text that has it. A family of another type, or one whose samples would have the
 * name of another family's, is not passed on: the earlier text holds. What only OpenMetrics forbids is left to the page.
 * @param texts in the order in which they hold, by owner
 */
export function mergeTexts(texts: readonly ScrapedText[]): MergedTexts {
  const merged = new Map<string, ScrapedFamily[]>();
  /** Names of samples. */
  const taken = new Set<string>();
  const conflicts = new Map<string, number>();
  for (const family of texts.flatMap(({ families }) => families)) {
    const { name, type, owner, series } = family;
    const others = merged.get(name);
    const names = textNamesOf(name, type);
    const isAtOdds = others ? others[0].type !== type : names.some((one) => taken.has(one));
    if (isAtOdds) conflicts.set(owner, (conflicts.get(owner) ?? 0) + series);
    else if (others) others.push(family);
    else merged.set(name, [family]);
    if (!isAtOdds) for (const one of names) taken.add(one);
  }
  const families = [...merged].map(([name, bodies]) => ({ name, type: bodies[0].type, help: bodies[0].help, bodies }));
  return { families: families.sort((a, b) => (a.name < b.name ? -1 : 1)), conflicts };
}
