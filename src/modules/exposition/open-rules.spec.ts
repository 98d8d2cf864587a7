import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictly } from '../../../test/e2e/strict-exposition.js';
import { parseExposition } from '../../../test/exposition-parser.js';
import { FORMATS, linesOf, openPageOf, pageOf } from '../../../test/shim-reading.js';
import { readUpstreamText, type UpstreamReading } from '../../../test/upstream-reading.js';
import { OPEN_METRICS, TEXT } from '../metrics/format.js';
import { ExpositionParser } from './exposition-parser.js';
import { mergeTexts } from './merged-texts.js';
import { OpenRules } from './open-rules.js';

const merged = (text: string, options?: UpstreamReading) => mergeTexts([readUpstreamText(text, options)]).families;
const lines = (text: string, options?: UpstreamReading): string[] => linesOf(merged(text, options));
const dropped = (text: string, options?: UpstreamReading) =>
  Object.fromEntries(Object.entries(readUpstreamText(text, options).dropped).filter(([, count]) => count > 0));
const sampleLines = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('names and types', () => {
  it('are those of the data model, whoever has them', () => {
    const text = ['go_x', 'node:rule:sum', '_a', ':b', 'kata_shim_threads', 'vmgauge_up', 'X9'].map((name) => `${name} 1\n`).join('');
    expect(lines(text)).toHaveLength(7);
    expect(dropped(text)).toEqual({});
  });

  it('of counters without _total are what they were', () => {
    const { families } = readUpstreamText('# HELP a_count Of a.\n# TYPE a_count counter\na_count{operation="add"} 7\n');
    expect(families.map(({ name, type, help }) => [name, type, help])).toEqual([['a_count', 'counter', 'Of a.']]);
  });

  it('may stand beside what OpenMetrics would call the same', () => {
    const text = [
      '# TYPE go_memstats_alloc_bytes gauge\ngo_memstats_alloc_bytes 1\n',
      '# TYPE go_memstats_alloc_bytes_total counter\ngo_memstats_alloc_bytes_total 2\n',
      '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
      '# TYPE h_created gauge\nh_created 5\n',
    ];
    for (const each of [text.join(''), [...text].reverse().join('')]) {
      expect(readUpstreamText(each).families.map(({ name, type }) => [name, type])).toEqual([
        ['go_memstats_alloc_bytes', 'gauge'],
        ['go_memstats_alloc_bytes_total', 'counter'],
        ['h', 'histogram'],
        ['h_created', 'gauge'],
      ]);
      expect(dropped(each)).toEqual({});
    }
  });

  it('are bounded, and left out as the configuration has it', () => {
    const many = Array.from({ length: 30 }, (_, i) => `f${i} 1\n`).join('');
    expect(dropped(many, { maxSeries: 20 })).toEqual({ limit: 10 });
    const isWanted = (name: string): boolean => !name.startsWith('go_');
    expect(dropped('go_x 1\n# TYPE go_h histogram\ngo_h_count 1\nnode_x 1\n', { isWanted })).toEqual({ excluded: 2 });
  });

  it('without help have the one of the rules', () => expect(readUpstreamText('a 1\n').families[0].help).toBe('As it says.'));
});

