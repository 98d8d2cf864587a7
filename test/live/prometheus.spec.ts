import { get } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from './agent.js';
import { run } from './child.js';
import { Cleanup } from './cleanup.js';
import { liveSuite, program, root, tap } from './needs.js';
import { Prometheus, type Scrape, type Series, startWay } from './prometheus.js';
import { until } from './until.js';
import { makeNamespace, startVm, type Vm } from './vm.js';

const cleanup = new Cleanup();
const SCRAPES = 4;
const JOBS = ['openmetrics', 'text'] as const;

liveSuite('a real Prometheus', [program('prometheus'), program('promtool'), program('qemu-system-x86_64'), root, tap], () => {
  let vms: readonly Vm[];
  let agent: RunningAgent;
  let prometheus: Prometheus;
  const scrapes: Record<(typeof JOBS)[number], Scrape[]> = { openmetrics: [], text: [] };

  beforeAll(async () => {
    vms = [
      await startVm(cleanup, { name: 'with "quotes" and \\', vcpus: 2, namespace: await makeNamespace(cleanup) }),
      await startVm(cleanup, { vcpus: 1, namespace: await makeNamespace(cleanup) }),
    ];
    agent = await startAgent(cleanup, []);
    for (const { id } of vms) await agent.sees(id);
    const ways = {
      openmetrics: await startWay(cleanup, agent.port),
      text: await startWay(cleanup, agent.port, 'text/plain;version=0.0.4'),
    };
    for (const job of JOBS) scrapes[job] = ways[job].scrapes;
    prometheus = await Prometheus.start(cleanup, { openmetrics: ways.openmetrics.port, text: ways.text.port });
    await until(
      () => (JOBS.every((job) => scrapes[job].length >= SCRAPES) ? true : undefined),
      () => `${SCRAPES} scrapes of each job:\n${prometheus.child.stderr}`,
    );
  });

  it('scrapes in the protocol it asks for, compressed', () => {
    const [openMetrics, text] = JOBS.map(
      (job) => new Set(scrapes[job].map(({ status, type, encoding }) => `${status} ${type} ${encoding}`)),
    );
    expect([...openMetrics]).toEqual(['200 application/openmetrics-text; version=1.0.0; charset=utf-8 gzip']);
    expect([...text]).toEqual(['200 text/plain; version=0.0.4; charset=utf-8 gzip']);
    expect(scrapes.openmetrics[0].accept).toMatch(/^application\/openmetrics-text/);
  });

  it('finds the target up from the first scrape on and has nothing to complain of', async () => {
    expect(await prometheus.targets()).toEqual(JOBS.map(() => expect.objectContaining({ health: 'up', lastError: '' })));
    expect(numbers(await prometheus.query('min_over_time(up[5m])'))).toEqual([1, 1]);
    const [least] = numbers(await prometheus.query('min(scrape_samples_post_metric_relabeling)'));
    expect(least).toBeGreaterThan(100);
    expect(prometheus.complaints).toEqual([]);
  });

  it('keeps the same families and the same instances in both protocols', async () => {
    // The jobs are scraped one after the other: a family that came in between is in one of them only until the next time.
    await until(
      async () => {
        const [both] = numbers(
          await prometheus.query('count(count by (__name__) ({job="openmetrics"}) and count by (__name__) ({job="text"}))'),
        );
        const each = numbers(await prometheus.query('count by (job) (count by (job, __name__) ({job=~".+"}))'));
        return each.length === JOBS.length && each.every((count) => count === both) ? each : undefined;
      },
      () => 'as many families in both jobs',
    );
  });

  it.each<[string, (value: number, vm: Vm) => void]>([
    [
      'rate(hypeman_vm_cpu_seconds_total[1m]) / hypeman_vm_allocated_vcpus',
      (value) => {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(1);
      },
    ],
    [
      'hypeman_vm_memory_rss_bytes / hypeman_vm_allocated_memory_bytes * 100',
      (value, { memoryBytes }) => expect(value).toBeGreaterThan((2 ** 20 / memoryBytes) * 100),
    ],
    ['rate(hypeman_vm_network_rx_bytes_total[1m])', (value) => expect(value).toBeGreaterThanOrEqual(0)],
    ['rate(hypeman_vm_network_tx_bytes_total[1m])', (value) => expect(value).toBeGreaterThanOrEqual(0)],
    ['hypeman_vm_memory_utilization_ratio', (value) => expect(value).toBeGreaterThan(0)],
    ['hypeman_vm_allocated_vcpus', (value, { vcpus }) => expect(value).toBe(vcpus)],
  ])('answers the query %s for each VM in each job', async (expression, check) => {
    const found = await until(
      async () => {
        const series = await prometheus.query(expression);
        return vms.every(({ id }) => of(series, id).length === JOBS.length) ? series : undefined;
      },
      () => expression,
    );
    for (const vm of vms) {
      for (const { labels, value } of of(found, vm.id)) {
        expect(labels.instance_name).toBe(vm.name);
        check(value, vm);
      }
    }
  });

  it('has the numbers of the process', async () => {
    const { memory_rss_bytes: rss, memory_vms_bytes: virtual } = await agent.sees(vms[0].id);
    const [seenRss] = of(await prometheus.query('hypeman_vm_memory_rss_bytes'), vms[0].id);
    const [seenVirtual] = of(await prometheus.query('hypeman_vm_memory_vms_bytes'), vms[0].id);
    expect([seenRss.value, seenVirtual.value]).toEqual([rss, virtual]);
  });

  it('finds its linter with nothing to say', async () => {
    for (const path of ['/metrics', `/instances/${vms[0].id}/metrics`]) {
      const page = await (await agent.get(path)).text();
      expect(page).toContain(vms[0].id);
      const { code, stdout, stderr } = await run('promtool', ['check', 'metrics'], { input: page });
      expect({ path, code, stdout, stderr }).toEqual({ path, code: 0, stdout: '', stderr: '' });
    }
  });

  it.each(['text/plain', 'application/openmetrics-text'])(
    'finds each series once on the page in %s: it would drop a second one in silence',
    async (accept) => {
      const page = await (await agent.get('/metrics', { accept })).text();
      const series = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      const names = series.map((line) => line.slice(0, line.lastIndexOf(' ')));
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
      expect(names.length).toBeGreaterThan(100);
    },
  );

  it('unpacks the same page as is given unpacked, within one max-age', async () => {
    const quiet = await startAgent(cleanup, ['--collection.max-age=1h', '--collection.interval=1h', '--discovery.interval=1h']);
    await quiet.sees(vms[0].id);
    const groups = ['cpu', 'memory', 'process', 'io', 'network', 'allocation'].map((name) => `collect[]=${name}`).join('&');
    for (const accept of ['text/plain', 'application/openmetrics-text']) {
      const [plain, packed] = await Promise.all(['identity', 'gzip'].map((coding) => rawPage(quiet, `/metrics?${groups}`, accept, coding)));
      expect([plain.coding, packed.coding]).toEqual([undefined, 'gzip']);
      expect(plain.bytes.length).toBeGreaterThan(1024);
      expect(gunzipSync(packed.bytes).equals(plain.bytes)).toBe(true);
    }
  });
});

const numbers = (series: readonly Series[]): readonly number[] => series.map(({ value }) => value);
const of = (series: readonly Series[], id: string): readonly Series[] => series.filter(({ labels }) => labels.instance_id === id);

/** The page as it goes over the wire: fetch would unpack it. */
function rawPage(
  agent: RunningAgent,
  path: string,
  accept: string,
  coding: string,
): Promise<{ coding: string | undefined; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    get(agent.url + path, { headers: { accept, 'accept-encoding': coding } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ coding: response.headers['content-encoding'], bytes: Buffer.concat(chunks) }));
    }).on('error', reject);
  });
}
