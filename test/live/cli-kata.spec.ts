import { once } from 'node:events';
import { closeSync, cpSync, openSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PACKAGE, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { command } from './cli-host.js';

const cleanup = new Cleanup();
/** Two sandboxes whose pods are both called web-0; another container joined the first. */
const TREE = join(PACKAGE, 'fixtures/hosts/kata-go-qemu');
const SANDBOX = 'b962d4afcc67a811c4fdefbf6e55b5fed69f9c933b01f1f45b3682342dbcccac';
const OTHER = 'd037150f28d3898e169ebc78d5a7efababb47361d1ba00f060c2eb1b653b79ff';
const JOINED = '5d3329b121ca78edf6a9a8fc2479cd32c1f46e77b57e3ec6dad452c43f148df1';
const ROOTS = { procfs: 'proc', sysfs: 'sys', run: 'run' };

describe.each(['beside an agent', 'without an agent'])('a host of Kata %s', (where) => {
  let words: readonly string[];
  beforeAll(async () => {
    const flags = Object.entries(ROOTS).map(([root, directory]) => `--path.${root}=${join(TREE, directory)}`);
    words = flags;
    if (where === 'without an agent') return;
    const agent = await startAgent(cleanup, flags);
    words = [`--web.listen-address=127.0.0.1:${agent.port}`];
  });

  it('is listed by sandbox', async () => {
    const { code, stdout, stderr } = await command(['list', ...words]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
      ['ID', 'NAME', 'HYPERVISOR', 'STATE'],
      [SANDBOX, 'web-0', 'qemu', 'running'],
      [OTHER, 'web-0', 'qemu', 'running'],
      [''],
    ]);
  });

  it('gives metrics of a sandbox by its full id, with the names of its shim', async () => {
    const { code, stdout, stderr } = await command(['metrics', SANDBOX, ...words]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^kata_shim_threads \d+$/m);
    expect(stdout).toMatch(/^kata_hypervisor_netdev{interface="lo",item="recv_bytes"} \d+$/m);
    expect(stdout).toMatch(/^process_cpu_seconds_total [\d.]+$/m);
    expect(stdout).not.toContain(OTHER);
  });

  it.each([
    ['a beginning of its id', SANDBOX.slice(0, 12)],
    ['the name of a pod', 'web-0'],
    ['a container that joined it', JOINED],
    ['nobody', 'e2270357d23f9d3dd424011e1e70aa8defb267d813c3d451db58f35aeac97a04'],
  ])('gives none for %s', async (_, id) => {
    expect(await command(['metrics', id, ...words])).toEqual({ code: 1, stdout: '', stderr: `Container ID (${id}) does not exist\n` });
  });

  it('gives stats by a beginning of the id, and says of a name that two have it', async () => {
    const { code, stdout } = await command(['stats', SANDBOX.slice(0, 12), ...words]);
    expect({ code, document: JSON.parse(stdout) }).toMatchObject({ code: 0, document: { instance_id: SANDBOX, instance_name: 'web-0' } });
    const { code: refused, stderr } = await command(['stats', 'web-0', ...words]);
    expect({ refused, stderr }).toEqual({ refused: 1, stderr: 'vmgauge: more than one instance matches web-0; use a full id\n' });
  });
});

it('a command without an agent measures what takes two readings, and what is walked for', async () => {
  const flags = Object.entries(ROOTS).map(([root, directory]) => `--path.${root}=${join(TREE, directory)}`);
  const { stdout } = await command(['metrics', SANDBOX, ...flags]);
  expect(stdout).toMatch(/^kata_shim_pod_overhead_cpu -?[\d.]+$/m);
  expect(stdout).toMatch(/^kata_shim_pod_overhead_memory_in_bytes \d+$/m);
});

describe('shims that may be asked, without an agent', () => {
  const asked: string[] = [];
  let words: readonly string[];
  let silent = false;
  const env = { VMGAUGE_SHIM_SOCKET_RUNTIMES: 'go/qemu' };

  beforeAll(async () => {
    const run = cleanup.directory();
    cpSync(join(TREE, 'run'), run, { recursive: true });
    words = [`--path.procfs=${join(TREE, 'proc')}`, `--path.sysfs=${join(TREE, 'sys')}`, `--path.run=${run}`];
    for (const id of [SANDBOX, OTHER]) {
      const server = createServer((request, response) => {
        asked.push(`${request.url} of ${id}`);
        if (!silent) response.end('# HELP go_goroutines Goroutines.\n# TYPE go_goroutines gauge\ngo_goroutines 27\n');
      });
      cleanup.add(() => server.close());
      cleanup.add(() => server.closeAllConnections());
      const directory = openSync(join(run, 'vc/sbs', id), 'r');
      // The path itself is longer than a socket's may be.
      server.listen(`/proc/self/fd/${directory}/shim-monitor.sock`);
      await once(server, 'listening');
      closeSync(directory);
    }
  });
  beforeEach(() => {
    asked.length = 0;
    silent = false;
  });

  it.each([
    ['metrics', /^go_goroutines 27$/m],
    ['stats', /"socket":{[^}]*"series":1,/],
  ])('%s asks the one of its sandbox, once', async (name, told) => {
    const { code, stdout, stderr } = await command([name, SANDBOX, ...words], env);
    expect({ code, stderr, asked }).toEqual({ code: 0, stderr: '', asked: [`/metrics of ${SANDBOX}`] });
    expect(stdout).toMatch(told);
  });

  it('metrics does without a silent one', async () => {
    silent = true;
    const { code, stdout, stderr } = await command(['metrics', SANDBOX, ...words], env);
    expect({ code, stderr, asked }).toEqual({
      code: 0,
      stderr: `vmgauge: shim of ${SANDBOX}: asked over its socket it gave no metrics (timeout)\n`,
      asked: [`/metrics of ${SANDBOX}`],
    });
    expect(stdout).toMatch(/^kata_shim_threads \d+$/m);
    expect(stdout).not.toContain('go_goroutines');
  });

  it('none is asked by list, or unless the configuration says so', async () => {
    await command(['list', ...words], env);
    expect((await command(['metrics', SANDBOX, ...words])).stdout).toMatch(/^kata_shim_threads \d+$/m);
    expect(asked).toEqual([]);
  });
});
