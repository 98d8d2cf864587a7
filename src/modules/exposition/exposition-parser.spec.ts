import { describe, expect, it } from 'vitest';
import { linesOf, type ReadingOptions, readShimText } from '../../../test/shim-reading.js';
import { AGENT_ACTIONS, dragonballText, goShimText, SHIM_ACTIONS } from '../../../test/shim-texts.js';
import { LIMITS } from '../shim/family-rules.js';
import { mergeFamilies } from '../shim/merged-families.js';
import { nothingDropped } from './drop-reasons.js';

const merged = (text: string | Buffer, options?: ReadingOptions): string[] =>
  linesOf(mergeFamilies([readShimText(text, options)]).families);
const dropped = (text: string | Buffer, options?: ReadingOptions) =>
  Object.fromEntries(Object.entries(readShimText(text, options).dropped).filter(([, count]) => count > 0));
/** A gauge of the guest's with these sample lines. */
const gauge = (...lines: readonly string[]): string => `# TYPE kata_agent_x gauge\n${lines.join('\n')}\n`;

describe('a Go shim’s text', () => {
  const text = goShimText();
  const lines = merged(text);

  it('is passed on whole', () => {
    const read = readShimText(text);
    expect(read.dropped).toEqual(nothingDropped());
    const sent = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(sent.length).toBeGreaterThan(1050);
    expect(lines).toHaveLength(sent.length);
    const expected = sent.map((line) => {
      const [words, value] = [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' '))];
      const labelled = words.endsWith('}') ? words.replace(/\}$/, ',sandbox_id="s-1"}') : `${words}{sandbox_id="s-1"}`;
      return labelled.replace(/^(go_|process_)/, 'kata_shim_$1') + value;
    });
    expect([...lines].sort()).toEqual(expected.sort());
  });

  it('keeps every action of both RPC histograms', () => {
    for (const [family, actions] of [
      ['kata_shim_rpc_durations_histogram_milliseconds', SHIM_ACTIONS],
      ['kata_shim_agent_rpc_durations_histogram_milliseconds', AGENT_ACTIONS],
    ] as const) {
      const count = (action: string, part: string) => lines.filter((line) => line.startsWith(`${family}${part}{action="${action}"`)).length;
      for (const action of actions) expect([count(action, '_bucket'), count(action, '_sum'), count(action, '_count')]).toEqual([11, 1, 1]);
    }
  });

  it('is the same whatever the length of a step', () => {
    for (const step of [1, 7, 100_000]) expect(merged(text, { step })).toEqual(lines);
  });

  it('is the same as the shim’s own once our labels are away', () => {
    const sent = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(linesOf(readShimText(text).own()).sort()).toEqual(sent.sort());
    const names = readShimText(text)
      .own()
      .map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    expect(names).toContain('go_goroutines');
    expect(names).toContain('process_open_fds');
  });

  it('gets other labels without being asked for again', () => {
    const long = 'sandbox_id="s-1",cri_uid="u",cri_name="a \\"pod\\" {x} y",cri_namespace="ns"';
    const [named, anew] = [readShimText(text), readShimText(text, { labels: long })];
    expect(named.relabel(long)).toBe(true);
    expect(linesOf(mergeFamilies([named]).families)).toEqual(linesOf(mergeFamilies([anew]).families));
    expect(named.bytes).toBe(anew.bytes);
    expect(linesOf(named.own())).toEqual(linesOf(readShimText(text).own()));
    expect(named.relabel(long)).toBe(false);
    expect(named.relabel('sandbox_id="s-1"')).toBe(true);
    expect(linesOf(mergeFamilies([named]).families)).toEqual(lines);
  });

  it('takes no more memory than its lines', () => {
    const { families, bytes } = readShimText(text);
    expect(new Set(families.map(({ lines }) => lines.buffer)).size).toBe(1);
    expect(families[0].lines.buffer.byteLength).toBe(bytes);
  });
});

