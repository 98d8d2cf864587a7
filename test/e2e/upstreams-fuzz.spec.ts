import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UpstreamScraper } from '../../src/modules/upstreams/scraper.js';
import { type ParsedFamily, parseExposition } from '../exposition-parser.js';
import { UpstreamServer, upstreamAt } from '../upstream-server.js';
import { Agent } from './agent.js';
import { rootOf, story } from './stories.js';
import { parseStrictly } from './strict-exposition.js';

const RUNS = 150;
const LONG_MS = 60_000;
const OPEN_METRICS = { accept: 'application/openmetrics-text; version=1.0.0' };
/** Of those that may use names of this agent. */
const HOUSE = { allow: ['vmgauge', 'hypeman', 'kata', 'a', 'b', 'p', 'go'] };

const NAMES = [
  ...['vmgauge_upstream_up', 'vmgauge_upstream_outcome', 'vmgauge_upstream_series', 'vmgauge_build_info', 'vmgauge_sweeps_total'],
  ...['vmgauge_sweeps', 'vmgauge_vm_threads', 'hypeman_vm_cpu_seconds_total', 'hypeman_vm_cpu_seconds', 'kata_shim_threads'],
  ...['vmgauge', 'hypeman', 'kata', 'antrea_agent_local_pod_count', 'antrea_agent_local_pod', 'podtrace_events', 'process_open_fds'],
  ...['a', 'a_total', 'a_created', 'a_count', 'a_sum', 'a_bucket', 'b', 'b_total', 'go_x', ':', '_', '__name__', 'a_total_total'],
];
const LABELS = [
  'le',
  'quantile',
  'upstream',
  'exported_upstream',
  'exported_exported_upstream',
  'node',
  'instance_id',
  'a',
  'b',
  '__name__',
  '',
];
const VALUES = [
  '',
  'x',
  '1',
  '0.5',
  '1.0',
  '+Inf',
  'Inf',
  '-Inf',
  '-1',
  'NaN',
  'ü\u2028',
  '\u0000',
  '\\',
  '\\\\',
  '\\"',
  '\\n',
  '"} 1\nb{a="',
  'one',
  'r\r',
];
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped', 'unknown', 'info', ''];
const NUMBERS = [
  '0',
  '1',
  '1',
  '2',
  '-1',
  '-0',
  '12.5',
  '1e5',
  '1e999',
  '.5',
  '5.',
  '+Inf',
  '-Inf',
  'NaN',
  '0x1p3',
  '1_0',
  '',
  '1 17',
  '1 # {} 1',
];

const pick = (words: readonly string[]) => fc.constantFrom(...words);
const pair = fc.tuple(pick(LABELS), pick(VALUES)).map(([name, value]) => `${name}="${value}"`);
const sample = fc
  .tuple(pick(NAMES), pick(['', '', '_bucket', '_sum', '_count', '_total']), fc.array(pair, { maxLength: 3 }), pick(NUMBERS))
  .map(([name, suffix, pairs, number]) => `${name}${suffix}{${pairs.join()}} ${number}`);
const comment = fc
  .tuple(pick(['TYPE', 'TYPE', 'HELP', 'UNIT', 'EOF']), pick(NAMES), fc.oneof(pick(TYPES), pick(VALUES)))
  .map(([kind, name, rest]) => `# ${kind} ${name} ${rest}`);
/** A family as it should be, so that the others meet something. */
const family = fc
  .tuple(pick(NAMES), fc.array(pair, { maxLength: 2 }), fc.constantFrom('counter', 'gauge', 'histogram', 'summary'))
  .map(([name, pairs, type]) => {
    const some = (suffix: string, ...more: string[]) => `${name}${suffix}{${[...pairs, ...more].join()}} 1`;
    const parts =
      type === 'histogram' ? [some('_sum'), some('_bucket', 'le="+Inf"'), some('_bucket', 'le="1"'), some('_count')] : [some('')];
    return [`# TYPE ${name} ${type}`, ...parts].join('\n');
  });
const text = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: sample },
      { weight: 2, arbitrary: comment },
      { weight: 3, arbitrary: family },
      fc.string({ maxLength: 20 }),
    ),
    { maxLength: 25 },
  )
  .map((lines) => `${lines.join('\n')}\n`);

