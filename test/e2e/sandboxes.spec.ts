import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InstanceRecord, InstanceSource, Sandbox } from '../../src/model/instance.js';
import type { KataDirectories } from '../../src/model/kata-directories.js';
import { Agent, type AgentOptions } from './agent.js';
import { systemError } from './faults.js';
import { expectGolden } from './golden.js';
import { expectProblem } from './problem.js';
import { promtoolComplaints, promtoolMissing } from './promtool.js';
import { rootOf, story } from './stories.js';
import { parseStrictly } from './strict-exposition.js';

const NO_PROMTOOL = promtoolMissing();

/** Ids of the two VMs that are recorded; the first one's is older than its turn to be a sandbox. */
const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const PIDS = { [A]: 13463, [B]: 15376 };

/** A source that makes sandboxes of recorded VMs, and may be told otherwise at any time. */
class ToldKata implements InstanceSource, KataDirectories {
  readonly name = 'told';
  directories = { present: true, roots: [{ root: '/run/vc/sbs', counts: { live: 2, phantom: 0, stale: 1 } }] };
  records: readonly InstanceRecord[] = [sandbox(B), sandbox(A)];

  list(): readonly InstanceRecord[] {
    return this.records;
  }
}

function sandbox(id: string, change: Partial<Sandbox> = {}): InstanceRecord {
  const pod = { uid: `uid-${id[0]}`, name: `pod-${id[0]}`, namespace: 'shop' };
  return {
    id,
    name: pod.name,
    process: { pid: PIDS[id] },
    sandbox: { runtime: 'go', vmmInShim: false, pod, agentUrl: `vsock://${id.charCodeAt(0)}:1024`, ...change },
  };
}

let kata: ToldKata;
const agents: Agent[] = [];
async function start(options: AgentOptions = {}): Promise<Agent> {
  const agent = await Agent.start(rootOf(story('two-qemu')), { sources: [kata], ...options });
  agents.push(agent);
  return agent;
}
beforeEach(() => {
  kata = new ToldKata();
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});