describe('labels', () => {
  it('stay, and ours stand behind them', () => {
    expect(lines('a{x="1",sandbox_id="s",instance_id="i"} 1\nb 2\nc{} 3\n', { labels: { zone: 'eu', rack: 'q"' } })).toEqual([
      'a{x="1",sandbox_id="s",instance_id="i",zone="eu",rack="q\\"",upstream="up"} 1',
      'b{zone="eu",rack="q\\"",upstream="up"} 2',
      'c{zone="eu",rack="q\\"",upstream="up"} 3',
    ]);
  });

  it('of ours give way to the sample’s own', () => {
    const long = 'l'.repeat(40);
    const labels = { zone: 'eu', [long]: 'x' };
    expect(lines('a{zone="us"} 1\na{zone="",b="2"} 2\n', { labels })).toEqual([
      `a{zone="us",${long}="x",upstream="up"} 1`,
      `a{zone="",b="2",${long}="x",upstream="up"} 2`,
    ]);
    expect(lines(`a{zone="us",${long}="y"} 1\na 1\n`, { labels })).toEqual([
      `a{zone="us",${long}="y",upstream="up"} 1`,
      `a{zone="eu",${long}="x",upstream="up"} 1`,
    ]);
  });

  it('that the sample spells as ours are make the same series', () => {
    const labels = { zone: 'eu', none: '' };
    expect(dropped('a{zone="eu"} 1\na 2\na{none=""} 3\n', { labels })).toEqual({ duplicate: 2 });
    expect(dropped('a{zone="us"} 1\na 2\na{none="x"} 3\n', { labels })).toEqual({});
    const histogram = '# TYPE h histogram\nh_bucket{le="1",zone="eu"} 1\nh_bucket{le="+Inf"} 2\nh_sum{zone="eu"} 3\nh_count 2\n';
    expect(lines(histogram, { labels: { zone: 'eu' } })).toEqual([
      'h_bucket{le="1",zone="eu",upstream="up"} 1',
      'h_bucket{le="+Inf",zone="eu",upstream="up"} 2',
      'h_sum{zone="eu",upstream="up"} 3',
      'h_count{zone="eu",upstream="up"} 2',
    ]);
  });

  it('called upstream are another’s, and called exported_upstream here, as often as it takes', () => {
    expect(lines('a{upstream="far",x="1"} 1\na{x="1",upstream="q\\"\\\\\\nü"} 2\na{upstream="far"} 3\na{upstream=""} 4\n')).toEqual([
      'a{x="1",exported_upstream="far",upstream="up"} 1',
      'a{x="1",exported_upstream="q\\"\\\\\\nü",upstream="up"} 2',
      'a{exported_upstream="far",upstream="up"} 3',
      'a{exported_upstream="",upstream="up"} 4',
    ]);
    expect(lines('a{upstream="b",exported_upstream="c"} 1\na{exported_upstream="c",upstream="b"} 2\n')).toEqual([
      'a{exported_upstream="c",exported_exported_upstream="b",upstream="up"} 1',
    ]);
    expect(dropped('a{upstream="b",exported_upstream="c"} 1\na{exported_upstream="c",upstream="b"} 2\n')).toEqual({ duplicate: 1 });
    expect(dropped('a{upstream="b"} 1\na{exported_upstream="b"} 2\n')).toEqual({ duplicate: 1 });
    expect(dropped('a{upstream="b",upstream="c"} 1\n')).toEqual({ label: 1 });
  });

  it('beyond the limit are as many as ever when one is renamed', () => {
    const many = (count: number): string => Array.from({ length: count }, (_, i) => `l${i}="1"`).join();
    expect(lines(`a{upstream="b",${many(31)}} 1\na{${many(31)},upstream="c"} 1\n`)).toHaveLength(2);
    expect(dropped(`a{upstream="b",${many(32)}} 1\n`)).toEqual({ limit: 1 });
    const names = Array.from({ length: 21 }, (_, i) => `${'exported_'.repeat(i + 1)}upstream="1"`).join();
    expect(dropped(`a{upstream="b",${names}} 1\n`)).toEqual({ limit: 1 });
  });

  it('of Prometheus itself cost the sample', () => expect(dropped('a{__name__="b"} 1\na{__x="1"} 1\n')).toEqual({ label: 2 }));

  it('that are ours are few', () => {
    const labels = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`l${i}`, '1']));
    expect(() => readUpstreamText('a 1\n', { labels })).toThrow(RangeError);
  });
});

describe('numbers', () => {
  it('of gauges may be any, and timestamps are left out', () => {
    expect(
      lines('# TYPE a gauge\na{x="1"} NaN\na{x="2"} -Inf 1700000000000\na{x="3"} -5e-324\n').map((line) => line.split(' ')[1]),
    ).toEqual(['NaN', '-Inf', '-5e-324']);
  });
});

const bucket = (le: string, count: number, more = ''): string => `h_bucket{${more}le="${le}"} ${count}\n`;
const HEAD = '# TYPE h histogram\n';
const ORDERED = [bucket('1', 1), bucket('5', 2), bucket('+Inf', 3), 'h_sum 9\n', 'h_count 3\n'];
const bare = (line: string): string => line.replace(/,?upstream="up"/, '').replace('{}', '');

