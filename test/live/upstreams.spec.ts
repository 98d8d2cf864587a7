import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../certificates.js';
import { UpstreamServer } from '../upstream-server.js';
import { PACKAGE, type RunningAgent, runAgent, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { liveSuite, program } from './needs.js';
import { Prometheus } from './prometheus.js';
import { until } from './until.js';

const cleanup = new Cleanup();
const PAGE = readFileSync(join(PACKAGE, 'fixtures/upstreams/antrea-agent.txt'), 'utf8');
const TOKEN = 'hunter2-of-antrea';
const OPEN_METRICS = { accept: 'application/openmetrics-text; version=1.0.0' };
/** Exit status of promtool where it dislikes names, which are others' here; 1 where it cannot read the page. */
const DISLIKES = 3;

async function antrea(authority: Authority, days: readonly [number, number] = [-1, 10]): Promise<UpstreamServer> {
  const server = await UpstreamServer.start(PAGE, authority.issue({ names: ['antrea.local'], days }));
  cleanup.add(() => server.close());
  server.token = TOKEN;
  return server;
}

/** A line of the page that matches, as soon as there is one. */
const sees = (agent: RunningAgent, pattern: RegExp): Promise<string> =>
  until(
    async () => pattern.exec(await (await agent.get('/metrics')).text())?.[0],
    () => `${pattern}\n${agent.child.stderr}`,
  );

describe('an agent with upstreams', () => {
  let agent: RunningAgent;
  let server: UpstreamServer;
  const directory = cleanup.directory();
  const path = (name: string): string => join(directory, name);
  const authority = new Authority();

  beforeAll(async () => {
    server = await antrea(authority);
    const expired = await antrea(authority, [-10, -1]);
    writeFileSync(path('ca.pem'), authority.cert);
    writeFileSync(path('token'), `${TOKEN}\n`);
    const common = { 'token-file': path('token'), 'ca-file': path('ca.pem'), 'server-name': 'antrea.local', interval: '1s' };
    const upstream = {
      'antrea-agent': { url: server.url, ...common, labels: ['node=n1'] },
      expired: { url: expired.url, ...common },
    };
    // JSON is YAML.
    writeFileSync(path('vmgauge.yaml'), JSON.stringify({ upstream, web: { 'listen-address': '127.0.0.1:0' } }));
    agent = await startAgent(cleanup, [`--config.file=${path('vmgauge.yaml')}`, '--web.listen-address=127.0.0.1:0'], {
      VMGAUGE_LOG_FORMAT: 'json',
    });
    await sees(agent, /^vmgauge_upstream_up\{upstream="antrea-agent"\} 1$/m);
  });

  it('passes on what a server with the CA and for the token says', async () => {
    const page = await (await agent.get('/metrics')).text();
    expect(page).toContain('antrea_agent_ovs_flow_count{table_id="0",table_name="Classifier",node="n1",upstream="antrea-agent"} ');
    expect(page.split('\n').filter((line) => line === '# TYPE antrea_agent_ovs_flow_count gauge')).toHaveLength(1);
    expect(server.asked.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`)).toBe(true);
  });

  it('refuses a certificate that has expired, and says so where people look, without the token', async () => {
    await sees(agent, /^vmgauge_upstream_outcome\{upstream="expired",outcome="absent",reason="not_permitted"\} 1$/m);
    const said = /upstream expired \(127\.0\.0\.1:\d+\): its certificate has expired/;
    expect(agent.child.stderr).toMatch(/upstream expired.*: its certificate has expired/);
    const doctor = await (await agent.get('/capabilities')).text();
    expect(doctor).toMatch(said);
    const page = await (await agent.get('/metrics')).text();
    for (const text of [agent.child.stderr, doctor, page]) expect(text).not.toContain(TOKEN);
  });

  it('takes a new token without a restart', async () => {
    server.token = 'another';
    await sees(agent, /^vmgauge_upstream_outcome\{upstream="antrea-agent",outcome="absent",reason="not_permitted"\} 1$/m);
    writeFileSync(path('token'), 'another');
    await sees(agent, /^vmgauge_upstream_up\{upstream="antrea-agent"\} 1$/m);
    writeFileSync(path('token'), TOKEN);
    server.token = TOKEN;
  });

  it('does not start with a URL that is none', async () => {
    const { stderr, code } = await runAgent(['--upstream.far.url=ftp://far.example/metrics']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^vmgauge: upstream\.far\.url: "ftp:\/\/far\.example\/metrics" must be .*\n$/),
    });
  });

  it('ends while a question is under way', async () => {
    const hanging = await startAgent(cleanup, [`--upstream.slow.url=${server.url}`, '--upstream.slow.insecure-skip-verify']);
    await sees(hanging, /^vmgauge_upstream_outcome\{upstream="slow"/m);
    await hanging.stop();
    expect((await hanging.child.ended).code).toBe(0);
  });
});

describe('an agent that asks itself', () => {
  it('finds that out', async () => {
    const socket = join(cleanup.directory(), 'socket');
    const flags = [`--web.listen-address=unix:${socket}`, `--upstream.mirror.url=unix:${socket}:/metrics`, '--upstream.mirror.interval=1s'];
    const agent = await startAgent(cleanup, flags);
    await agent.child.wrote('stderr', /upstream mirror: it is this agent itself/);
  });
});

describe('a command without an agent', () => {
  it.each([['list'], ['stats', 'nobody'], ['metrics', 'nobody'], ['doctor']])('%s asks no upstream', async (...words) => {
    const server = await UpstreamServer.start(PAGE);
    cleanup.add(() => server.close());
    const { stdout, stderr } = await runAgent([...words, `--upstream.a.url=${server.url}`]);
    expect(stdout + stderr).not.toBe('');
    expect(server.asked).toEqual([]);
  });
});

liveSuite('a real Prometheus', [program('prometheus'), program('promtool')], () => {
  it('reads what upstreams say through the agent, its own page among them', async () => {
    const upstream = await Prometheus.start(cleanup, {});
    const [, address] = await upstream.child.wrote('stderr', /"address":"(127\.0\.0\.1:[1-9]\d*)"/);
    const server = await UpstreamServer.start(PAGE);
    cleanup.add(() => server.close());
    const agent = await startAgent(cleanup, [
      ...[`--upstream.antrea-agent.url=${server.url}`, '--upstream.antrea-agent.interval=1s'],
      ...[`--upstream.prometheus.url=http://${address}/metrics`, '--upstream.prometheus.interval=1s'],
    ]);
    await sees(agent, /^vmgauge_upstream_up\{upstream="antrea-agent"\} 1$/m);
    await sees(agent, /^prometheus_build_info\{.*upstream="prometheus"\} 1$/m);
    const page = await (await agent.get('/metrics')).text();
    expect([0, DISLIKES]).toContain(spawnSync('promtool', ['check', 'metrics'], { input: page }).status);
    expect(await (await agent.get('/metrics', OPEN_METRICS)).text()).toMatch(/# EOF\n$/);

    const reader = await Prometheus.start(cleanup, { vmgauge: agent.port });
    const series = await until(
      async () => {
        const found = await reader.query('antrea_agent_ovs_flow_count{upstream="antrea-agent"}');
        return found.length > 0 ? found : undefined;
      },
      () => reader.child.stderr,
    );
    expect(series).toHaveLength(6);
    const buckets = 'antrea_agent_ovs_flow_ops_latency_milliseconds_bucket{upstream="antrea-agent"}';
    expect(await reader.query(`histogram_quantile(0.5, sum by (le) (${buckets}))`)).toHaveLength(1);
    expect(await reader.query('{__name__=~"prometheus_.*",upstream="prometheus"}')).not.toHaveLength(0);
    expect(reader.complaints).toEqual([]);
  });
});