describe('a runtime-rs shim’s text', () => {
  it('gives agent, guest and Dragonball’s own; what it says of itself the host tells', () => {
    const { families, dropped } = readShimText(dragonballText(1, 2), { runtime: 'rust' });
    const words = new Set(families.map(({ name }) => /^kata_[a-z]+/.exec(name)?.[0]));
    expect([...words]).toEqual(['kata_agent', 'kata_guest', 'kata_hypervisor']);
    expect(families.filter(({ name }) => name.startsWith('kata_hypervisor')).map(({ name, series }) => [name, series])).toEqual([
      ['kata_hypervisor_scrape_count', 1],
      ['kata_hypervisor_seccomp', 1],
      ['kata_hypervisor_signals', 2],
      ['kata_hypervisor_vcpu', 12],
    ]);
    expect(dropped).toEqual({ ...nothingDropped(), foreign: 31 });
  });
});

describe('families', () => {
  it('of ours, of others and those left out by the configuration are not passed on', () => {
    const text = [
      ...[
        'kata_shim_threads',
        'process_open_fds',
        'go_threads',
        'kata_guest_vm_stat',
        'kata_guest_load',
        'node_load1',
        'kata_monitor_x',
        'go',
      ],
    ].map((name) => `# TYPE ${name} gauge\n${name} 1\n`);
    const options = { ours: ['kata_shim_threads', 'kata_shim_process_open_fds'], excluded: ['go_', 'kata_guest_vm'] };
    expect(merged(text.join(''), options)).toEqual(['kata_guest_load{sandbox_id="s-1"} 1']);
    expect(dropped(text.join(''), options)).toEqual({ ours: 2, excluded: 2, foreign: 3 });
    expect(dropped('go_x 1\n', { excluded: ['kata_shim_go_'] })).toEqual({ excluded: 1 });
  });

  it('of ours have no namesake in any other type', () => {
    const text = '# TYPE kata_shim_io histogram\nkata_shim_io_count 1\nkata_shim_io_bucket{le="+Inf"} 1\n';
    expect(dropped(text, { ours: ['kata_shim_io_count'] })).toEqual({ ours: 2 });
  });

  it('have the type and help of the vocabulary, or are left out', () => {
    const [load] = readShimText(
      '# HELP kata_guest_load Buy now.\n# TYPE kata_guest_load gauge\nkata_guest_load{item="load1"} 1\n',
    ).families;
    expect([load.type, load.help]).toEqual(['gauge', 'Guest system load.']);
    expect(dropped('# TYPE kata_guest_load counter\nkata_guest_load 1\n')).toEqual({ conflict: 1 });
    expect(dropped('kata_guest_load 1\n')).toEqual({ conflict: 1 });
    const histogram =
      '# TYPE kata_guest_load histogram\nkata_guest_load_bucket{le="+Inf"} 1\nkata_guest_load_sum 1\nkata_guest_load_count 1\n';
    expect(dropped(histogram)).toEqual({ conflict: 3 });
  });

  it('that nobody knows keep their own words, as far as they are words', () => {
    const families = (text: string) => readShimText(text).families.map(({ name, type, help }) => [name, type, help]);
    expect(families('# HELP kata_agent_x A \\\\ and\\nB\u0007 "q" ü\n# TYPE kata_agent_x gauge\nkata_agent_x 1\n')).toEqual([
      ['kata_agent_x', 'gauge', 'A \\ and\nB? "q" ü'],
    ]);
    expect(families('# TYPE kata_agent_x untyped\n# HELP kata_agent_x Late.\nkata_agent_x 1\n')).toEqual([
      ['kata_agent_x', 'unknown', 'Late.'],
    ]);
    expect(families('# HELP kata_agent_y Other.\nkata_agent_x 1\n')[0][2]).toMatch(/^As the shim/);
    expect(families('# TYPE kata_agent_x gaugehistogram\nkata_agent_x 1\n')[0][1]).toBe('unknown');
    expect(families(`# HELP kata_agent_x ${'long '.repeat(400)}\nkata_agent_x 1\n`)[0][2]).toMatch(/^As the shim/);
  });

  it('keep the first type that they were given', () => {
    const text = '# TYPE kata_agent_x counter\nkata_agent_x{i="1"} 1\n# TYPE kata_agent_x gauge\nkata_agent_x{i="2"} 2\n';
    const { families } = readShimText(text);
    expect(families.map(({ type, series }) => [type, series])).toEqual([['counter', 2]]);
  });

  it('are put together from pieces', () => {
    const text = 'kata_agent_x{i="1"} 1\nkata_agent_y 5\nkata_agent_x{i="2"} 2\nkata_agent_y{i="3"} 6\nkata_agent_x{i="4"} 3\n';
    expect(merged(text).map((line) => line.replace('sandbox_id="s-1"', ''))).toEqual([
      'kata_agent_x{i="1",} 1',
      'kata_agent_x{i="2",} 2',
      'kata_agent_x{i="4",} 3',
      'kata_agent_y{} 5',
      'kata_agent_y{i="3",} 6',
    ]);
  });

  it('of which one would have the samples of the other do not stand side by side', () => {
    const pairs = [
      [
        '# TYPE kata_agent_h summary\nkata_agent_h_sum 1\nkata_agent_h_count 1\n',
        '# TYPE kata_agent_h_count gauge\nkata_agent_h_count 3\n',
      ],
      ['# TYPE kata_agent_c_total counter\nkata_agent_c_total 1\n', '# TYPE kata_agent_c gauge\nkata_agent_c 1\n'],
      ['go_x 1\n', 'kata_shim_go_x 2\n'],
    ];
    for (const [a, b] of pairs) {
      for (const text of [a + b, b + a]) {
        const first = text.startsWith(a) ? a : b;
        const lost = Object.entries(dropped(text));
        expect(merged(text)).toEqual(merged(first));
        expect(lost).not.toEqual([]);
      }
    }
    expect(dropped('# TYPE kata_guest_load_total counter\nkata_guest_load_total 1\n')).toEqual({ conflict: 1 });
  });

  it('keep Go’s allocation counter beside the gauge of the same name, in both formats', () => {
    const names = readShimText(goShimText())
      .families.filter(({ name }) => name.includes('alloc_bytes'))
      .map(({ name, type }) => [name, type]);
    expect(names).toEqual([
      ['kata_shim_go_memstats_alloc_bytes', 'gauge'],
      ['kata_shim_go_memstats_alloc_bytes_total', 'unknown'],
      ['kata_shim_go_memstats_heap_alloc_bytes', 'gauge'],
    ]);
  });

  it('are bounded in number, and so are series', () => {
    const many = Array.from({ length: LIMITS.families + 50 }, (_, i) => `kata_agent_f${i} 1\n`).join('');
    const over = LIMITS.families + 50 - LIMITS.unknownFamilies;
    expect(readShimText(many)).toMatchObject({ series: LIMITS.unknownFamilies, dropped: { ...nothingDropped(), limit: over } });
    const series = gauge(...Array.from({ length: LIMITS.series + 7 }, (_, i) => `kata_agent_x{i="${i}"} 1`));
    expect(readShimText(series)).toMatchObject({ series: LIMITS.series, dropped: { ...nothingDropped(), limit: 7 } });
    const refusedMany = Array.from({ length: LIMITS.families + 50 }, (_, i) => `# TYPE kata_guest_load_${i} gauge\n`).join('');
    expect(readShimText(`${refusedMany}kata_agent_x 1\n`)).toMatchObject({ series: 0, dropped: { limit: 1 } });
  });

  it('that nobody knows are few in a sandbox; those of the vocabulary have their place beside them', () => {
    const strange = (type: string): string =>
      Array.from(
        { length: 100 },
        (_, i) => `# TYPE kata_agent_f${i} ${type}\nkata_agent_f${i}${type === 'summary' ? '_count' : ''} 1\n`,
      ).join('');
    for (const type of ['gauge', 'summary']) {
      const { families, dropped } = readShimText(strange(type) + goShimText());
      expect(families.filter(({ name }) => name.startsWith('kata_agent_f'))).toHaveLength(64);
      expect(families).toHaveLength(64 + readShimText(goShimText()).families.length);
      expect(dropped).toEqual({ ...nothingDropped(), limit: 36 });
    }
  });

  it('do not have the name under which another says when its count began', () => {
    const gauge = (name: string): string => `# TYPE ${name} gauge\n${name} 1\n`;
    const counter = '# TYPE kata_agent_c_total counter\nkata_agent_c_total 1\n';
    const summary = '# TYPE kata_agent_s summary\nkata_agent_s_sum 1\nkata_agent_s_count 1\n';
    const text = counter + gauge('kata_agent_c_created') + summary + gauge('kata_agent_s_created');
    expect(merged(text)).toHaveLength(3);
    expect(dropped(text)).toEqual({ conflict: 2 });
    expect(dropped(gauge('kata_shim_rpc_durations_histogram_milliseconds_created'))).toEqual({ conflict: 1 });
  });

  it('have the help that they were given whatever blanks stand before it, and none of a line with a carriage return', () => {
    const help = (line: string): string => readShimText(`${line}\n# TYPE kata_agent_x gauge\nkata_agent_x 1\n`).families[0].help;
    expect(help('#\t HELP\t kata_agent_x \t A  b ')).toBe('A  b ');
    expect(help('# HELP kata_agent_x A\u2028b\u0085')).toBe('A?b?');
    for (const none of [
      '# HELP kata_agent_x',
      '# HELP kata_agent_x ',
      '# HELP kata_agent_xy A',
      '#HELP kata_agent_x A',
      '# HELPkata_agent_x A',
    ])
      expect(help(none)).toMatch(/^As the shim/);
    expect(help('# HELP kata_agent_x A\r')).toMatch(/^As the shim/);
  });
});