describe('histograms and summaries', () => {
  it.each([
    ['as Python writes them', [0, 1, 2, 4, 3]],
    ['as C++ writes them', [4, 3, 0, 1, 2]],
    ['with unsorted buckets', [2, 3, 0, 4, 1]],
    ['backwards', [4, 3, 2, 1, 0]],
  ])('%s are brought into the order of both formats', (_, places) => {
    const text = HEAD + places.map((place) => ORDERED[place]).join('');
    expect(lines(text).map(bare)).toEqual(ORDERED.map((line) => line.trim()));
    expect(readUpstreamText(text).families[0]).not.toHaveProperty('open');
    for (const [name, format] of FORMATS) parseStrictly(openPageOf(merged(text), format), name);
  });

  it('of several series are put together, however they are mixed, and whatever stands between them', () => {
    const a = ORDERED.map((line) => line.replace('{', '{a="1",').replace(/^(h_\w+) /, '$1{a="1"} '));
    const mixed = HEAD + ORDERED.flatMap((line, index) => [line, a[4 - index], `g{x="${index}"} 1\n`]).join('');
    expect(lines(mixed).map(bare).slice(5)).toEqual([...ORDERED, ...a].map((line) => line.trim()));
  });

  it('of summaries too', () => {
    const text = '# TYPE s summary\ns_count 3\ns{quantile="0.9"} 2\ns_sum -4\ns{quantile="0.5"} NaN\n';
    expect(lines(text).map(bare)).toEqual(['s{quantile="0.5"} NaN', 's{quantile="0.9"} 2', 's_sum -4', 's_count 3']);
  });

  it('have so many samples that sorting them is nothing', () => {
    const series = (name: string) =>
      `h_bucket{s="${name}",le="+Inf"} 1\n${Array.from({ length: 1500 }, (_, i) => `h_bucket{s="${name}",le="${-i}"} 0\n`).join('')}`;
    const text = `# TYPE h histogram\n${series('a')}${series('b')}`;
    expect(lines(text, { maxSeries: 5000 })).toHaveLength(2 * 1024);
    expect(dropped(text, { maxSeries: 5000 })).toEqual({ limit: 2 * 477 });
  });

  it('are the same whether they are sorted in steps or at once', () => {
    const text = Array.from(
      { length: 40 },
      (_, i) => `# TYPE h${i} histogram\nh${i}_count{} 2\nh${i}_sum{} ${i - 5}\nh${i}_bucket{le="+Inf"} 2\nh${i}_bucket{le="+Inf"} 3\n`,
    ).join('');
    const body = Buffer.from(text);
    const rules = new OpenRules({ refused: new Set(), yielding: new Map() }, 'Theirs.', 1000);
    const read = (...steps: readonly number[]) => {
      const parser = new ExpositionParser();
      parser.start(body, { owner: 'a', labels: 'a="b"', rules });
      for (const step of steps) parser.step(step);
      return parser.finish();
    };
    const [atOnce, inSteps] = [read(1e9), read(...Array.from({ length: 400 }, () => 1))];
    expect(linesOf(mergeTexts([inSteps]).families)).toEqual(linesOf(mergeTexts([atOnce]).families));
    expect([atOnce.series, atOnce.dropped.duplicate]).toEqual([120, 40]);
    expect([inSteps.series, inSteps.dropped, inSteps.families.map(({ open }) => open)]).toEqual([
      atOnce.series,
      atOnce.dropped,
      atOnce.families.map(({ open }) => open),
    ]);
  });

  it('have each sample once, the first of them', () => {
    const text = HEAD + [...ORDERED, bucket('1.0', 7), 'h_count 8\n', 'h_sum 8\n'].join('');
    expect(lines(text).map(bare)).toEqual(ORDERED.map((line) => line.trim()));
    expect(readUpstreamText(text)).toMatchObject({ series: 5, dropped: { duplicate: 3 } });
  });

  it.each([
    ['a sum below zero', [bucket('+Inf', 1), 'h_sum -1\n', 'h_count 1\n']],
    ['a sum that is no number', [bucket('+Inf', 1), 'h_sum NaN\n', 'h_count 1\n']],
    ['a bound below zero', [bucket('-1', 1), bucket('+Inf', 1), 'h_sum 1\n', 'h_count 1\n']],
    ['buckets that fall', [bucket('1', 3), bucket('+Inf', 1), 'h_sum 1\n', 'h_count 1\n']],
    ['another count than +Inf', [bucket('+Inf', 1), 'h_sum 1\n', 'h_count 2\n']],
    ['half a count', [bucket('+Inf', 1.5), 'h_sum 1\n', 'h_count 1.5\n']],
    ['no +Inf', [bucket('1', 1), 'h_sum 1\n', 'h_count 1\n']],
    ['no bucket', ['h_sum 1\n', 'h_count 1\n']],
    ['no count', [bucket('+Inf', 1), 'h_sum 1\n']],
    ['no sum', [bucket('+Inf', 1), 'h_count 1\n']],
  ])('with %s stand on pages of the text format only, behind the others', (_, odd) => {
    const good = ORDERED.map((line) => line.replace('{', '{a="1",').replace(/^(h_\w+) /, '$1{a="1"} '));
    const text = HEAD + [...odd, ...good].join('');
    const { families, series } = readUpstreamText(text);
    expect(series).toBe(odd.length + good.length);
    expect(lines(text).map(bare)).toEqual([...good, ...odd].map((line) => line.trim()));
    expect(families[0].open?.series).toBe(good.length);
    const page = openPageOf(merged(text), OPEN_METRICS);
    parseStrictly(page, 'openmetrics');
    expect(sampleLines(page).map(bare)).toEqual(good.map((line) => line.trim()));
    parseExposition(pageOf(merged(text), TEXT), 'text');
  });

  it('of nothing but such have no series for OpenMetrics', () => {
    expect(readUpstreamText(`${HEAD}h_sum -1\nh_count 1\n`).families[0].open).toEqual({ series: 0, bytes: 0 });
  });

  it.each([
    ['a bucket without bound', 'h_bucket 1\n'],
    ['a bound that is none', bucket('x', 1)],
    ['a count below zero', 'h_count -1\n'],
    ['a bucket that is no number', bucket('1', Number.NaN)],
    ['a bound beside a sum', 'h_sum{le="1"} 1\n'],
    ['a sample of the bare name', 'h 1\n'],
  ])('lose %s, and nothing else', (_, bad) => {
    expect(lines(HEAD + bad + ORDERED.join('')).map(bare)).toEqual(ORDERED.map((line) => line.trim()));
    expect(dropped(HEAD + bad + ORDERED.join(''))).toEqual({ misfit: 1 });
  });

  it('leave nothing behind for the next text', () => {
    readUpstreamText(HEAD + ORDERED.slice(0, 2).join(''));
    expect(lines(HEAD + ORDERED.slice(2).join('')).map(bare)).toEqual(ORDERED.slice(2).map((line) => line.trim()));
  });
});

