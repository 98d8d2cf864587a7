/** A sample as it stands on a page. */
export interface Sample {
  readonly name: string;
  /** In the order written. */
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  /** The whole line. */
  readonly line: string;
}

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly unit?: string;
  readonly samples: readonly Sample[];
}

const TYPES: ReadonlySet<string> = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped', 'unknown']);
const HEAD = /^# (HELP|TYPE|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/s;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=[a-zA-Z_])|$)/y;
/** strconv.ParseFloat's spellings that Prometheus writes; NaN is left out: what is not known has no sample. */
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf))$/i;
const UNESCAPED: Readonly<Record<string, string>> = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };

/**
 * Reads a page the way a pedant would: heads complete, once per family and in the format's order, families sorted and in one piece, no
 * series twice, every value a number, OpenMetrics' rules for suffixes, units, names that families keep for themselves, counts and the end.
 * @throws Error naming the line
 */
export function parseStrictly(page: string, format: 'text' | 'openmetrics'): ReadonlyMap<string, ParsedFamily> {
  const lines = page.split('\n');
  const complain = (what: string): never => {
    throw new Error(what);
  };
  if (lines.pop() !== '') complain('the page does not end with a newline');
  if (format === 'openmetrics' && lines.pop() !== '# EOF') complain('the page does not end with # EOF');
  const order = format === 'text' ? ['HELP', 'TYPE'] : ['TYPE', 'UNIT', 'HELP'];
  const families = new Map<string, ParsedFamily & { samples: Sample[] }>();
  const series = new Set<string>();
  let at = 0;
  while (at < lines.length) {
    const head = readHead(lines, at, order);
    at += head.lines;
    if (families.has(head.name)) complain(`${head.name} has two heads`);
    if (!TYPES.has(head.type)) complain(`${head.name} has the type ${head.type}`);
    const family = { ...head, samples: [] as Sample[] };
    families.set(head.name, family);
    for (; at < lines.length && !lines[at].startsWith('#'); at++) {
      const sample = parseSample(lines[at]);
      checkName(sample, family, format);
      const key = `${sample.name} ${JSON.stringify([...sample.labels].sort())}`;
      if (series.has(key)) complain(`twice: ${sample.line}`);
      series.add(key);
      family.samples.push(sample);
    }
    if (family.samples.length === 0) complain(`${head.name} has no samples`);
    checkSeries(family);
  }
  if (format === 'openmetrics') checkReserved([...families.values()]);
  const names = [...families.keys()];
  if (names.join() !== [...names].sort().join()) complain('the families are not sorted');
  return families;
}

function readHead(lines: readonly string[], from: number, order: readonly string[]) {
  const words = new Map<string, string>();
  let name: string | undefined;
  let place = -1;
  let at = from;
  for (; at < lines.length && lines[at].startsWith('#'); at++) {
    const match = HEAD.exec(lines[at]);
    if (!match || (name !== undefined && match[2] !== name)) break;
    if (order.indexOf(match[1]) <= place) throw new Error(`out of order or not of this format: ${lines[at]}`);
    place = order.indexOf(match[1]);
    name = match[2];
    words.set(match[1], match[3]);
  }
  const [type, help, unit] = [words.get('TYPE'), words.get('HELP'), words.get('UNIT')];
  if (name === undefined || type === undefined || help === undefined) throw new Error(`no complete head: ${lines[from]}`);
  return { name, type, help, lines: at - from, ...(unit === undefined ? {} : { unit }) };
}

function parseSample(line: string): Sample {
  const match = SAMPLE.exec(line);
  if (!match || !VALUE.test(match[3])) throw new Error(`no sample: ${line}`);
  const [, name, text = '', value] = match;
  const labels = new Map<string, string>();
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const label = LABEL.exec(text);
    if (!label) throw new Error(`bad labels: ${line}`);
    if (labels.has(label[1])) throw new Error(`a label stands twice: ${line}`);
    labels.set(
      label[1],
      label[2].replace(/\\["\\n]/g, (escaped) => UNESCAPED[escaped]),
    );
  }
  return { name, labels, value: Number(value.replace(/inf$/i, 'Infinity')), line };
}

/** Of a family whose series have several samples; the first is one of many. */
const PARTS: Readonly<Record<string, readonly string[]>> = { histogram: ['_bucket', '_sum', '_count'], summary: ['', '_sum', '_count'] };
const BOUNDS: Readonly<Record<string, string>> = { histogram: 'le', summary: 'quantile' };

/** What a family keeps for itself beside its own name, whether it has such samples or not. */
const RESERVED: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total', '_created'],
  histogram: ['_bucket', '_sum', '_count', '_created'],
  summary: ['_sum', '_count', '_created'],
};

