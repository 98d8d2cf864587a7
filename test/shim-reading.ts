import type { Runtime } from '../src/model/instance.js';
import { ExpositionParser } from '../src/modules/exposition/exposition-parser.js';
import type { PassedBody, PassedFamily } from '../src/modules/exposition/passed-family.js';
import type { ScrapedText } from '../src/modules/exposition/scraped-text.js';
import { namesOf } from '../src/modules/exposition/wire-types.js';
import { type Format, familyHead, OPEN_METRICS, TEXT } from '../src/modules/metrics/format.js';
import { FamilyRules } from '../src/modules/shim/family-rules.js';

export interface ReadingOptions {
  readonly id?: string;
  readonly labels?: string;
  readonly runtime?: Runtime;
  /** Families that collectors of ours declare. */
  readonly ours?: readonly string[];
  readonly excluded?: readonly string[];
  /** Lines a step. */
  readonly step?: number;
}

/** One for all, as in the agent: what one text leaves behind would show in the next. */
const parser = new ExpositionParser();

/** Reads a text as the agent does. */
export function readShimText(text: string | Buffer, options: ReadingOptions = {}): ScrapedText {
  const { id = 's-1', labels = `sandbox_id="${id}"`, runtime = 'go', ours = [], excluded = [], step = 256 } = options;
  const rules = new FamilyRules(runtime, new Set(ours.flatMap((name) => namesOf(name, 'gauge'))), excluded);
  parser.start(Buffer.from(text), { owner: id, labels, rules });
  while (parser.step(step));
  return parser.finish();
}

/** Sample lines of all families, in the order of a page. */
export const linesOf = (families: readonly PassedFamily[]): string[] =>
  families.flatMap(({ bodies }) =>
    bodies.flatMap(({ lines }) =>
      lines
        .toString()
        .split('\n')
        .filter((line) => line !== ''),
    ),
  );

/** Families as a page has them. */
export const pageOf = (families: readonly PassedFamily[], format: Format): string =>
  families.map((family) => familyHead(family, format) + family.bodies.map(({ lines }) => lines.toString()).join('')).join('') +
  (format.openMetrics ? '# EOF\n' : '');

/** The same without what the format does not take. */
export const openPageOf = (families: readonly PassedFamily[], format: Format): string =>
  pageOf(
    families
      .map((family) => ({ ...family, bodies: family.bodies.map((body) => (format.openMetrics ? openShareOf(body) : body)) }))
      .filter(({ bodies }) => bodies.some(({ lines }) => lines.length > 0)),
    format,
  );
const openShareOf = (body: PassedBody): PassedBody => ({
  ...body,
  lines: body.open ? body.lines.subarray(0, body.open.bytes) : body.lines,
});

export const FORMATS = [
  ['text', TEXT],
  ['openmetrics', OPEN_METRICS],
] as const;
