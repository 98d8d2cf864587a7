import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Collection } from '../../src/modules/collection/collection.js';
import { COLLECTORS } from '../../src/modules/collection/collectors.js';
import { HOST_COLLECTORS } from '../../src/modules/collection/host-collectors.js';
import { Agent } from './agent.js';
import { expectProblem } from './problem.js';
import { rootOf, story } from './stories.js';
import { type ParsedFamily, parseStrictly } from './strict-exposition.js';

const WEB = '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11';
const KVM = '3f0c6a1e-0000-4000-8000-0123456789ab';
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
/** What Prometheus 2.53 and 3.x send. */
const PROMETHEUS_2 =
  'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
const PROMETHEUS_3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

let agent: Agent;
beforeAll(async () => {
  agent = await Agent.start(rootOf(story('two-qemu')));
});
afterAll(() => agent.stop());

const page = async (query: string): Promise<ReadonlyMap<string, ParsedFamily>> =>
  parseStrictly(await agent.text(`/metrics${query}`), 'text');
const names = async (query: string): Promise<string[]> => [...(await page(query)).keys()];
/** Active collectors: what `collect[]` takes beside `self`. */
const GROUPS = [...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => about).filter(({ enabled }) => enabled);
/**
 * There is no switch on this host, no other exporter that it passes on, no pressure and no count of delays; its VMs have no cgroup of their own, and
 * nothing is traced.
 */
const IDLE = [
  ...['ovs', 'antrea', 'upstreams', 'host_pressure', 'block_io_delay'],
  ...['cgroup', 'cgroup_io', 'resources', 'pressure', 'latency', 'tracing', 'sockets'],
];