describe('labels', () => {
  const passes = (labels: string): string | undefined =>
    merged(gauge(`kata_agent_x${labels} 1`))[0]?.replace(/,?sandbox_id="s-1"\} 1$/, '}');

  it.each([
    ['{}', '{}'],
    ['{a="1"}', '{a="1"}'],
    ['{ a = "1" , b="2", }', '{a="1",b="2"}'],
    ['{\ta="1"\t}', '{a="1"}'],
    ['{a="q\\"b\\\\n\\n"}', '{a="q\\"b\\\\n\\n"}'],
    ['{a="}{,= #"}', '{a="}{,= #"}'],
    ['{a="ünï – 漢"}', '{a="ünï – 漢"}'],
    [`{a="${'v'.repeat(1024)}"}`, `{a="${'v'.repeat(1024)}"}`],
    [`{${'n'.repeat(200)}="1"}`, `{${'n'.repeat(200)}="1"}`],
    ['{le="a",quantile="b"}', '{le="a",quantile="b"}'],
  ])('%s is passed on as %s', (sent, expected) => expect(passes(sent)).toBe(`kata_agent_x${expected}`));

  it.each([
    ['malformed', ['{a="1"', '{a=1}', '{a}', '{="1"}', '{1a="1"}', '{a:b="1"}', '{a="1"b="2"}', '{,}', '{a="1",,}', '{a="1"}}']],
    ['malformed', ['{a="\\t"}', '{a="\\x41"}', '{a="\\"}', '{a="1\\}', '{a="\u0000"}', '{a="\r"}', '{"a"="1"}', "{a='1'}"]],
    [
      'label',
      ['{sandbox_id="other"}', '{a="1",cri_uid=""}', '{cri_name="x"}', '{cri_namespace="x"}', '{instance_id="x"}', '{upstream="x"}'],
    ],
    ['label', ['{__name__="kata_shim_threads"}', '{__a="1"}', '{a="1",a="1"}', '{a="1",b="2",a="3"}', '{instance_name="x"}']],
    ['limit', [`{a="${'v'.repeat(1025)}"}`, `{${'n'.repeat(201)}="1"}`, `{${Array.from({ length: 33 }, (_, i) => `l${i}="1"`)}}`]],
  ] as const)('%s: a line with one of these costs itself', (reason, bad) => {
    for (const labels of bad) {
      const text = gauge('kata_agent_x{ok="1"} 1', `kata_agent_x${labels} 666`, 'kata_agent_x{ok="2"} 2');
      expect({ labels, lines: merged(text) }).toEqual({
        labels,
        lines: ['kata_agent_x{ok="1",sandbox_id="s-1"} 1', 'kata_agent_x{ok="2",sandbox_id="s-1"} 2'],
      });
      expect({ labels, dropped: dropped(text) }).toEqual({ labels, dropped: { [reason]: 1 } });
    }
  });

  it('of bytes that are no UTF-8 cost their line', () => {
    for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      const line = Buffer.concat([Buffer.from('kata_agent_x{a="'), Buffer.from(bad), Buffer.from('",b="ü"} 1\nkata_agent_x{a="ü"} 2\n')]);
      expect(merged(line)).toEqual(['kata_agent_x{a="ü",sandbox_id="s-1"} 2']);
      expect(dropped(line)).toEqual({ malformed: 1 });
    }
  });

  it('make a series in any order, and those without a value do not', () => {
    const text = gauge(
      'kata_agent_x{a="1",b="2"} 1',
      'kata_agent_x{b="2",a="1"} 2',
      'kata_agent_x{a="1",b="2",c=""} 3',
      'kata_agent_x{a="2",b="1"} 4',
    );
    expect(merged(text)).toHaveLength(2);
    expect(dropped(text)).toEqual({ duplicate: 2 });
    expect(dropped(gauge('kata_agent_x 1', 'kata_agent_x{} 2', 'kata_agent_x{a=""} 3'))).toEqual({ duplicate: 2 });
  });

  it('are not mixed up with their neighbours', () => {
    const text = gauge(
      'kata_agent_x{a="b",c="d"} 1',
      'kata_agent_x{a="d",c="b"} 1',
      'kata_agent_x{ab="",c="d"} 1',
      'kata_agent_x{a="bc",d=""} 1',
    );
    expect(dropped(`${text}kata_agent_y{a="b",c="d"} 1\n`)).toEqual({});
  });
});