describe('several texts', () => {
  const merge = (...texts: readonly string[]) => mergeTexts(texts.map((text, index) => readUpstreamText(text, { name: `u${index}` })));
  const shapes = (...texts: readonly string[]) =>
    merge(...texts).families.map(({ name, type, help, bodies }) => [name, type, help, bodies.map(({ owner }) => owner).join()]);
  const typed = (name: string, type: string, help = type): string => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} 1\n`;

  it('have the words of the first', () => {
    expect(shapes(typed('b', 'gauge', 'One.'), typed('b', 'gauge', 'Two.') + typed('a', 'counter'))).toEqual([
      ['a', 'counter', 'counter', 'u1'],
      ['b', 'gauge', 'One.', 'u0,u1'],
    ]);
  });

  it('lose a family that an earlier one contradicts, counted', () => {
    const histogram = `${HEAD}${ORDERED.join('')}`;
    expect(shapes(typed('a', 'gauge'), typed('a', 'counter'), typed('a', 'gauge'))).toEqual([['a', 'gauge', 'gauge', 'u0,u2']]);
    expect(merge(typed('a', 'gauge'), typed('a', 'counter')).conflicts).toEqual(new Map([['u1', 1]]));
    expect(shapes(typed('h_count', 'gauge'), histogram).map(([name]) => name)).toEqual(['h_count']);
    expect(merge(typed('h_count', 'gauge'), histogram).conflicts).toEqual(new Map([['u1', 5]]));
    expect(shapes(histogram, typed('h_count', 'gauge') + typed('h', 'gauge')).map(([name]) => name)).toEqual(['h']);
    expect(merge(typed('a', 'gauge'), typed('a_total', 'counter')).conflicts).toEqual(new Map());
  });
});

describe('any text', () => {
  const sample = fc
    .tuple(
      fc.constantFrom('h', 'h_total', 'g', 'h_created'),
      fc.constantFrom('', '_bucket', '_bucket', '_sum', '_count'),
      fc.constantFrom('', 'a="1"', 'upstream="x"', 'zone="eu"', 'zone="us",upstream="x",exported_upstream="y"'),
      fc.constantFrom('', 'le="1"', 'le="+Inf"', 'le="inf"', 'quantile="0.5"', 'le="-2"'),
      fc.constantFrom('0', '1', '2', '1.5', '-1', 'NaN', '+Inf', '1 17', '0x1'),
    )
    .map(([name, suffix, ...rest]) => `${name}${suffix}{${rest.slice(0, 2).filter(Boolean).join()}} ${rest[2]}`);
  const type = fc.constantFrom('histogram', 'summary', 'counter', 'gauge').map((word) => `# TYPE h ${word}`);

  it('comes to legal pages of both formats, and every line is passed on or counted', () => {
    fc.assert(
      fc.property(type, fc.array(sample, { maxLength: 30 }), (head, samples) => {
        const text = readUpstreamText([head, ...samples, ''].join('\n'), { labels: { zone: 'eu' } });
        const { families } = mergeTexts([text]);
        const drops = Object.values(text.dropped).reduce((sum, count) => sum + count, 0);
        expect(text.series + drops).toBe(samples.length);
        expect(linesOf(families)).toHaveLength(text.series);
        parseExposition(pageOf(families, TEXT), 'text');
        for (const family of families) {
          const page = openPageOf([family], OPEN_METRICS);
          parseStrictly(page.replace(/ NaN$/gm, ' 0'), 'openmetrics');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
