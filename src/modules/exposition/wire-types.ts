export const WIRE_TYPES = ['counter', 'gauge', 'histogram', 'summary', 'unknown'] as const;
/** Types of the text format; `unknown` is its `untyped`, and a family without a TYPE. */
export type WireType = (typeof WIRE_TYPES)[number];

const TOTAL = '_total';
/** Of what is counted OpenMetrics may say when that began: no other family may have that name. */
const CREATED = '_created';
const SUFFIXES: Readonly<Record<WireType, readonly string[]>> = {
  counter: [],
  gauge: [],
  unknown: [],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['_sum', '_count'],
};

/** Every name that a head or a sample of such a family has in the text format, the family's own first. */
export const textNamesOf = (name: string, type: WireType): string[] => [name, ...SUFFIXES[type].map((suffix) => name + suffix)];

/** Every name that a head or a sample of such a family has in the text format or in OpenMetrics, the family's own first. */
export function namesOf(name: string, type: WireType): string[] {
  const names = textNamesOf(name, type);
  if (type === 'counter') return name.endsWith(TOTAL) ? [...names, baseOf(name), baseOf(name) + CREATED] : [...names, name + CREATED];
  return names.length === 1 ? names : [...names, name + CREATED];
}

const baseOf = (name: string): string => name.slice(0, -TOTAL.length);