describe('numbers', () => {
  const value = (text: string): string | undefined => merged(gauge(`kata_agent_x ${text}`))[0]?.split(' ')[1];

  it.each([
    ...['0', '-0', '1', '-17', '+5', '12.5', '1e5', '1E-7', '1.234567e+06', '18446744073709551615', '007'].map((same) => [same, same]),
    ['.5', '0.5'],
    ['5.', '5'],
    ['-.25e1', '-2.5'],
    ['1e300', '1e+300'],
    ['1e-400', '0'],
    ['nan', 'NaN'],
    ['NaN', 'NaN'],
    ['inf', '+Inf'],
    ['+Inf', '+Inf'],
    ['-Infinity', '-Inf'],
    [`${'9'.repeat(250)}`, '1e+250'],
  ])('%s is written as %s', (sent, expected) => expect(value(sent)).toBe(expected));

  it.each([
    '0x10',
    '1_000',
    '1e',
    '1e+',
    '--1',
    '.',
    '+',
    '-',
    'e5',
    '1.2.3',
    '12abc',
    'infi',
    '+NaN',
    '1e999',
    '9'.repeat(330),
    '',
    '1,5',
    '٣',
  ])('%s is none', (sent) => {
    expect(value(sent)).toBeUndefined();
    expect(dropped(gauge(`kata_agent_x ${sent}`))).toEqual({ malformed: 1 });
  });

  it('may be followed by a timestamp, which is left out, and by nothing else', () => {
    for (const sent of ['1 1700000000000', '1\t-5', '1 ', '  1  +7 ']) expect(value(sent)).toBe('1');
    for (const sent of ['1 1.5', '1 2 3', '1 x', '1 # {a="b"} 1', `0.${'0'.repeat(420)}1`]) expect(value(sent)).toBeUndefined();
  });

  it('and comments that are nearly one cost no more than their length', () => {
    const fill = (line: string): string =>
      Array(Math.floor((1 << 22) / line.length))
        .fill(`${line}\n`)
        .join('');
    const texts = [
      `# TYPE kata_agent_x gauge\n${fill(`# HELP kata_agent_x${' '.repeat(1370)}x\u2028`)}`,
      fill(`kata_agent_x ${'1'.repeat(390)}x`),
      `# TYPE kata_agent_h histogram\n${fill(`kata_agent_h_bucket{le="${'1'.repeat(1000)}x"} 1`)}`,
    ];
    for (const text of texts) {
      const before = process.cpuUsage();
      expect(readShimText(text).series).toBe(0);
      const { user, system } = process.cpuUsage(before);
      expect(user + system).toBeLessThan(800_000);
    }
  });

  it('that are counted are numbers, and not below zero', () => {
    const counted = (text: string) => merged(`# TYPE kata_agent_c counter\nkata_agent_c ${text}\n`).length;
    expect(['0', '-0', '+3', '1e9', '+Inf'].map(counted)).toEqual([1, 1, 1, 1, 1]);
    expect(['-1', 'NaN', '-Inf', '-1e-9'].map(counted)).toEqual([0, 0, 0, 0]);
  });
});

