import { describe, expect, it } from 'vitest';
import { parseExposition } from '../exposition-parser.js';

const HEAD = '# HELP a_total Of a.\n# TYPE a_total counter\n';
const OPEN_HEAD = '# TYPE a counter\n# HELP a Of a.\n';

describe('the strict parser', () => {
  it('reads both formats', () => {
    const samples = [{ name: 'a_total', labels: { x: 'q"\\\n', y: '' }, value: 1.5, spelling: '1.5' }];
    expect(parseExposition(`${HEAD}a_total{x="q\\"\\\\\\n",y=""} 1.5\n`, 'text')).toEqual([
      { name: 'a_total', type: 'counter', help: 'Of a.', samples },
    ]);
    expect(parseExposition(`${OPEN_HEAD}a_total{x="q\\"\\\\\\n",y=""} 1.5\n# EOF\n`, 'openmetrics')).toEqual([
      { name: 'a', type: 'counter', help: 'Of a.', samples },
    ]);
    expect(parseExposition('', 'text')).toEqual([]);
  });

  it.each([
    ['a last line without end', `${HEAD}a_total 1`],
    ['a sample without head', 'a_total 1\n'],
    ['a family without samples', HEAD],
    ['a family twice', `${HEAD}a_total 1\n${HEAD}a_total{x=""} 1\n`],
    ['a series twice', `${HEAD}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 1\n`],
    ['another family’s sample', `${HEAD}b_total 1\n`],
    ['a suffix of another type', `${HEAD}a_total_sum 1\n`],
    ['a bad label name', `${HEAD}a_total{1x="1"} 1\n`],
    ['a label twice', `${HEAD}a_total{x="1",x="1"} 1\n`],
    ['a bare quote', `${HEAD}a_total{x="1"2"} 1\n`],
    ['an unknown escape', `${HEAD}a_total{x="\\t"} 1\n`],
    ['a trailing comma', `${HEAD}a_total{x="1",} 1\n`],
    ['no number', `${HEAD}a_total 0x1\n`],
    ['an empty value', `${HEAD}a_total \n`],
    ['two blanks', `${HEAD}a_total  1\n`],
    ['a negative counter', `${HEAD}a_total -1\n`],
    ['an empty line', `${HEAD}\na_total 1\n`],
    ['an unknown type', '# HELP a A.\n# TYPE a unknown\na 1\n'],
    ['a lone surrogate', `${HEAD}a_total{x="\ud800"} 1\n`],
  ])('refuses %s', (_, page) => {
    expect(() => parseExposition(page, 'text')).toThrow();
  });

  it.each([
    ['no end', `${OPEN_HEAD}a_total 1\n`],
    ['something behind the end', `${OPEN_HEAD}a_total 1\n# EOF\n\n`],
    ['a counter without _total', `${OPEN_HEAD}a 1\n# EOF\n`],
    ['a unit that is not in the name', `# TYPE a counter\n# UNIT a bytes\n# HELP a A.\na_total 1\n# EOF\n`],
  ])('refuses OpenMetrics with %s', (_, page) => {
    expect(() => parseExposition(page, 'openmetrics')).toThrow();
  });
});
