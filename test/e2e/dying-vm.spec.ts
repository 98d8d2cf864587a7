import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { CopiedHost } from './copy.js';
import { systemError } from './faults.js';
import { expectProblem } from './problem.js';
import { parseStrictly } from './strict-exposition.js';

const ALIVE = '11111111-0000-4000-8000-000000000001';
const VANISHING = { id: '11111111-0000-4000-8000-000000000002', pid: '3101' };
/** The default of collection.stopped-retention. */
const RETENTION_MS = 300_000;

let host: CopiedHost;
let agent: Agent;
beforeEach(async () => {
  host = new CopiedHost('dying-vm');
  agent = await Agent.start(host.root);
  await agent.sweep();
});
afterEach(async () => {
  await agent.stop();
  host.remove();
});

const json = async (path: string) => JSON.parse(await agent.text(path));
const linesOf = async (id: string): Promise<string[]> => (await agent.text('/metrics')).split('\n').filter((line) => line.includes(id));

/** In place, so that who holds the file sees it: state letter, user and system ticks. */
function rewriteStat(pid: string, change: { state?: string; user: number; system: number }): void {
  const path = host.path('proc', pid, 'stat');
  const [head, tail] = readFileSync(path, 'utf8').split(') ');
  const fields = tail.split(' ');
  fields[0] = change.state ?? fields[0];
  fields[11] = String(change.user);
  fields[12] = String(change.system);
  writeFileSync(path, `${head}) ${fields.join(' ')}`);
}

describe('a VM that ends', () => {
  it('as a zombie leaves its final totals, and then no series but that it is down', async () => {
    const before = await json(`/instances/${VANISHING.id}/stats`);
    const others = await agent.text(`/instances/${ALIVE}/metrics`);
    rewriteStat(VANISHING.pid, { state: 'Z', user: 90_000, system: 1234 });
    await agent.sweep();
    const stats = await json(`/instances/${VANISHING.id}/stats`);
    expect(stats).toMatchObject({ state: 'stopped', cpu_seconds: 912.34, generation: 1, rates: null });
    // What only a living process tells is as it was last read.
    for (const word of ['memory_rss_bytes', 'memory_vms_bytes', 'network_rx_bytes', 'network_tx_bytes', 'process'])
      expect(stats[word]).toEqual(before[word]);
    expect(await json(`/instances/${VANISHING.id}`)).toMatchObject({
      state: 'stopped',
      pid: null,
      processes: [],
      ended_at: '2026-01-02T04:00:10.000Z',
    });
    expectProblem(await agent.get(`/instances/${VANISHING.id}/metrics`), 'not_found', `Container ID (${VANISHING.id}) does not exist`);
    expect(await linesOf(VANISHING.id)).toEqual([`vmgauge_instance_up{instance_id="${VANISHING.id}"} 0`]);
    expect(await agent.text(`/instances/${ALIVE}/metrics`)).toBe(others);
    expect((await json('/stats')).instances.map((one: { instance_id: string }) => one.instance_id)).not.toContain(VANISHING.id);
  });

  it('between two sweeps leaves what was read last', async () => {
    const before = await json(`/instances/${VANISHING.id}/stats`);
    agent.host.faults.break(new RegExp(`^proc/${VANISHING.pid}/`), { error: systemError('ESRCH') });
    await agent.sweep();
    const stats = await json(`/instances/${VANISHING.id}/stats`);
    expect(stats).toEqual({ ...before, state: 'stopped', rates: null, collectors: stats.collectors });
    expect(await linesOf(VANISHING.id)).toEqual([`vmgauge_instance_up{instance_id="${VANISHING.id}"} 0`]);
  });

  it('is remembered for the retention and then forgotten', async () => {
    rewriteStat(VANISHING.pid, { state: 'Z', user: 1, system: 1 });
    await agent.sweep();
    rmSync(host.path('proc', VANISHING.pid), { recursive: true });
    await agent.rescan();
    await agent.get(`/instances/${VANISHING.id}/stats`).expect(200);
    agent.host.clock.advance(RETENTION_MS);
    await agent.rescan();
    for (const rest of ['', '/stats', '/metrics']) expectProblem(await agent.get(`/instances/${VANISHING.id}${rest}`), 'not_found');
    expect(await linesOf(VANISHING.id)).toEqual([]);
    await agent.get(`/instances/${ALIVE}/stats`).expect(200);
  });

  it('and starts anew has counters, rates and a generation of its own', async () => {
    rewriteStat(VANISHING.pid, { state: 'Z', user: 90_000, system: 0 });
    await agent.sweep();
    rmSync(host.path('proc', VANISHING.pid), { recursive: true });
    const pid = '3901';
    cpSync(host.path('proc', '3001'), host.path('proc', pid), { recursive: true, verbatimSymlinks: true });
    const own = (file: string, change: (text: string) => string): void =>
      writeFileSync(host.path('proc', pid, file), change(readFileSync(host.path('proc', pid, file), 'utf8')));
    own('stat', (text) => text.replace(/^3001 /, '3901 ').replace(' 50000 ', ' 80000 '));
    own('cmdline', (text) => text.replace(ALIVE, VANISHING.id).replace('guest=alive', 'guest=vanishing'));
    await agent.rescan();
    const stats = await json(`/instances/${VANISHING.id}/stats`);
    expect(stats).toMatchObject({ state: 'running', generation: 2, cpu_seconds: 10.13, started_at: '2026-01-02T03:13:20.000Z' });
    expect(stats.rates === null || stats.rates.cpu_cores === null).toBe(true);
    await agent.sweep();
    expect((await json(`/instances/${VANISHING.id}/stats`)).rates).toMatchObject({ window_seconds: 5, cpu_cores: 0 });
  });
});

it('counts a VM that was a zombie before it was seen as stopped, with nothing known', async () => {
  const stats = await json('/instances/zombie/stats');
  expect(stats).toMatchObject({ state: 'stopped', source: 'libvirt', cpu_seconds: null, memory_rss_bytes: null });
  expect(await linesOf(stats.instance_id)).toEqual([`vmgauge_instance_up{instance_id="${stats.instance_id}"} 0`]);
});

it('gives what is left of a process that lacks files, and says what is missing', async () => {
  const stats = await json('/instances/half-gone/stats');
  expect(stats).toMatchObject({ state: 'running', cpu_seconds: 10.13, memory_rss_bytes: null, network_rx_bytes: null });
  const gone = Object.entries<{ reason?: string }>(stats.collectors).filter(([, { reason }]) => reason === 'gone');
  expect(gone.map(([name]) => name)).toEqual([
    'memory',
    'memory_detail',
    'limits',
    'context_switches',
    'io',
    'wait',
    'contention',
    'network',
    'interfaces',
    'instance_conntrack',
    'vcpus',
  ]);
  const page = parseStrictly(await agent.text('/instances/half-gone/metrics'), 'text');
  expect([...page.keys()].filter((name) => /memory_(rss|vms)|network|_io_/.test(name))).toEqual([]);
});

it('lists no process of which there is a name or a stat alone', async () => {
  const { instances } = await json('/instances');
  expect(instances.map(({ pid }: { pid: number | null }) => pid)).toEqual([3001, 3101, null, 3301]);
});
