import { oneLine } from '../../model/labels.js';

/** What a VMM sent, as far as it has the shape its documents promise. Nothing here throws. */

export type Fields = Readonly<Record<string, unknown>>;

/** undefined for what is no JSON object. */
export function parseFields(text: string): Fields | undefined {
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export const fieldsOf = (value: unknown): Fields | undefined =>
  // The shape is looked at here; of each member by whoever reads it.
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

/** The objects of a list; none where it is no list. */
export function fieldsIn(value: unknown): readonly Fields[] {
  if (!Array.isArray(value)) return [];
  const members: readonly unknown[] = value;
  return members.map(fieldsOf).filter((one) => one !== undefined);
}

/** A count, a size or a time as it was sent: whole, not negative and exact. 2^64-1, which many say for "unknown", is not. */
export const countOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;

/** From here on a VMM means that it knows no number. */
const NO_NUMBER = 2 ** 63;

/**
 * The same of a sum that outgrows exact numbers, as nanoseconds do after 104 days (2^53): such a one is off by a part in 2^53, which is better
 * than none from then on.
 */
export const sumOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < NO_NUMBER ? value : undefined;

/** Without control characters and no longer than this; undefined for what is no text, or empty. */
export function textOf(value: unknown, limit: number): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return oneLine(value, limit);
}