function checkReserved(families: readonly ParsedFamily[]): void {
  const owners = new Map<string, string>();
  for (const { name, type } of families) {
    for (const reserved of ['', ...(RESERVED[type] ?? [])].map((suffix) => name + suffix)) {
      const owner = owners.get(reserved);
      if (owner !== undefined) throw new Error(`${reserved} is of the families ${owner} and ${name}`);
      owners.set(reserved, name);
    }
  }
}

/** As OpenMetrics spells a bound. */
const BOUND = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]Inf)$/i;

function boundOf(spelled: string | undefined, line: string): number {
  if (spelled === undefined) return Number.NaN;
  if (!BOUND.test(spelled) || (/inf/i.test(spelled) && !/^[+-]Inf$/.test(spelled))) throw new Error(`no bound: ${line}`);
  return Number(spelled.replace('Inf', 'Infinity'));
}

/** Whole counts that do not fall, and a sum that is none of what lies below zero. @param last of the sample before, of the same series */
function checkNumbers({ value, line, name }: Sample, { name: family, type }: ParsedFamily, last: OpenSeries | undefined): void {
  const complain = (what: string): never => {
    throw new Error(`${what}: ${line}`);
  };
  // By what the family's own name leaves: that of a summary may itself end in _count.
  const part = name === family ? 'quantile' : name.slice(family.length + 1);
  if (!(value >= 0)) complain('below zero, or no number');
  if (part === 'sum' && last && last.lowest < 0) complain('a sum beside a bound below zero');
  if (part !== 'bucket' && part !== 'count') return;
  if (!Number.isInteger(value)) complain('no whole number');
  if (part === 'bucket' && last && value < last.height) complain('a bucket that falls');
  if (part === 'count' && type === 'histogram' && last && value !== last.height) complain('a count that +Inf has not');
}

interface OpenSeries {
  readonly key: string;
  part: number;
  bound: number;
  readonly lowest: number;
  /** Value of the last bucket. */
  height: number;
}

/** The samples of one histogram or summary stand together: bounds rise, a histogram's end in +Inf, then come sum and count. */
function checkSeries(family: ParsedFamily): void {
  const { name, type, samples } = family;
  const parts = PARTS[type];
  if (!parts) return;
  const closed = new Set<string>();
  let open: OpenSeries | undefined;
  const close = (): void => {
    if (!open) return;
    closed.add(open.key);
    if (type === 'histogram' && open.bound !== Number.POSITIVE_INFINITY)
      throw new Error(`${name} has a histogram without +Inf: ${open.key}`);
  };
  for (const sample of samples) {
    const part = parts.indexOf(sample.name.slice(name.length));
    const bound = boundOf(sample.labels.get(BOUNDS[type]), sample.line);
    const key = JSON.stringify([...sample.labels].filter(([label]) => label !== BOUNDS[type]).sort());
    if (Number.isNaN(bound) !== part > 0) throw new Error(`${BOUNDS[type]} is missing, or too much: ${sample.line}`);
    if (open?.key !== key) {
      close();
      if (closed.has(key)) throw new Error(`apart from the others of its series: ${sample.line}`);
      checkNumbers(sample, family, undefined);
      open = { key, part, bound: part === 0 ? bound : Number.NaN, lowest: bound, height: sample.value };
      continue;
    }
    if (part < open.part || (part === open.part && !(bound > open.bound))) throw new Error(`out of order: ${sample.line}`);
    checkNumbers(sample, family, open);
    open.part = part;
    if (part === 0) Object.assign(open, { bound, height: sample.value });
  }
  close();
}

function checkName({ name, line }: Sample, family: ParsedFamily, format: 'text' | 'openmetrics'): void {
  const complain = (): never => {
    throw new Error(`not of the family ${family.name}, a ${family.type}: ${line}`);
  };
  if (family.type === 'counter' && format === 'openmetrics') {
    if (name !== `${family.name}_total`) complain();
  } else if (PARTS[family.type]) {
    if (!PARTS[family.type].some((part) => name === family.name + part)) complain();
  } else if (name !== family.name) complain();
  if (family.unit !== undefined && !family.name.endsWith(`_${family.unit}`)) complain();
}
