import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UpstreamSettings } from '../../src/model/upstream.js';
import { UpstreamScraper } from '../../src/modules/upstreams/scraper.js';
import { parseExposition } from '../exposition-parser.js';
import { UpstreamServer, upstreamAt } from '../upstream-server.js';
import { Agent, type AgentOptions } from './agent.js';
import { rootOf, story } from './stories.js';
import { parseStrictly } from './strict-exposition.js';

const LONG_MS = 60_000;
const OPEN_METRICS = { accept: 'application/openmetrics-text; version=1.0.0' };
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/upstreams', name), 'utf8');
/** Lines that are samples. */
const samplesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
/** As it stands on our page. */
function passed(line: string, labels: string): string {
  const at = line.lastIndexOf(' ');
  const [series, value] = [line.slice(0, at), line.slice(at)];
  return `${series.endsWith('}') ? `${series.slice(0, -1)},` : `${series}{`}${labels}}${value}`;
}

const servers: UpstreamServer[] = [];
const agents: Agent[] = [];
afterAll(async () => {
  for (const agent of agents) await agent.stop();
  for (const server of servers) await server.close();
});

async function exporter(text: string): Promise<UpstreamServer> {
  const server = await UpstreamServer.start(text);
  servers.push(server);
  return server;
}

/** An agent whose upstreams have been asked once. */
async function agentOf(upstreams: readonly UpstreamSettings[], name = 'empty', options: AgentOptions = {}): Promise<Agent> {
  const agent = await Agent.start(rootOf(story(name)), { ...options, settings: { upstreams, ...options.settings } });
  agents.push(agent);
  await askAgain(agent);
  return agent;
}
/** Names of this agent are passed on only where they are asked for. */
const OF_AN_AGENT = { allow: ['vmgauge_', 'hypeman_', 'kata_', 'node_', 'a', 'b'] };
const scraperOf = (agent: Agent): UpstreamScraper => agent.app.get(UpstreamScraper, { strict: false });
const askAgain = (agent: Agent): Promise<void> => scraperOf(agent).settle(LONG_MS);

describe('the agent and the controller of Antrea', () => {
  const texts = { 'antrea-agent': fixture('antrea-agent.txt'), 'antrea-controller': fixture('antrea-controller.txt') };
  let agent: Agent;
  let page: string;
  beforeAll(async () => {
    const urls = await Promise.all(Object.values(texts).map(async (text) => (await exporter(text)).url));
    agent = await agentOf(Object.keys(texts).map((name, i) => upstreamAt(name, urls[i])));
    page = await agent.text('/metrics');
  });

  it('have each of the 183 families on our page, with its type', () => {
    const families = fixture('antrea-families.txt').trim().split('\n');
    expect(families).toHaveLength(183);
    const parsed = parseStrictly(page, 'text');
    const types = families.map((line) => `${line.split(' ')[0]} ${parsed.get(line.split(' ')[0])?.type}`);
    expect(types).toEqual(families);
  });

  it.each(Object.entries(texts))(
    '%s: every sample keeps its labels, its buckets and its value and gets the label upstream',
    (name, text) => {
      const lines = new Set(samplesOf(page));
      const wanted = samplesOf(text).map((line) => passed(line, `upstream="${name}"`));
      expect(wanted.length).toBeGreaterThan(700);
      expect(wanted.filter((line) => !lines.has(line))).toEqual([]);
      // And none that it did not send.
      expect(samplesOf(page).filter((line) => line.includes(`upstream="${name}"`) && !line.startsWith('vmgauge_'))).toHaveLength(
        wanted.length,
      );
    },
  );

  it('say with each family what it is, once', () => {
    for (const line of new Set(Object.values(texts).flatMap((text) => text.split('\n').filter((one) => /^# TYPE/.test(one))))) {
      expect(page.split('\n').filter((one) => one === line)).toHaveLength(1);
    }
    expect(page).toContain('# HELP antrea_agent_ovs_flow_count [STABLE] Antrea agent ovs flow count.\n');
  });

  it('are the same in OpenMetrics, but for what it forbids', async () => {
    const families = parseExposition(await agent.text('/metrics', OPEN_METRICS), 'openmetrics');
    const open = new Map(families.map((family) => [family.name, family]));
    const buckets = open.get('antrea_agent_ovs_flow_ops_latency_milliseconds')?.samples ?? [];
    expect(buckets).toHaveLength(3 * 14);
    expect(buckets.every(({ labels }) => labels.upstream === 'antrea-agent')).toBe(true);
    // A counter is one without its _total; go_memstats_alloc_bytes is both a gauge and a counter.
    const missing = fixture('antrea-families.txt')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0].replace(/_total$/, ''))
      .filter((name) => !open.has(name));
    expect(missing).toEqual([]);
    expect(await agent.text('/metrics?collect[]=upstreams')).toContain('vmgauge_upstream_text_only_series{upstream="antrea-agent"}');
  });

  it('are told of: what answered, how much, how old', () => {
    const lines = samplesOf(page);
    for (const [name, text] of Object.entries(texts)) {
      expect(lines).toContain(`vmgauge_upstream_up{upstream="${name}"} 1`);
      expect(lines).toContain(`vmgauge_upstream_series{upstream="${name}"} ${samplesOf(text).length}`);
      expect(lines).toContain(`vmgauge_upstream_age_seconds{upstream="${name}"} 0`);
      expect(lines).toContain(`vmgauge_upstream_outcome{upstream="${name}",outcome="ok",reason=""} 1`);
      expect(lines).toContain(`vmgauge_upstream_answer_bytes{upstream="${name}"} ${Buffer.byteLength(text)}`);
      expect(lines).toContain(`vmgauge_upstream_failures_total{upstream="${name}"} 0`);
    }
  });

  it('are not on pages of instances, and can be left out', async () => {
    expect(await agent.text('/metrics?exclude[]=upstreams')).not.toContain('antrea_');
    const alone = await agent.text('/metrics?collect[]=upstreams');
    expect(alone).toContain('antrea_agent_local_pod_count{upstream="antrea-agent"}');
    expect(alone).not.toContain('vmgauge_build_info');
  });

  it('give the same bytes for two scrapes', async () => {
    expect(await agent.text('/metrics')).toBe(page);
  });
});

describe('upstreams', () => {
  it('of every kind stand beside each other and beside ours', async () => {
    const node = await exporter(
      '# HELP node_load1 1m load average.\n# TYPE node_load1 gauge\nnode_load1 0.21\n# TYPE node_cpu_seconds_total counter\nnode_cpu_seconds_total{cpu="0",mode="idle"} 1.5e+06\n# TYPE node_time gauge\nnode_time 1e9 1700000000000\n',
    );
    const podtrace = await exporter(
      'podtrace_events{type="dns",upstream="theirs",node="own"} 7\n# TYPE x_seconds summary\nx_seconds_sum 1\nx_seconds_count 2\n',
    );
    const labels = new Map([['node', 'n1']]);
    const page = await (await agentOf([upstreamAt('podtrace', podtrace.url, { labels }), upstreamAt('guest', node.url)], 'two-qemu')).text(
      '/metrics',
    );
    parseStrictly(page, 'text');
    expect(samplesOf(page).filter((line) => /^(node|podtrace|x)_/.test(line))).toEqual([
      'node_cpu_seconds_total{cpu="0",mode="idle",upstream="guest"} 1.5e+06',
      'node_load1{upstream="guest"} 0.21',
      'node_time{upstream="guest"} 1e9',
      'podtrace_events{type="dns",node="own",exported_upstream="theirs",upstream="podtrace"} 7',
      'x_seconds_sum{node="n1",upstream="podtrace"} 1',
      'x_seconds_count{node="n1",upstream="podtrace"} 2',
    ]);
  });

  it('of this kind go below our own heads, and a chain of agents has two links', async () => {
    const node = await exporter('# TYPE node_load1 gauge\nnode_load1 1\n');
    const first = await exporter(await (await agentOf([upstreamAt('node', node.url)], 'two-qemu')).text('/metrics'));
    const second = await exporter(await (await agentOf([upstreamAt('first', first.url, OF_AN_AGENT)], 'kata-go-qemu')).text('/metrics'));
    const third = await agentOf([upstreamAt('second', second.url, OF_AN_AGENT)]);
    const pages = [second.text, await third.text('/metrics')];
    for (const page of pages) parseStrictly(page, 'text');
    for (const page of pages) expect(page.split('\n').filter((line) => line.startsWith('# TYPE vmgauge_build_info '))).toHaveLength(1);
    expect(pages[0]).toContain('node_load1{exported_upstream="node",upstream="first"} 1\n');
    expect(pages[0]).toMatch(/^vmgauge_build_info\{[^}]*upstream="first"\} 1$/m);
    expect(pages[0]).toContain('vmgauge_upstream_up{exported_upstream="node",upstream="first"} 1\n');
    // Twice passed on is once too often.
    expect(pages[1]).not.toContain('node_load1');
    expect(pages[1]).toMatch(/^vmgauge_upstream_dropped_series\{upstream="second",reason="label"\} [1-9]/m);
    expect(pages[1]).toMatch(/^vmgauge_build_info\{[^}]*exported_upstream="first",upstream="second"\} 1$/m);
  });

  it('that are guests cannot speak in the names of this agent', async () => {
    const guest = await exporter(
      '# TYPE hypeman_vm_cpu_seconds_total counter\nhypeman_vm_cpu_seconds_total{instance_id="other",instance_name="other"} 1e9\n' +
        'vmgauge_vm_up{instance_id="other"} 1\nkata_shim_fds{sandbox_id="other"} 1\nnode_load1 0.5\n' +
        '# TYPE hypeman summary\nhypeman_sum{instance_id="other"} 1\n',
    );
    const page = await (await agentOf([upstreamAt('guest', guest.url)], 'two-qemu')).text('/metrics');
    expect(page).not.toContain('"other"');
    expect(page).toContain('node_load1{upstream="guest"} 0.5\n');
    expect(page).toContain('vmgauge_upstream_dropped_series{upstream="guest",reason="ours"} 4\n');
  });

  it('that ask each other grow to a bound and no further', async () => {
    const [one, two] = [await exporter('a 1\n'), await exporter('b 1\n')];
    const agentOne = await agentOf([upstreamAt('two', two.url, OF_AN_AGENT)]);
    const agentTwo = await agentOf([upstreamAt('one', one.url, OF_AN_AGENT)]);
    const lengths: number[] = [];
    for (let round = 0; round < 6; round++) {
      one.text = await agentOne.text('/metrics');
      await askAgain(agentTwo);
      two.text = await agentTwo.text('/metrics');
      await askAgain(agentOne);
      lengths.push(samplesOf(two.text).length);
    }
    expect(lengths[5]).toBe(lengths[3]);
    expect(scraperOf(agentOne).contacts[0].outcome).toBe(0);
  });

  it('that are this agent itself are found out', async () => {
    const mirror = await exporter('a 1\n');
    const agent = await agentOf([upstreamAt('mirror', mirror.url)]);
    mirror.text = await agent.text('/metrics');
    await askAgain(agent);
    const page = await agent.text('/metrics?collect[]=upstreams');
    expect(page).toContain('vmgauge_upstream_up{upstream="mirror"} 0\n');
    expect(page).toContain('vmgauge_upstream_outcome{upstream="mirror",outcome="absent",reason="unsupported"} 1\n');
    // What it said before is kept for its time.
    expect(page).toContain('\na{upstream="mirror"} 1\n');
    const capabilities = JSON.parse(await agent.text('/capabilities')).capabilities;
    expect(capabilities.find(({ name }: { name: string }) => name === 'upstreams')).toMatchObject({
      status: 'absent',
      detail: expect.stringMatching(/^upstream mirror \(127\.0\.0\.1:\d+\): it is this agent itself$/),
    });
  });

  it('vanish with their series when three intervals are over', async () => {
    const server = await exporter('a 1\n');
    const agent = await agentOf([upstreamAt('gone', server.url, { intervalMs: 10_000 })]);
    server.token = 'other';
    await askAgain(agent);
    const sizes: string[] = [];
    for (const seconds of [0, 30, 1]) {
      agent.host.clock.advance(seconds * 1000);
      sizes.push(await agent.text('/metrics?collect[]=upstreams'));
    }
    expect(sizes.map((page) => page.includes('\na{upstream="gone"} 1\n'))).toEqual([true, true, false]);
    expect(sizes[1]).toContain('vmgauge_upstream_age_seconds{upstream="gone"} 30\n');
    expect(sizes[2]).not.toContain('vmgauge_upstream_age_seconds');
    expect(sizes[2]).toContain('vmgauge_upstream_up{upstream="gone"} 0\n');
    expect(sizes[2]).toContain('vmgauge_upstream_outcome{upstream="gone",outcome="absent",reason="not_permitted"} 1\n');
  });

  it('pass and stay away by the beginning of a name', async () => {
    const server = await exporter('a_x 1\na_y 1\nb 1\n');
    const agent = await agentOf([upstreamAt('some', server.url, { allow: ['a_'], deny: ['a_y'] })]);
    const page = await agent.text('/metrics?collect[]=upstreams');
    expect(samplesOf(page).filter((line) => !line.startsWith('vmgauge_'))).toEqual(['a_x{upstream="some"} 1']);
    expect(page).toContain('vmgauge_upstream_dropped_series{upstream="some",reason="excluded"} 2\n');
  });

  it('are asked by nobody where their collector is off, and none is on the page where there is none', async () => {
    const server = await exporter('a 1\n');
    const off = await agentOf([upstreamAt('a', server.url)], 'empty', { settings: { collectors: new Map([['upstreams', false]]) } });
    expect(server.asked).toEqual([]);
    expect(await off.text('/metrics')).not.toContain('vmgauge_upstream');
    expect(await (await agentOf([])).text('/metrics')).not.toContain('vmgauge_upstream_');
  });
});