describe('the groups of /metrics', () => {
  it('together are the whole page, and share nothing', async () => {
    const whole = await names('');
    const parts = await Promise.all([...GROUPS.map(({ name }) => name), 'self'].map((group) => names(`?collect[]=${group}`)));
    expect(parts.flat().sort()).toEqual(whole);
    expect(new Set(parts.flat()).size).toBe(whole.length);
    // The VMs have no vhost thread, are no sandboxes, and nobody asks their VMMs.
    const { active } = agent.app.get(Collection).sampler;
    const silent = active.filter(({ collector }) => collector.concerns).map(({ collector }) => collector.about.name);
    expect(GROUPS.map(({ name }) => name).filter((_, index) => parts[index].length === 0)).toEqual(
      // The family of parts that got no row stands in the group `disks`, and is that of vCPUs as well.
      GROUPS.map(({ name }) => name).filter(
        (name) => name === 'vhost' || name === 'vmm' || IDLE.includes(name) || (name !== 'disks' && silent.includes(name)),
      ),
    );
  });

  it('can be picked, once or more often, with the same bytes as on the whole page', async () => {
    const whole = await agent.text('/metrics');
    for (const query of ['?collect[]=cpu', '?collect[]=io&collect[]=cpu', '?collect%5B%5D=self&collect[]=network']) {
      const part = await agent.text(`/metrics${query}`);
      expect(part.length).toBeGreaterThan(0);
      for (const family of part.split(/(?=# HELP )/)) expect(whole).toContain(family);
    }
    expect(await names('?collect[]=io&collect[]=cpu')).toEqual(
      [...(await names('?collect[]=cpu')), ...(await names('?collect[]=io'))].sort(),
    );
  });

  it('can be left out', async () => {
    const whole = await names('');
    for (const group of ['cpu', 'self', 'network']) {
      const own = new Set(await names(`?collect[]=${group}`));
      expect(await names(`?exclude[]=${group}`)).toEqual(whole.filter((name) => !own.has(name)));
    }
  });

  it.each(['collect[]', 'exclude[]'])('are named when %s asks for another', async (parameter) => {
    for (const group of ['nonsense', 'pss', 'CPU', '', 'x'.repeat(5000)]) {
      expectProblem(await agent.get(`/metrics?${parameter}=${group}`), 'invalid_request', /^unknown group .*there are allocation, cpu/);
    }
  });

  it('are picked or left out, not both', async () => {
    expectProblem(await agent.get('/metrics?collect[]=cpu&exclude[]=io'), 'invalid_request', 'collect[] and exclude[] do not go together');
  });

  it('include a collector that is switched on', async () => {
    const withPss = await Agent.start(rootOf(story('two-qemu')), { settings: { collectors: new Map([['pss', true]]) } });
    await withPss.get('/metrics?collect[]=pss').expect(200);
    await withPss.stop();
  });
});

describe('the instances of /metrics', () => {
  it.each(['instance', 'sandbox'])('can be picked by %s=, by id, name or beginning, with nothing about the agent', async (word) => {
    const one = await agent.text(`/metrics?${word}=${WEB}`);
    for (const key of ['web-1', '0b2b']) expect(await agent.text(`/metrics?${word}=${key}`)).toBe(one);
    expect(await agent.text('/instances/web-1/metrics')).toBe(one);
    for (const { samples } of parseStrictly(one, 'text').values()) {
      for (const { labels } of samples) expect(labels.get('instance_id')).toBe(WEB);
    }
  });

  it('have all their series on their own page', async () => {
    const whole = (await agent.text('/metrics')).split('\n').filter((line) => line.includes(`instance_id="${KVM}"`));
    const own = (await agent.text(`/instances/${KVM}/metrics`)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(own).toEqual(whole);
  });

  it('can be several', async () => {
    const both = await agent.text(`/metrics?instance=web-1&sandbox=${KVM}`);
    expect(both).toBe(await agent.text('/metrics?instance=exp-vm-1&instance=0b2b&instance=web-1'));
    expect(both).toContain(WEB);
    expect(both).toContain(KVM);
  });

  it('go together with a choice of groups and families', async () => {
    const lines = (await agent.text('/metrics?instance=web-1&collect[]=cpu&filter_family=hypeman_')).split('\n');
    expect(lines.slice(2)).toEqual([`hypeman_vm_cpu_seconds_total{instance_id="${WEB}",instance_name="web-1"} 3.38`, '']);
  });
});

describe('filter_family of /metrics', () => {
  it('keeps families by the beginning of their name', async () => {
    const whole = await names('');
    for (const prefixes of ['hypeman_', 'hypeman_,vmgauge_sweep', 'vmgauge_vm_cpu_seconds_total']) {
      const wanted = whole.filter((name) => prefixes.split(',').some((prefix) => name.startsWith(prefix)));
      expect(wanted.length).toBeGreaterThan(0);
      expect(await names(`?filter_family=${prefixes}`)).toEqual(wanted);
    }
    expect(await names('?filter_family=hypeman_&filter_family=vmgauge_sweep')).toEqual(
      await names('?filter_family=hypeman_,vmgauge_sweep'),
    );
  });

  it('leaves an empty page, a valid one, where nothing begins so', async () => {
    expect(await agent.text('/metrics?filter_family=nothing_')).toBe('');
    expect(await agent.text('/metrics?filter_family=nothing_', { accept: OPEN_METRICS })).toBe('# EOF\n');
  });
});

describe('the format of /metrics', () => {
  it.each([
    [undefined, TEXT],
    ['*/*', TEXT],
    ['text/html', TEXT],
    ['nonsense;;;q=', TEXT],
    ['text/plain', TEXT],
    ['text/plain;version=0.0.4', TEXT],
    ['application/openmetrics-text', OPEN_METRICS],
    ['APPLICATION/OPENMETRICS-TEXT; Version="1.0.0"', OPEN_METRICS],
    ['application/openmetrics-text;version=2.0.0', TEXT],
    ['application/openmetrics-text;q=0,*/*', TEXT],
    ['application/openmetrics-text;q=0.1,text/plain;q=0.9', TEXT],
    ['text/plain;q=0.1,application/openmetrics-text;q=0.9', OPEN_METRICS],
    [PROMETHEUS_2, OPEN_METRICS],
    [PROMETHEUS_3, OPEN_METRICS],
    [
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3',
      TEXT,
    ],
    [`${'a/b,'.repeat(3000)}application/openmetrics-text`, TEXT],
  ])('follows Accept: %s', async (accept, expected) => {
    for (const path of ['/metrics', '/instances/web-1/metrics']) {
      const request = agent.get(path);
      const response = await (accept === undefined ? request.unset('accept') : request.set('accept', accept));
      expect([response.status, response.headers['content-type']]).toEqual([200, expected]);
      expect(response.text.endsWith('\n# EOF\n')).toBe(expected === OPEN_METRICS);
    }
  });

  it('is not to be kept, and differs by Accept and coding', async () => {
    const { headers } = await agent.get('/metrics');
    expect(headers).toMatchObject({ 'cache-control': 'no-store', vary: 'accept, accept-encoding', 'x-content-type-options': 'nosniff' });
  });

  it.each([
    ['gzip', true],
    ['gzip;q=0.5, identity', true],
    ['*', true],
    ['gzip;q=0', false],
    ['*;q=0', false],
    ['identity', false],
    ['br, deflate', false],
    ['', false],
  ])('is compressed when Accept-Encoding is %j: %s', async (coding, compressed) => {
    const plain = await agent.text('/metrics', { 'accept-encoding': 'identity' });
    // The client unpacks what it gets.
    const response = await agent.get('/metrics').set('accept-encoding', coding).expect(200, plain);
    expect(response.headers['content-encoding']).toBe(compressed ? 'gzip' : undefined);
    expect(Number(response.headers['content-length']) < Buffer.byteLength(plain)).toBe(compressed);
  });

  it('is not compressed where it is shorter than a packet', async () => {
    const { headers } = await agent.get('/metrics?filter_family=vmgauge_sweeps').set('accept-encoding', 'gzip');
    expect(headers['content-encoding']).toBeUndefined();
  });
});

describe('the time a scraper has', () => {
  it.each(['10', '0.2', '0', '-1', 'abc', '1e9', 'Infinity'])('may be anything: %s', async (seconds) => {
    await agent.get('/metrics').set('x-prometheus-scrape-timeout-seconds', seconds).expect(200);
  });
});

it('serves the page under the path that the settings give it', async () => {
  const moved = await Agent.start(rootOf(story('two-qemu')), { settings: { telemetryPath: '/probe/vmgauge' } });
  expect(await moved.text('/probe/vmgauge?exclude[]=self')).toBe(await agent.text('/metrics?exclude[]=self'));
  expectProblem(await moved.get('/metrics'), 'not_found');
  await moved.stop();
});

it('leaves no answer for an instance that does not run', async () => {
  const hypeman = await Agent.start(rootOf(story('hypeman')));
  for (const name of ['asleep', 'crashed']) {
    expectProblem(await hypeman.get(`/instances/${name}/metrics`), 'not_found', `Container ID (${name}) does not exist`);
  }
  await hypeman.stop();
});
