import { describe, expect, it } from 'vitest';
import { parseStrictly } from './strict-exposition.js';

const GOOD = '# HELP a_total Help.\n# TYPE a_total counter\na_total{x="1"} 1\na_total{x="2"} 2.5\n# HELP b B\\\\n.\n# TYPE b gauge\nb 0\n';
const GOOD_OPEN =
  '# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds Help.\na_seconds_total{x="q\\"\\\\\\n"} 1e+21\n# EOF\n';

describe('the strict parser', () => {
  it('reads good pages', () => {
    const text = parseStrictly(GOOD, 'text');
    expect([...text.keys()]).toEqual(['a_total', 'b']);
    expect(text.get('a_total')?.samples.map(({ value }) => value)).toEqual([1, 2.5]);
    const [sample] = parseStrictly(GOOD_OPEN, 'openmetrics').get('a_seconds')?.samples ?? [];
    expect(sample.labels.get('x')).toBe('q"\\\n');
    expect(parseStrictly('', 'text').size).toBe(0);
    expect(parseStrictly('# EOF\n', 'openmetrics').size).toBe(0);
  });

  it.each([
    ['no newline at the end', GOOD.slice(0, -1)],
    ['an end of the other format', `${GOOD}# EOF\n`],
    ['a blank line', GOOD.replace('# HELP b', '\n# HELP b')],
    ['no HELP', GOOD.replace('# HELP b B\\\\n.\n', '')],
    ['no TYPE', GOOD.replace('# TYPE b gauge\n', '')],
    ['TYPE before HELP', GOOD.replace(/(# HELP b .*\n)(# TYPE b .*\n)/, '$2$1')],
    ['an unknown type', GOOD.replace('b gauge', 'b gouge')],
    ['a family twice', GOOD + GOOD],
    ['a family in two pieces', `${GOOD}a_total{x="3"} 1\n`],
    ['a family without samples', GOOD.replace('b 0\n', '')],
    ['families that are not sorted', GOOD.replaceAll(' b ', ' A ').replace('\nb 0', '\nA 0')],
    ['a series twice', GOOD.replace('x="2"', 'x="1"')],
    ['a label twice', GOOD.replace('x="1"', 'x="1",x="2"')],
    ['an open quote', GOOD.replace('x="1"', 'x="1')],
    ['a bad escape', GOOD.replace('x="1"', 'x="\\t"')],
    ['a bare quote', GOOD.replace('x="1"', 'x="""')],
    ['a comma too many', GOOD.replace('x="1"', 'x="1",')],
    ['a value that is no number', GOOD.replace('} 1\n', '} one\n')],
    ['NaN', GOOD.replace('} 1\n', '} NaN\n')],
    ['a timestamp', GOOD.replace('} 1\n', '} 1 1700000000\n')],
    ['a sample of another family', GOOD.replace('\nb 0', '\nc 0')],
  ])('refuses %s', (_, page) => {
    expect(page).not.toBe(GOOD);
    expect(() => parseStrictly(page, 'text')).toThrow();
  });

  const histogram = (...lines: readonly string[]): string =>
    `# HELP h H.\n# TYPE h histogram\n${lines.map((line) => `h${line}\n`).join('')}`;
  const whole = ['_bucket{le="1"} 1', '_bucket{le="+Inf"} 3', '_sum 2', '_count 3'];
  const but = (from: string, to: string): string => histogram(...whole).replace(from, to);

  it('takes a histogram that is whole', () => {
    expect(parseStrictly(histogram(...whole), 'text').get('h')?.samples).toHaveLength(4);
  });

  it.each([
    ['half a bucket', but('+Inf"} 3', '+Inf"} 3.5')],
    ['buckets that fall', but('le="1"} 1', 'le="1"} 4')],
    ['a count that +Inf has not', but('_count 3', '_count 4')],
    ['a sum below zero', but('_sum 2', '_sum -2')],
    ['a sum beside a bound below zero', but('le="1"', 'le="-1"')],
    ['another spelling of +Inf', but('+Inf', 'Infinity')],
    ['a bound that is no number', but('le="1"', 'le=""')],
  ])('refuses a histogram with %s', (_, page) => {
    expect(() => parseStrictly(page, 'text')).toThrow();
  });

  it.each(['counter', 'histogram', 'summary'])('refuses a family named as the beginning of a %s, in OpenMetrics', (type) => {
    const [first] = { counter: ['h_total 1'], histogram: ['h_bucket{le="+Inf"} 1'], summary: ['h_sum 1'] }[type] ?? [];
    const page = (name: string): string =>
      `# TYPE h ${type}\n# HELP h H.\n${first}\n# TYPE ${name} gauge\n# HELP ${name} N.\n${name} 1\n# EOF\n`;
    expect(() => parseStrictly(page('h_created'), 'openmetrics')).toThrow(/h_created/);
    expect(parseStrictly(page('h_other'), 'openmetrics').size).toBe(2);
  });

  it.each([
    ['no end', GOOD_OPEN.replace('# EOF\n', '')],
    ['a counter without _total', GOOD_OPEN.replace('a_seconds_total', 'a_seconds')],
    ['a unit that is not in the name', GOOD_OPEN.replace('UNIT a_seconds seconds', 'UNIT a_seconds bytes')],
    ['HELP before TYPE', GOOD_OPEN.replace(/(# TYPE .*\n)(# UNIT .*\n)(# HELP .*\n)/, '$3$1$2')],
  ])('refuses %s in OpenMetrics', (_, page) => {
    expect(page).not.toBe(GOOD_OPEN);
    expect(() => parseStrictly(page, 'openmetrics')).toThrow();
  });
});
