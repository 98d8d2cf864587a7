import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { PACKAGE, type RunningAgent, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { liveSuite, program } from './needs.js';
import { Prometheus, type Series } from './prometheus.js';
import { shimText } from './shim-text.js';
import { until } from './until.js';

interface Query {
  readonly expression: string;
  /** Words that the dashboard's legend takes from each series. */
  readonly labels: readonly string[];
}

const HOST = join(PACKAGE, 'fixtures/hosts/kata-go-qemu');
// The fixture's own shape; a query that is none fails below.
const { queries } = JSON.parse(readFileSync(join(PACKAGE, 'fixtures/kata/dashboard-queries.json'), 'utf8')) as {
  queries: readonly Query[];
};
/** Families that no release of Kata gives any more, whoever is asked. */
const DROPPED: ReadonlyMap<string, string> = new Map(
  ['kata_agent_process_open_fds', 'kata_agent_process_resident_memory_bytes'].map((family) => [
    family,
    'Kata’s agent keeps a registry of its own, without process metrics, since bf8848f926',
  ]),
);
const isDropped = ({ expression }: Query): boolean => DROPPED.has(expression);

const cleanup = new Cleanup();

liveSuite('the dashboard that Kata publishes', [program('prometheus')], () => {
  let ids: readonly string[];
  let agent: RunningAgent;
  let prometheus: Prometheus;

  beforeAll(async () => {
    // A socket's path has at most 107 bytes, of which an id takes 64: a short name.
    const run = mkdtempSync(join(tmpdir(), 'k'));
    cleanup.add(() => rmSync(run, { recursive: true, force: true }));
    cpSync(join(HOST, 'run'), run, { recursive: true, verbatimSymlinks: true });
    ids = readdirSync(join(run, 'vc/sbs')).filter((id) => /^[0-9a-f]{64}$/.test(id));
    for (const id of ids) await startShim(join(run, 'vc/sbs', id, 'shim-monitor.sock'));
    agent = await startAgent(cleanup, [
      `--path.procfs=${HOST}/proc`,
      `--path.sysfs=${HOST}/sys`,
      `--path.cgroup=${HOST}/sys/fs/cgroup`,
      `--path.run=${run}`,
      '--shim.socket-runtimes=go/qemu',
      '--shim.socket-interval=1s',
    ]);
    prometheus = await Prometheus.start(cleanup, { 'kata-monitor': agent.port });
  });

  it('is about sandboxes that the agent sees', async () => {
    expect(ids.length).toBeGreaterThan(1);
    expect((await (await agent.get('/sandboxes')).text()).split('\n').filter((id) => id !== '')).toEqual([...ids].sort());
  });

  it.each(queries.filter((query) => !isDropped(query)))('gets an answer to $expression', async ({ expression, labels }) => {
    const series = await answered(expression);
    for (const one of series) for (const label of labels) expect(one.labels[label]).toEqual(expect.stringMatching(/./));
    if (labels.includes('sandbox_id')) expect(new Set(series.map((one) => one.labels.sandbox_id))).toEqual(new Set(ids));
  });

  it('asks in vain only for what Kata itself dropped', async () => {
    const dropped = queries.filter(isDropped);
    expect(dropped.map(({ expression }) => expression)).toEqual([...DROPPED.keys()]);
    for (const { expression } of dropped) expect(await prometheus.query(expression)).toEqual([]);
  });

  it('is fed with pages that Prometheus has nothing to say against', () => {
    expect(prometheus.complaints).toEqual([]);
  });

  const answered = (expression: string): Promise<readonly Series[]> =>
    until(
      async () => {
        const series = await prometheus.query(expression);
        // A rate needs two scrapes, and something that moved between them.
        return series.length > 0 ? series : undefined;
      },
      () => expression,
    );
});

/** A shim of Kata as far as anybody can ask it; each answer counts on from the one before. */
async function startShim(path: string): Promise<void> {
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.url === '/metrics') response.end(shimText(++asked));
    else response.writeHead(404).end('URL NOT FOUND');
  });
  cleanup.add(() => server.closeAllConnections());
  cleanup.add(() => server.close());
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
}
