import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { DIST, PACKAGE, record } from './agent.js';
import { Child, keep, run, runWell } from './child.js';
import { Cleanup } from './cleanup.js';
import { liveSuite, packageRegistry, program } from './needs.js';
import { expectProblemIn } from './problem.js';
import { until } from './until.js';
import { startTicksOf } from './vm.js';

const cleanup = new Cleanup();
/** npm runs on the Node that the tests run on, whatever the system has. */
const NODE_FIRST = { PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}` };
/** Uses some CPU time and then none: its numbers stand still. */
const IDLER = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exec sleep 1000';

liveSuite('the package in an application of its own', [program('npm'), program('getconf'), packageRegistry], () => {
  let app: string;
  let tree: unknown;
  let idler: number;
  const arguments_ = (): string[] => [String(idler), String(startTicksOf(idler))];

  beforeAll(async () => {
    app = join(cleanup.directory(), 'control-plane');
    cpSync(join(import.meta.dirname, 'control-plane'), app, { recursive: true });
    const tarball = await pack();
    await npm(['install', tarball, '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']);
    tree = JSON.parse(await npm(['ls', '--all', '--json']));
    idler = keep(cleanup, new Child('sh', ['-c', IDLER])).pid;
    await until(
      () => (readFileSync(`/proc/${idler}/comm`, 'latin1') === 'sleep\n' ? true : undefined),
      () => 'sleep',
    );
  }, 240_000);

  it.each(['prom-client', '@nestjs/core', '@nestjs/common', 'reflect-metadata', 'rxjs'])('brings one %s', (name) => {
    expect(versionsOf(tree, name).size).toBe(1);
    expect(copies(join(app, 'node_modules'), name)).toHaveLength(1);
  });

  it('has types that compile in the application, with no look away from libraries', async () => {
    const compiled = await run(process.execPath, [join(PACKAGE, 'node_modules/typescript/bin/tsc'), '-p', app], { cwd: app });
    expect({ code: compiled.code, stdout: compiled.stdout }).toEqual({ code: 0, stdout: '' });
  });

  it('reads the numbers of a process without HTTP: all of its own list, and one that is handed over', async () => {
    const out = await runWell(process.execPath, ['out/without-http.js', ...arguments_()], { cwd: app });
    const { all, one, gone } = record(JSON.parse(out));
    const seen = await independentReading(idler);
    const numbers = {
      instance_id: 'fleet-1',
      instance_name: 'first',
      ...seen,
      network_rx_bytes: null,
      network_tx_bytes: null,
      allocated_vcpus: 2,
      allocated_memory_bytes: 2 ** 30,
      memory_utilization_ratio: seen.memory_rss_bytes / 2 ** 30,
    };
    expect(seen.cpu_seconds).toBeGreaterThan(0);
    expect(all).toEqual([expect.objectContaining({ ...numbers, source: 'fleet', state: 'running' })]);
    expect(one).toMatchObject({ ...numbers, collectors: { cpu: { outcome: 'ok' }, memory: { outcome: 'ok' } } });
    expect(gone).toMatchObject({ instance_id: 'gone', cpu_seconds: null, memory_rss_bytes: null, collectors: { cpu: { reason: 'gone' } } });
  });

  it('answers on the HTTP server of the application, errors too', async () => {
    const served = keep(cleanup, new Child(process.execPath, ['out/with-http.js', ...arguments_()], { cwd: app }));
    const [, url] = await served.wrote('stdout', /listening on (\S+)/);
    const seen = await independentReading(idler);
    expect(await (await fetch(`${url}/instances/first/stats`)).json()).toMatchObject({ instance_id: 'fleet-1', ...seen });
    expect(await (await fetch(`${url}/fleet`)).json()).toEqual([expect.objectContaining({ instance_id: 'fleet-1', ...seen })]);
    const metrics = (await (await fetch(`${url}/metrics`)).text()).split('\n');
    expect(metrics).toContain(`hypeman_vm_cpu_seconds_total{instance_id="fleet-1",instance_name="first"} ${seen.cpu_seconds}`);
    await expectProblemIn(await fetch(`${url}/instances/nobody/stats`), 404, 'not_found');
    await expectProblemIn(await fetch(`${url}/instances/-x`), 400, 'invalid_id');
    await expectProblemIn(await fetch(`${url}/instances?limit=0`), 400, 'invalid_request');
    await expectProblemIn(await fetch(`${url}/metrics?collect[]=nonsense`), 400, 'invalid_request');
    await expectProblemIn(await fetch(`${url}/instances/nobody/metrics`), 404, 'not_found');
    await expectProblemIn(await fetch(`${url}/stats?window=no`), 400, 'invalid_request');
    await expectProblemIn(await fetch(`${url}/instances/x`, { method: 'DELETE' }), 405, 'method_not_allowed');
  });

  const npm = (args: readonly string[]): Promise<string> => runWell('npm', args, { cwd: app, env: NODE_FIRST });

  /** The package as it would be published now, from the build under test. */
  async function pack(): Promise<string> {
    const stage = join(dirname(app), 'package');
    mkdirSync(stage);
    for (const name of ['package.json', 'README.md', 'LICENSE', 'openapi.yaml']) {
      if (existsSync(join(PACKAGE, name))) cpSync(join(PACKAGE, name), join(stage, name));
    }
    cpSync(DIST, join(stage, 'dist'), { recursive: true });
    // prepack would build; what was built is what is under test.
    const told = await runWell('npm', ['pack', '--json', '--ignore-scripts'], { cwd: stage, env: NODE_FIRST });
    const [packed] = Object.values(record(JSON.parse(told)));
    return join(stage, String(record(packed).filename));
  }
});

/** utime and stime, and the sizes of statm, read by other eyes than the house's. */
async function independentReading(pid: number): Promise<{ cpu_seconds: number; memory_rss_bytes: number; memory_vms_bytes: number }> {
  const [ticks, page] = (await Promise.all(['CLK_TCK', 'PAGE_SIZE'].map((name) => runWell('getconf', [name])))).map(Number);
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ').map(Number);
  const [size, resident] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ').map(Number);
  return { cpu_seconds: (fields[14 - 3] + fields[15 - 3]) / ticks, memory_rss_bytes: resident * page, memory_vms_bytes: size * page };
}

/** Versions of a package in what `npm ls --json` tells. */
function versionsOf(node: unknown, name: string, found = new Set<string>()): ReadonlySet<string> {
  const { dependencies } = record(node);
  if (dependencies === undefined) return found;
  for (const [key, child] of Object.entries(record(dependencies))) {
    if (key === name) found.add(String(record(child).version));
    versionsOf(child, name, found);
  }
  return found;
}

/** Directories of a package anywhere below a node_modules. */
function copies(modules: string, name: string): string[] {
  const own = existsSync(join(modules, name, 'package.json')) ? [join(modules, name)] : [];
  const packages = readdirSync(modules, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(({ name: entry }) => (entry.startsWith('@') ? readdirSync(join(modules, entry)).map((inner) => join(entry, inner)) : [entry]));
  const nested = packages.map((entry) => join(modules, entry, 'node_modules')).filter((path) => existsSync(path));
  return [...own, ...nested.flatMap((path) => copies(path, name))];
}
