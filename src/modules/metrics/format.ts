import type { Family } from '../../model/metric.js';

/** The two text formats, by what the Accept header of a scraper can ask for. */
export interface Format {
  readonly contentType: string;
  readonly openMetrics: boolean;
}

export const TEXT: Format = { contentType: 'text/plain; version=0.0.4; charset=utf-8', openMetrics: false };
export const OPEN_METRICS: Format = { contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8', openMetrics: true };

const TOTAL = '_total';

/** A family's words: what the head needs, whatever makes its samples. */
export interface FamilyHead {
  readonly name: string;
  readonly type: Family['type'] | 'histogram' | 'summary' | 'unknown';
  readonly help: string;
  readonly unit?: string;
}

/**
 * HELP, TYPE and, in OpenMetrics, UNIT. There a counter's family has no `_total`, while its samples keep it; a counter whose name has none
 * is `unknown`, so that no family changes its name between the formats.
 */
export function familyHead(family: FamilyHead, { openMetrics }: Format): string {
  if (!openMetrics) {
    const type = family.type === 'unknown' ? 'untyped' : family.type;
    return `# HELP ${family.name} ${escapeHelp(family.help, false)}\n# TYPE ${family.name} ${type}\n`;
  }
  const total = family.type === 'counter' && family.name.endsWith(TOTAL);
  const name = total ? family.name.slice(0, -TOTAL.length) : family.name;
  const type = family.type === 'counter' && !total ? 'unknown' : family.type;
  const unit = family.unit !== undefined && name.endsWith(`_${family.unit}`) ? `# UNIT ${name} ${family.unit}\n` : '';
  return `# TYPE ${name} ${type}\n${unit}# HELP ${name} ${escapeHelp(family.help, true)}\n`;
}

/** Backslash and newline in both formats; OpenMetrics escapes the quote as well. */
function escapeHelp(help: string, quotes: boolean): string {
  const escaped = help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
  return quotes ? escaped.replace(/"/g, '\\"') : escaped;
}

/**
 * How much a client wants a media type, 0 for not at all: the most specific range of Accept decides (RFC 9110, 12.5.1). Without Accept
 * everything is wanted.
 * @param type `text/html`
 */
export function qualityOf(accept: string | undefined, type: string): number {
  if (accept === undefined || accept.trim() === '') return 1;
  const specific = [type, `${type.split('/')[0]}/*`, '*/*'];
  const given = ranges(accept);
  for (const range of specific) {
    const found = given.filter((one) => one.type === range);
    if (found.length > 0) return Math.max(...found.map(({ quality }) => quality));
  }
  return 0;
}

interface Range {
  readonly type: string;
  readonly version: string | undefined;
  readonly quality: number;
}

/** Accept by RFC 9110 with q values; OpenMetrics only in a version we speak. Anything else gets 0.0.4. */
export function negotiate(accept: string | undefined): Format {
  let best: { format: Format; quality: number } | undefined;
  for (const range of ranges(accept ?? '')) {
    const format = formatOf(range);
    if (format && range.quality > 0 && (!best || range.quality > best.quality)) best = { format, quality: range.quality };
  }
  return best?.format ?? TEXT;
}

function formatOf({ type, version }: Range): Format | undefined {
  if (type === 'application/openmetrics-text') return version === undefined || version === '1.0.0' ? OPEN_METRICS : undefined;
  if (type === 'text/plain') return version === undefined || version === '0.0.4' ? TEXT : undefined;
  return type === '*/*' || type === 'text/*' ? TEXT : undefined;
}

function ranges(accept: string): Range[] {
  return accept
    .slice(0, 4096)
    .split(',')
    .map((range) => {
      const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
      const parameter = (name: string): string | undefined =>
        parameters
          .find((p) => p.toLowerCase().startsWith(`${name}=`))
          ?.slice(name.length + 1)
          .replace(/^"|"$/g, '');
      const q = Number(parameter('q') ?? '1');
      return { type: type.toLowerCase(), version: parameter('version'), quality: Number.isFinite(q) ? Math.min(1, Math.max(0, q)) : 0 };
    });
}

/** Whether the client takes gzip: named, or by `*`, and not with q=0. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const weights = new Map(
    (acceptEncoding ?? '')
      .slice(0, 1024)
      .split(',')
      .map((part) => {
        const [coding = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
        const q = Number(parameters.find((p) => p.startsWith('q='))?.slice(2) ?? '1');
        return [coding, q] as const;
      }),
  );
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0;
}
