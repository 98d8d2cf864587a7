import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { expectProblem } from './problem.js';
import { rootOf, story } from './stories.js';

let agent: Agent;
beforeAll(async () => {
  agent = await Agent.start(rootOf(story('hypeman')));
});
afterAll(() => agent.stop());

const ratesOf = async (query = ''): Promise<Record<string, number | null> | null> =>
  JSON.parse(await agent.text(`/instances/web/stats${query}`)).rates;

describe('GET /instances/{id}/stats', () => {
  it('has the ten fields of hypeman first, in its order', async () => {
    const stats = JSON.parse(await agent.text('/instances/web/stats'));
    expect(Object.keys(stats).slice(0, 10)).toEqual([
      'instance_id',
      'instance_name',
      'cpu_seconds',
      'memory_rss_bytes',
      'memory_vms_bytes',
      'network_rx_bytes',
      'network_tx_bytes',
      'allocated_vcpus',
      'allocated_memory_bytes',
      'memory_utilization_ratio',
    ]);
    expect(stats.memory_rss_bytes).toBe(stats.memory.rss_bytes);
    expect(stats.memory_vms_bytes).toBe(stats.memory.virtual_bytes);
    expect(stats.memory_utilization_ratio).toBe(stats.memory_rss_bytes / stats.allocated_memory_bytes);
  });

  it('answers for an instance that does not run, with nulls and the reason', async () => {
    for (const [name, state] of [
      ['asleep', 'standby'],
      ['crashed', 'stopped'],
    ]) {
      const stats = JSON.parse(await agent.text(`/instances/${name}/stats`));
      expect(stats).toMatchObject({ state, cpu_seconds: null, memory_rss_bytes: null, network_rx_bytes: null, rates: null });
      for (const outcome of Object.values(stats.collectors))
        expect(outcome).toMatchObject({ outcome: 'absent', reason: expect.anything() });
      // What its source says was given to it is known all the same.
      expect(JSON.parse(await agent.text(`/instances/${name}`)).allocated).toEqual({ vcpus: 2, memory_bytes: 1_073_741_824 });
    }
  });

  it('forms rates over the last two sweeps, or over the window asked for', async () => {
    const fresh = await Agent.start(rootOf(story('hypeman')));
    const rates = async (query = '') => JSON.parse(await fresh.text(`/instances/web/stats${query}`)).rates;
    for (let sweep = 0; sweep < 24; sweep++) await fresh.sweep(1, 5000);
    expect((await rates()).window_seconds).toBe(5);
    expect((await rates('?window=60s')).window_seconds).toBe(60);
    expect((await rates('?window=1m')).window_seconds).toBe(60);
    expect((await rates('?window=30')).window_seconds).toBe(30);
    // Longer than the agent runs: as far back as it knows.
    expect((await rates('?window=310s')).window_seconds).toBe(120);
    expect((await rates('?window=5m')).cpu_cores).toBe(0);
    await fresh.stop();
  });

  it.each(['0', '0s', '311', '311s', '6m', '-5', '5h', 'abc', '', '1e2', '5 s', '٥', '99999999999999999999'])(
    'refuses the window %j',
    async (window) => {
      for (const path of ['/instances/web/stats', '/stats']) {
        expectProblem(await agent.get(`${path}?window=${encodeURIComponent(window)}`), 'invalid_request', 'window must be from 1s to 310s');
      }
    },
  );

  it('refuses two windows', async () => {
    for (const path of ['/instances/web/stats', '/stats']) expectProblem(await agent.get(`${path}?window=5s&window=6s`), 'invalid_request');
  });

  it('looks up the id before it complains of the window', async () => {
    expectProblem(await agent.get('/instances/nobody/stats?window=0'), 'not_found');
  });

  it('has no rates after one sweep of an instance', async () => {
    const rates = await ratesOf();
    // The two sweeps at the start are at the same moment here.
    expect(rates).toMatchObject({ window_seconds: 0, cpu_cores: null });
  });
});

describe('GET /stats', () => {
  it('gives all running instances of one sweep, each as its own route gives it', async () => {
    const all = JSON.parse(await agent.text('/stats'));
    expect(Object.keys(all)).toEqual(['collected_at', 'skew_ms', 'sequence', 'host', 'instances']);
    expect(all.instances.map((stats: { instance_name: string }) => stats.instance_name)).toEqual(['db', 'build', 'web']);
    for (const stats of all.instances) expect(stats).toEqual(JSON.parse(await agent.text(`/instances/${stats.instance_id}/stats`)));
  });

  it('gives one document a line when asked for NDJSON', async () => {
    const response = await agent.get('/stats').set('accept', 'application/x-ndjson').expect(200);
    expect(response.headers['content-type']).toBe('application/x-ndjson');
    const lines = response.text.split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line))).toEqual(JSON.parse(await agent.text('/stats')).instances);
  });

  it('takes a window', async () => {
    await agent.sweep();
    const all = JSON.parse(await agent.text('/stats?window=5s'));
    for (const { rates } of all.instances) expect(rates.window_seconds).toBe(5);
  });

  it('does not read the host again within the maximum age, and does beyond it', async () => {
    const sequence = async (): Promise<number> => JSON.parse(await agent.text('/stats')).sequence;
    const first = await sequence();
    agent.host.clock.advance(1000);
    expect(await sequence()).toBe(first);
    agent.host.clock.advance(1);
    expect(await sequence()).toBe(first + 1);
    expect(await sequence()).toBe(first + 1);
  });
});