/** As Prometheus sees it: a label without a value is none. */
const identityOf = ({ name, labels }: ParsedFamily['samples'][number]): string =>
  name +
  JSON.stringify(
    Object.entries(labels)
      .filter(([, value]) => value !== '')
      .sort(),
  );

/** What the agent says of its upstreams. */
const OURS = /^vmgauge_upstream_(up|outcome|series|age_seconds|answer_bytes|\w+_series|failures_total|scrape_duration_seconds|last_\w+)$/;
/** Families are sorted by the name that they have in the text format, so OpenMetrics may have x_bucket before x, whose samples are x_total. */
function complaintOf(page: string): string {
  try {
    // No quote stands bare inside a value.
    const told = page.replace(/,[a-zA-Z_]\w*=""/g, '').replace(/\{([a-zA-Z_]\w*="",)+/g, '{');
    parseStrictly(told.replace(/ NaN$/gm, ' 0'), 'openmetrics');
    return '';
  } catch (error) {
    return String(error);
  }
}

const linesOf = (page: string): string[] => page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('whatever upstreams say', () => {
  const servers: UpstreamServer[] = [];
  let agent: Agent;
  let scraper: UpstreamScraper;
  beforeAll(async () => {
    for (let i = 0; i < 3; i++) servers.push(await UpstreamServer.start('a 1\n'));
    const [guest, one, two] = servers;
    const upstreams = [
      upstreamAt('guest', guest.url, { labels: new Map([['node', 'n1']]), intervalMs: 1000 }),
      upstreamAt('one', one.url, { ...HOUSE, intervalMs: 1000 }),
      upstreamAt('two', two.url, { ...HOUSE, labels: new Map([['a', 'ours']]), intervalMs: 1000 }),
    ];
    agent = await Agent.start(rootOf(story('two-qemu')), { settings: { upstreams } });
    scraper = agent.app.get(UpstreamScraper, { strict: false });
  });
  afterAll(async () => {
    await agent.stop();
    for (const server of servers) await server.close();
  });

  function check(page: string, format: 'text' | 'openmetrics', ours: readonly string[]): void {
    const families = parseExposition(page, format);
    if (format === 'openmetrics') expect(complaintOf(page)).toMatch(/^$|families are not sorted/);
    const identities = families.flatMap(({ samples }) => samples.map(identityOf));
    expect(identities.filter((one, i) => identities.indexOf(one) !== i)).toEqual([]);
    const lines = new Set(linesOf(page));
    expect(ours.filter((line) => !lines.has(line))).toEqual([]);
    const told = families
      .flatMap(({ samples }) => samples)
      .filter(({ name, labels }) => labels.upstream !== undefined && !(OURS.test(name) && (labels.exported_upstream ?? '') === ''));
    expect(told.filter(({ labels, name }) => labels.upstream === 'guest' && /^(vmgauge|hypeman|kata)(_|$)/.test(name))).toEqual([]);
    for (const { name } of scraper.contacts) {
      const count = told.filter(({ labels }) => labels.upstream === name).length;
      const gauge = (what: string) =>
        Number(new RegExp(`^vmgauge_upstream_${what}\\{upstream="${name}"\\} (.*)$`, 'm').exec(page)?.[1] ?? 0);
      expect([name, count]).toEqual([name, format === 'text' ? gauge('series') : gauge('series') - gauge('text_only_series')]);
    }
    expect(told.every(({ labels }) => ['guest', 'one', 'two'].includes(labels.upstream))).toBe(true);
  }

  it('gives pages that are legal in both formats, with all of ours on them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(text, text, text), async (texts) => {
        texts.forEach((one, i) => {
          servers[i].text = one;
        });
        agent.host.clock.advance(10_000);
        await scraper.settle(LONG_MS);
        const ours = linesOf(await agent.text('/metrics?exclude[]=upstreams')).filter((line) => !line.startsWith('antrea_'));
        const pages = [await agent.text('/metrics'), await agent.text('/metrics', OPEN_METRICS)];
        check(
          pages[0],
          'text',
          ours.filter((line) => !line.startsWith('vmgauge_sweep')),
        );
        check(pages[1], 'openmetrics', []);
      }),
      { numRuns: RUNS },
    );
  });
});