describe('lines', () => {
  it('that are cut at the end are not believed', () => {
    expect(merged('kata_agent_x 1\nkata_agent_y 12')).toEqual(['kata_agent_x{sandbox_id="s-1"} 1']);
    expect(dropped('kata_agent_y 12')).toEqual({ malformed: 1 });
  });

  it('may be empty, comments, or indented', () => {
    expect(merged('\n\n# a comment\n#\n#TYPE x\n  kata_agent_x 1\n\t\n# EOF\n')).toEqual(['kata_agent_x{sandbox_id="s-1"} 1']);
  });

  it.each([
    'kata_agent_x',
    'kata_agent_x ',
    'kata_agent_x{a="1"}',
    '1kata 1',
    '{a="1"} 1',
    '<html>',
    'kata_agent_x\u0000 1',
    '"kata_agent_x" 1',
  ])('%j is none', (line) => {
    expect(merged(`${line}\nkata_agent_z 1\n`)).toEqual(['kata_agent_z{sandbox_id="s-1"} 1']);
    expect(dropped(`${line}\n`)).toEqual({ malformed: 1 });
  });

  it('of names that are too long are left out', () => {
    const long = `kata_agent_${'x'.repeat(190)}`;
    expect(dropped(`${long} 1\n${long}yyy 1\n`)).toEqual({ limit: 2 });
    expect(merged(`${long.slice(0, 200)} 1\n`)).toHaveLength(1);
  });

  it('cut anywhere leave what was whole', () => {
    const text = Buffer.from(
      gauge('kata_agent_x{a="1"} 1', 'kata_agent_x{b="ü\\"",c="3"} 2.5e+07 17', '# HELP kata_agent_x Help.', 'kata_agent_y 3'),
    );
    const whole = merged(text);
    for (let end = 0; end <= text.length; end++) {
      const part = merged(text.subarray(0, end));
      expect(whole.slice(0, part.length)).toEqual(part);
    }
  });
});

