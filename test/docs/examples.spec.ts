import { expect, it } from 'vitest';
import { promtoolMissing } from '../e2e/promtool.js';
import { metricsIn, promtoolOn } from './promtool.js';
import { readRoot } from './run.js';
import { settingsIn } from './settings.js';

const fences = (path: string, language: string): string[] =>
  [...readRoot(path).matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, body]) => body);

/** Documents whose YAML is for the file `config.file`, and how many pieces of it they have. */
const CONFIGURED = { 'docs/upstreams.md': 3, 'docs/network.md': 1, 'docs/kata.md': 1, 'docs/tracing.md': 1 };

it.each(Object.entries(CONFIGURED))('the agent takes each configuration in %s', (path, count) => {
  const examples = fences(path, 'yaml');
  expect(examples).toHaveLength(count);
  for (const example of examples) expect({ example, warnings: settingsIn(example).warnings }).toEqual({ example, warnings: [] });
});

it('the README’s parts of config.file are some, too', () => {
  const examples = fences('README.md', 'yaml').filter((example) => example.startsWith('# config.file'));
  expect(examples).toHaveLength(2);
  for (const example of examples) expect(settingsIn(example).warnings).toEqual([]);
});

it('the upstreams of docs/upstreams.md become what it says', () => {
  const all = fences('docs/upstreams.md', 'yaml').flatMap((example) => settingsIn(example).upstreams);
  expect(new Map(all.map((upstream) => [upstream.name, upstream]))).toEqual(
    new Map<string, unknown>([
      ['antrea-agent', expect.objectContaining({ insecureSkipVerify: true, intervalMs: 30_000, timeoutMs: 5000 })],
      ['antrea-controller', expect.objectContaining({ serverName: 'antrea.kube-system.svc', insecureSkipVerify: false })],
      ['podtrace', expect.objectContaining({ url: 'http://127.0.0.1:3000/metrics', tokenFile: '' })],
      ['second-agent', expect.objectContaining({ labels: new Map([['zone', 'lab']]) })],
      ['guest-web-1', expect.objectContaining({ allow: ['node_'], deny: ['node_scrape_'], maxBytes: 2 ** 21, maxSeries: 3000 })],
    ]),
  );
});

/** PromQL of the documents: fences, and what stands in the tables "what to watch". */
const EXPRESSIONS = [
  ...['docs/network.md', 'docs/upstreams.md', 'docs/limits.md'].flatMap((path) =>
    fences(path, 'promql').flatMap((body) => body.trim().split('\n')),
  ),
  ...['docs/network.md', 'docs/upstreams.md', 'docs/tracing.md', 'docs/limits.md', 'docs/operations.md'].flatMap((path) =>
    [...readRoot(path).matchAll(/^\| expression \|[\s\S]*?(?=\n\n)/gm)].flatMap(([table]) =>
      [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, expression]) => expression.replaceAll('\\|', '|')),
    ),
  ),
];

it('there are expressions in the documents', () => {
  expect(EXPRESSIONS.length).toBeGreaterThan(20);
});

const NO_PROMTOOL = promtoolMissing();
if (NO_PROMTOOL !== undefined) process.stderr.write(`skipped: promtool does not read the documents: ${NO_PROMTOOL}\n`);

it.skipIf(NO_PROMTOOL !== undefined)('promtool understands every expression of the documents', () => {
  const rules = EXPRESSIONS.map((expr, i) => ({ record: `documents:expression:${i}`, expr }));
  expect(promtoolOn({ groups: [{ name: 'documents', rules }] }, ['check', 'rules', '--lint=none'])).toContain(
    `${rules.length} rules found`,
  );
});

/** Ours, and those of the seed that an upstream may deliver. */
const FAMILIES: readonly string[] = [
  ...[...readRoot('docs/metrics.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name),
  ...[...readRoot('fixtures/upstreams/antrea-families.txt').matchAll(/^(\S+) /gm)].map(([, name]) => name),
];
const isFamily = (name: string): boolean => FAMILIES.includes(name) || FAMILIES.includes(name.replace(/_(bucket|sum|count)$/, ''));

it('they ask for families that there are', () => {
  expect([...new Set(EXPRESSIONS.flatMap(metricsIn).filter((name) => !isFamily(name)))]).toEqual([]);
});

it.each(['docs/network.md', 'docs/upstreams.md', 'docs/limits.md'])('%s names no family that is not there', (path) => {
  const named = [...readRoot(path).matchAll(/`((?:vmgauge|antrea|podtrace)_[a-z0-9_]+)(\*[a-z_]*)?[`{]/g)].map(([, name, rest = '']) => ({
    name,
    rest,
  }));
  expect(named.length).toBeGreaterThan(3);
  const isThere = ({ name, rest }: (typeof named)[number]): boolean =>
    rest === '' ? isFamily(name) : FAMILIES.some((family) => family.startsWith(name) && family.endsWith(rest.slice(1)));
  expect(named.filter((one) => !isThere(one))).toEqual([]);
});