/** The process of a sandbox is reaped. */
async function end(agent: Agent, id: string): Promise<void> {
  agent.host.faults.break(new RegExp(`^proc/${PIDS[id]}/`), { error: systemError('ESRCH', `process ${PIDS[id]}`) });
  await agent.sweep();
}

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe('/sandboxes', () => {
  it('has the id of each sandbox that runs on a line of its own, sorted', async () => {
    const agent = await start();
    const response = await agent.get('/sandboxes').unset('accept').expect(200).expect('content-type', 'text/plain; charset=utf-8');
    expectGolden('sandboxes.txt', response.text);
    expect(response.text).toBe(`${A}\n${B}\n`);
    expect(response.headers).toMatchObject({ vary: 'accept', 'cache-control': 'no-store' });
  });

  it('has no other VM, and no sandbox that has ended', async () => {
    kata.records = [sandbox(A), { id: 'vm', process: { pid: PIDS[B] } }];
    const agent = await start();
    expect(await agent.text('/sandboxes')).toBe(`${A}\n`);
    await end(agent, A);
    expect(await agent.text('/sandboxes')).toBe('');
    expect(await agent.text('/sandboxes', { accept: 'text/html' })).toContain('None runs on this host');
  });

  it.each([
    ['text/html', true],
    [BROWSER, true],
    ['text/html;q=0.4, text/plain;q=0.3', true],
    ['*/*', false],
    ['text/plain', false],
    ['text/html;q=0.1, */*', false],
    ['text/html;q=0', false],
    ['application/json', false],
    ['application/xtext/html', false],
  ])('is a list with links where Accept prefers HTML: %s, %s', async (accept, isHtml) => {
    const agent = await start();
    const response = await agent.get('/sandboxes').set('accept', accept).expect(200);
    expect(response.headers['content-type']).toBe(isHtml ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8');
    expect(response.headers.vary).toBe('accept');
  });

  it('links pages that answer, and allows a browser nothing else', async () => {
    const agent = await start({ settings: { telemetryPath: '/probe/metrics' } });
    const response = await agent.get('/sandboxes').set('accept', BROWSER);
    const links = [...response.text.matchAll(/href="([^"]+)"/g)].map(([, href]) => href).filter((href) => href !== 'data:,');
    expect(links).toHaveLength(8);
    for (const href of links) await agent.get(`/${href}`).expect(200);
    const style = /<style>(.*)<\/style>/.exec(response.text)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(response.headers['content-security-policy']).toContain(`default-src 'none'; style-src 'sha256-${hash}'`);
  });
});

describe('/agent-url', () => {
  it('has the URL of the sandbox, which may be named as everywhere', async () => {
    const agent = await start();
    const byId = await agent.get(`/agent-url?sandbox=${A}`).expect(200).expect('content-type', 'text/plain; charset=utf-8');
    expectGolden('agent-url.txt', byId.text);
    expect(byId.text).toBe('vsock://97:1024\n');
    for (const key of ['pod-a', 'aaaa']) expect(await agent.text(`/agent-url?sandbox=${key}`)).toBe(byId.text);
    expect(byId.headers['cache-control']).toBe('no-store');
  });

  it('refuses a question without a sandbox, or with two', async () => {
    const agent = await start();
    for (const query of ['', '?sandbox=', '?sandbox', `?sandbox=${A}&sandbox=${B}`, '?sandbox[]=x', '?id=x']) {
      expectProblem(await agent.get(`/agent-url${query}`), 'invalid_request', 'sandbox= must name one sandbox');
    }
    for (const bad of ['..', '%2e%2e%2fx', '-x', '%00', 'x'.repeat(129)])
      expectProblem(await agent.get(`/agent-url?sandbox=${bad}`), 'invalid_id');
  });

  it('knows no sandbox that nobody named, that is another VM, or that ended', async () => {
    kata.records = [sandbox(A), { id: 'vm', process: { pid: PIDS[B] } }];
    const agent = await start();
    for (const id of ['nobody', 'vm']) {
      expectProblem(await agent.get(`/agent-url?sandbox=${id}`), 'not_found', `Container ID (${id}) does not exist`);
    }
    await end(agent, A);
    expectProblem(await agent.get('/agent-url?sandbox=pod-a'), 'not_found', 'Container ID (pod-a) does not exist');
  });

  it('says so where the sandbox runs and nothing tells its URL', async () => {
    kata.records = [sandbox(A, { agentUrl: undefined })];
    const agent = await start();
    expectProblem(
      await agent.get('/agent-url?sandbox=pod-a'),
      'not_found',
      `no file and no command line tells where the agent of sandbox ${A} listens`,
    );
  });

  it('asks for an id where two pods have one name', async () => {
    kata.records = [
      { ...sandbox(A), name: 'web' },
      { ...sandbox(B), name: 'web' },
    ];
    const agent = await start();
    for (const path of [
      '/agent-url?sandbox=web',
      '/instances/web',
      '/instances/web/stats',
      '/instances/web/metrics',
      '/metrics?sandbox=web',
    ])
      expectProblem(await agent.get(path), 'ambiguous', 'more than one instance matches web; use a full id');
  });
});

describe('/metrics', () => {
  it('takes the id of a sandbox, and keeps its labels', async () => {
    const agent = await start();
    const text = await agent.text(`/metrics?sandbox=${A}&filter_family=vmgauge_vm_pod`);
    expect(text.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      `vmgauge_vm_pod_info{instance_id="${A}",pod_uid="uid-a",pod_name="pod-a",pod_namespace="shop",runtime="go"} 1`,
      `vmgauge_vm_pod_metadata_missing{instance_id="${A}"} 0`,
      '',
    ]);
  });

  it('says how Kata’s directories are, and what kata-monitor says of itself', async () => {
    kata.records = kata.records.map((record) => ({ ...record, companions: [{ role: 'shim', pid: 1, startTicks: 1 }] }));
    const agent = await start({ settings: { exporterMetrics: true } });
    const lines = (await agent.text('/metrics')).split('\n');
    for (const line of [
      'vmgauge_kata_directories{root="/run/vc/sbs",state="live"} 2',
      'vmgauge_kata_directories{root="/run/vc/sbs",state="stale"} 1',
      'kata_monitor_running_shim_count 2',
      'kata_monitor_scrape_count 1',
      'kata_monitor_scrape_failed_count 0',
      'kata_monitor_scrape_durations_histogram_milliseconds_count 0',
    ])
      expect(lines).toContain(line);
    for (const word of ['process_open_fds', 'process_max_fds', 'process_virtual_memory_bytes', 'go_threads', 'go_goroutines'])
      expect(lines.some((line) => line.startsWith(`kata_monitor_${word} `))).toBe(true);
    expectProblem(await agent.get('/metrics?collect[]=nobody'), 'invalid_request');
    const again = (await agent.text('/metrics?filter_family=kata_monitor_scrape')).split('\n');
    expect(again).toContain('kata_monitor_scrape_count 3');
    expect(again).toContain('kata_monitor_scrape_failed_count 0');
    expect(again).toContain('kata_monitor_scrape_durations_histogram_milliseconds_count 2');
  });

  it('with all of it is a page that a strict parser reads in both formats, and promtool has nothing against', async () => {
    const agent = await start({ settings: { exporterMetrics: true } });
    const text = await agent.text('/metrics');
    expect(parseStrictly(text, 'text').get('kata_monitor_go_gc_duration_seconds')?.type).toBe('summary');
    const open = parseStrictly(await agent.text('/metrics', { accept: 'application/openmetrics-text' }), 'openmetrics');
    expect(open.get('kata_monitor_scrape_count')?.type).toBe('unknown');
    expect(open.get('kata_monitor_scrape_durations_histogram_milliseconds')?.type).toBe('histogram');
    if (NO_PROMTOOL === undefined) expect(promtoolComplaints(text)).toBe('');
  });

  it('has nothing of it where Kata is not', async () => {
    kata.directories = { present: false, roots: [] };
    kata.records = [];
    const agent = await start({ settings: { exporterMetrics: true } });
    expect(await agent.text('/metrics')).not.toMatch(/^(kata|vmgauge_kata|vmgauge_vm_pod)_/m);
  });
});

it('unknown paths stay unknown, unlike those of kata-monitor', async () => {
  const agent = await start();
  for (const path of ['/nothing', '/sandboxes/x', '/agent-url/x', '/debug/pprof/', '/cmdline'])
    expectProblem(await agent.get(path), 'not_found');
});

it('the page for people says which machines are sandboxes', async () => {
  const agent = await start();
  const html = await agent.text('/', { accept: BROWSER });
  expect(html).toContain('<a href="sandboxes">2 Kata sandboxes</a>');
  expect(html).toContain('<bdi>Kata pod shop/pod-a</bdi>');
  expect(await agent.text('/')).toMatch(/2 instances, 2 Kata sandboxes, read/);
  kata.records = [sandbox(A, { pod: undefined })];
  await agent.rescan();
  expect(await agent.text('/', { accept: BROWSER })).toContain('<bdi>Kata</bdi>');
});
