/** A strict reader of both exposition formats: what it does not know it refuses, with the line. */

export interface ParsedSample {
  /** With `_total`, `_bucket` and the like. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** As it was spelt. */
  readonly spelling: string;
}

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly unit?: string;
  readonly samples: readonly ParsedSample[];
}

interface Open {
  name: string;
  type?: string;
  help?: string;
  unit?: string;
  samples: ParsedSample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?)(?:e[+-]?\d+)?|[+-]Inf|NaN)$/i;
const TEXT_TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];
const OPEN_METRICS_TYPES = ['counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'stateset', 'info', 'unknown'];
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/** @throws Error with number and text of the first line that is not as the format wants it */
export function parseExposition(page: string, format: 'text' | 'openmetrics'): ParsedFamily[] {
  const openMetrics = format === 'openmetrics';
  if (!page.isWellFormed()) throw new Error('not well-formed Unicode');
  if (page !== '' && !page.endsWith('\n')) throw new Error('the last line has no end');
  const lines = page.split('\n').slice(0, -1);
  if (openMetrics && lines.pop() !== '# EOF') throw new Error('no # EOF at the end');
  const families: Open[] = [];
  const series = new Set<string>();
  lines.forEach((line, index) => {
    try {
      takeLine(line, openMetrics, families, series);
    } catch (error) {
      throw new Error(`line ${index + 1}: ${error instanceof Error ? error.message : error}: ${JSON.stringify(line)}`);
    }
  });
  return families.map((family) => finished(family));
}

function takeLine(line: string, openMetrics: boolean, families: Open[], series: Set<string>): void {
  if (line.startsWith('#')) takeComment(line, openMetrics, families);
  else takeSample(line, openMetrics, families.at(-1), series);
}

function takeComment(line: string, openMetrics: boolean, families: Open[]): void {
  const [, keyword, name, rest] = /^# (HELP|TYPE|UNIT) (\S+) (.*)$/.exec(line) ?? fail('no comment of the format');
  if (!NAME.test(name)) fail('bad family name');
  let family = families.at(-1);
  if (family?.name !== name || family.samples.length > 0) {
    if (families.some((known) => known.name === name)) fail('the family stands twice');
    family = { name, samples: [] };
    families.push(family);
  }
  if (keyword === 'HELP') {
    if (family.help !== undefined) fail('a second HELP');
    family.help = unescaped(rest, openMetrics);
  } else if (keyword === 'TYPE') {
    if (family.type !== undefined) fail('a second TYPE');
    if (!(openMetrics ? OPEN_METRICS_TYPES : TEXT_TYPES).includes(rest)) fail('an unknown type');
    family.type = rest;
  } else {
    if (!openMetrics || family.unit !== undefined || !name.endsWith(`_${rest}`)) fail('a UNIT that does not belong here');
    family.unit = rest;
  }
}

function takeSample(line: string, openMetrics: boolean, family: Open | undefined, series: Set<string>): void {
  if (!family?.type || family.help === undefined) throw new Error('a sample before TYPE and HELP');
  const name = /^[^{ ]*/.exec(line)?.[0] ?? '';
  if (!NAME.test(name) || !name.startsWith(family.name)) fail('a sample of another family');
  const suffixes = SUFFIXES[family.type] ?? [openMetrics && family.type === 'counter' ? '_total' : ''];
  if (!suffixes.includes(name.slice(family.name.length))) fail('a suffix that the type does not have');
  const [labels, end] = line[name.length] === '{' ? takeLabels(line, name.length + 1) : [{}, name.length];
  if (line[end] !== ' ') fail('no blank before the value');
  const spelling = line.slice(end + 1);
  if (!NUMBER.test(spelling)) fail('no number');
  const value = Number(spelling.replace(/Inf/i, 'Infinity'));
  if (family.type === 'counter' && !(value >= 0)) fail('a negative counter');
  const key = name + JSON.stringify(Object.entries(labels).sort());
  if (series.has(key)) fail('the series stands twice');
  series.add(key);
  family.samples.push({ name, labels, value, spelling });
}

/** @returns the labels and the place after `}` */
function takeLabels(line: string, start: number): [Record<string, string>, number] {
  const labels: Record<string, string> = {};
  let at = start;
  while (line[at] !== '}') {
    if (at > start) {
      if (line[at] !== ',') fail('no comma between labels');
      at++;
    }
    const equals = line.indexOf('="', at);
    const name = line.slice(at, equals);
    if (equals < 0 || !LABEL.test(name)) fail('bad label name');
    if (name in labels) fail('a label twice');
    const value = /^(?:[^"\\]|\\.)*/.exec(line.slice(equals + 2))?.[0] ?? '';
    at = equals + 2 + value.length;
    if (line[at++] !== '"') fail('a label value without end');
    labels[name] = unescaped(value, true);
  }
  return [labels, at + 1];
}

function unescaped(text: string, quotes: boolean): string {
  return text.replace(/\\(.?)/gs, (_, escaped: string) => {
    if (escaped === 'n') return '\n';
    if (escaped === '\\' || (quotes && escaped === '"')) return escaped;
    return fail('an unknown escape');
  });
}

function finished({ name, type, help, unit, samples }: Open): ParsedFamily {
  if (type === undefined || help === undefined) return fail(`${name} has no TYPE or no HELP`);
  if (samples.length === 0) return fail(`${name} has no sample`);
  return { name, type, help, samples, ...(unit === undefined ? {} : { unit }) };
}

function fail(reason: string): never {
  throw new Error(reason);
}
