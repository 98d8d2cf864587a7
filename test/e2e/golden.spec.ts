import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { expectGolden, goldenNames } from './golden.js';
import { promtoolComplaints, promtoolMissing } from './promtool.js';
import { rootOf, STORIES, type Story } from './stories.js';
import { parseStrictly } from './strict-exposition.js';

const OPEN_METRICS = { accept: 'application/openmetrics-text;version=1.0.0' };
const NO_PROMTOOL = promtoolMissing();
if (NO_PROMTOOL !== undefined) process.stderr.write(`skipped: promtool check metrics: ${NO_PROMTOOL}\n`);

/** Goldens of no story: the answer of a probe, what a host can give, and those of sandboxes.spec.ts. */
const SINGLE = ['agent-url.txt', 'capabilities.json', 'health.json', 'sandboxes.txt'];

interface Page {
  readonly golden: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const pagesOf = ({ name, instance }: Story): Page[] => [
  { golden: `${name}/instances.json`, path: '/instances' },
  { golden: `${name}/all-stats.json`, path: '/stats' },
  { golden: `${name}/metrics.txt`, path: '/metrics' },
  { golden: `${name}/openmetrics.txt`, path: '/metrics', headers: OPEN_METRICS },
  ...(instance === undefined
    ? []
    : [
        { golden: `${name}/instance.json`, path: `/instances/${instance}` },
        { golden: `${name}/stats.json`, path: `/instances/${instance}/stats` },
        { golden: `${name}/instance-metrics.txt`, path: `/instances/${instance}/metrics` },
        { golden: `${name}/instance-openmetrics.txt`, path: `/instances/${instance}/metrics`, headers: OPEN_METRICS },
      ]),
];
/** What switches and upstreams said grows older. */
const withoutAges = (page: string): string => page.replace(/^\w+_age_seconds\{.*\n/gm, '');
const expositionsOf = (story: Story): Page[] => pagesOf(story).filter(({ golden }) => golden.endsWith('.txt'));

describe.each(STORIES)('the host $name', (story) => {
  let agent: Agent;
  beforeAll(async () => {
    agent = await Agent.of(story);
    // One more sweep at least, so that there are rates.
    await agent.sweep(story.sweeps);
  });
  afterAll(() => agent.stop());

  it.each(pagesOf(story))('answers $path as in $golden', async ({ golden, path, headers }) => {
    expectGolden(golden, await agent.text(path, headers));
  });

  it('answers the same bytes twice while nothing moves', async () => {
    for (const { path, headers } of pagesOf(story)) expect(await agent.text(path, headers)).toBe(await agent.text(path, headers));
  });

  it('answers the same bytes about its instances after another sweep', async () => {
    const paths = ['/instances', '/metrics?exclude[]=self', ...(story.instance ? [`/instances/${story.instance}`] : [])];
    for (const path of paths) {
      for (const headers of [{}, OPEN_METRICS]) {
        const before = await agent.text(path, headers);
        await agent.sweep();
        expect(withoutAges(await agent.text(path, headers))).toBe(withoutAges(before));
      }
    }
  });

  it('gives pages that a strict parser reads, with the same series in both formats', async () => {
    for (const { path } of expositionsOf(story).filter(({ headers }) => !headers)) {
      const text = parseStrictly(await agent.text(path), 'text');
      const openMetrics = parseStrictly(await agent.text(path, OPEN_METRICS), 'openmetrics');
      const lines = (families: typeof text): string[] => [...families.values()].flatMap(({ samples }) => samples.map(({ line }) => line));
      expect(lines(openMetrics)).toEqual(lines(text));
    }
  });

  it.skipIf(NO_PROMTOOL !== undefined)('gives pages that promtool has nothing against', async () => {
    for (const { path } of expositionsOf(story).filter(({ headers }) => !headers)) {
      expect(promtoolComplaints(await agent.text(path))).toBe('');
    }
  });
});

it('answers a probe as in health.json', async () => {
  const agent = await Agent.start(rootOf(STORIES[0]));
  for (const path of ['/health', '/livez', '/readyz']) expectGolden('health.json', await agent.text(path));
  await agent.stop();
});

it('has no golden file that nothing is compared with', () => {
  expect(goldenNames()).toEqual([...STORIES.flatMap((story) => pagesOf(story).map(({ golden }) => golden)), ...SINGLE].sort());
});