describe('histograms and summaries', () => {
  const name = 'kata_agent_h';
  const histogram = (...lines: readonly string[]): string =>
    `# TYPE ${name} histogram\n${lines.map((line) => `${name}${line}\n`).join('')}`;
  const summary = (...lines: readonly string[]): string => histogram(...lines).replace(' histogram', ' summary');
  const bucket = (le: string, count = 1, more = ''): string => `_bucket{${more}le="${le}"} ${count}`;
  const passed = (text: string): string[] => merged(text).map((line) => line.slice(name.length).replace(/,?sandbox_id="s-1"/, ''));

  it('are whole series in order', () => {
    const good = [bucket('1'), bucket('2.5', 2), bucket('+Inf', 3), '_sum 7', '_count 3'];
    expect(passed(histogram(...good))).toEqual(good.map((line) => line.replace(' 7', '{} 7').replace(/_count /, '_count{} ')));
    expect(passed(summary('{quantile="0"} NaN', '{quantile="0.5"} 1', '{quantile="1"} 2', '_sum 1', '_count 1'))).toHaveLength(5);
    expect(passed(summary('_sum 1', '_count 1'))).toHaveLength(2);
    expect(passed(histogram(bucket('0.1'), bucket('+Inf')))).toHaveLength(2);
  });

  it.each([
    ['a bound that falls', histogram(bucket('2'), bucket('1'), bucket('+Inf'), '_sum 1', '_count 1'), 4],
    ['a bound twice, however it is spelt', histogram(bucket('1'), bucket('1.0'), bucket('+Inf')), 2],
    ['something after +Inf', histogram(bucket('+Inf'), bucket('5')), 1],
    ['a bucket after the sum', histogram(bucket('1'), bucket('+Inf'), '_sum 1', bucket('9'), '_count 1'), 4],
    ['a count before the sum', histogram(bucket('+Inf'), '_count 1', '_sum 1'), 0],
    ['a sum without a count', histogram(bucket('+Inf'), '_sum 1'), 0],
    ['no +Inf', histogram(bucket('1'), bucket('2'), '_sum 1', '_count 1'), 0],
    ['no bound', histogram('_bucket 1', bucket('+Inf')), 1],
    ['a bound that is none', histogram(bucket('one'), bucket('NaN'), bucket('+Inf')), 1],
    ['a bound at the sum', histogram(bucket('+Inf'), '_sum{le="1"} 1', '_count 1'), 1],
    ['a sum that nothing came before', histogram('_sum 1', '_count 1'), 0],
    ['a sample of its bare name', histogram(' 1', bucket('+Inf')), 1],
    ['a negative bucket', histogram(bucket('1', -1), bucket('+Inf')), 1],
    ['a quantile beyond 1', summary('{quantile="0.5"} 1', '{quantile="1.5"} 1'), 1],
    ['no quantile', summary(' 1', '_sum 1', '_count 1'), 2],
    ['a series that comes back', histogram(bucket('+Inf', 1, 'a="1",'), bucket('+Inf', 1, 'a="2",'), bucket('+Inf', 1, 'a="1",')), 2],
    ['a series in another order of labels', histogram('_bucket{a="1",le="1",b="2"} 1', '_bucket{b="2",a="1",le="+Inf"} 1'), 2],
  ])('%s', (_, text, count) => {
    const { series, dropped } = readShimText(text);
    expect(series).toBe(count);
    expect(passed(text)).toHaveLength(count);
    const sent = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    expect(Object.values(dropped).reduce((sum, number) => sum + number, 0)).toBe(sent - count);
  });

  it.each([
    ['buckets that fall', histogram(bucket('1', 7), bucket('+Inf', 3), '_sum 1', '_count 3')],
    ['half a count', histogram(bucket('1'), bucket('+Inf', 1.5))],
    ['a count without end', histogram(bucket('+Inf').replace(' 1', ' +Inf'))],
    ['another count than +Inf', histogram(bucket('1'), bucket('+Inf', 3), '_sum 1', '_count 4')],
    ['a sum below zero', histogram(bucket('+Inf'), '_sum -1', '_count 1')],
    ['a sum that is no number', histogram(bucket('+Inf'), '_sum NaN', '_count 1')],
    ['a sum of what may lie below zero', histogram(bucket('-1'), bucket('+Inf'), '_sum 1', '_count 1')],
    ['a summary with such a sum', summary('{quantile="0.5"} 1', '_sum NaN', '_count 1')],
    ['a summary with half a count', summary('_sum 1', '_count 1.5')],
    ['a quantile below zero', summary('{quantile="0.5"} -1', '_sum 1', '_count 1')],
  ])('with %s are not passed on at all', (_, text) => {
    const good = ['_bucket{a="2",le="1"} 4', '_bucket{a="2",le="+Inf"} 5'];
    const sent = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    expect(readShimText(text)).toMatchObject({ series: 0, dropped: { ...nothingDropped(), misfit: sent } });
    if (text.startsWith(histogram())) expect(passed(text + histogram(...good))).toEqual(good);
  });

  it.each(['inf', 'Inf', '+inf', 'INFINITY', '+Infinity'])('have the bound %s written as every reader takes it', (spelled) => {
    const text = histogram(`_bucket{le="1",a="x"} 1`, `_bucket{le="${spelled}",a="x"} 2`, '_sum{a="x"} 1', '_count{a="x"} 2');
    expect(passed(text)[1]).toBe('_bucket{le="+Inf",a="x"} 2');
    expect(passed(text)).toHaveLength(4);
    expect(passed(histogram(bucket('-inf', 0), bucket('1e0'), bucket(spelled)))[0]).toBe('_bucket{le="-Inf"} 0');
  });

  it('that are taken back leave no byte of theirs, whatever follows', () => {
    const long = '2'.repeat(58);
    const good = ['_bucket{a="3",le="+Inf"} 1', '_sum{a="3"} 1', '_count{a="3"} 1'];
    expect(passed(histogram('_bucket{le="1"} 1', `_sum{a="${long}"} 5`, ...good))).toEqual(good);
    expect(passed(histogram(`_bucket{a="${long}",le="1"} 1`, '_sum{a="2"} 5', ...good))).toEqual(good);
  });

  it('that are incomplete take nothing of their neighbours with them', () => {
    const text = histogram(bucket('1', 1, 'a="1",'), bucket('2', 1, 'a="1",'), bucket('1', 4, 'a="2",'), bucket('+Inf', 5, 'a="2",'));
    expect(passed(text)).toEqual(['_bucket{a="2",le="1"} 4', '_bucket{a="2",le="+Inf"} 5']);
    expect(merged(`kata_agent_a 1\n${histogram(bucket('1'))}kata_agent_z 1\n`)).toHaveLength(2);
    expect(merged(`${histogram(bucket('1'))}kata_agent_x 1\n${name}_bucket{le="+Inf"} 1\n`)).toHaveLength(1);
  });
});
