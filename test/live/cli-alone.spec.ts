import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DIST, PACKAGE, record, startAgent } from './agent.js';
import { run, runWell } from './child.js';
import { Cleanup } from './cleanup.js';
import { command, http, listFile, type StandIn, startStandIn, startStranger } from './cli-host.js';
import { liveSuite, program, root } from './needs.js';
import { startVm, type Vm } from './vm.js';

const cleanup = new Cleanup();
const nobody = (): string => `--web.listen-address=unix:${cleanup.directory()}/nobody.sock`;
const NOTE = /^vmgauge: what answers at unix:\S+ is not vmgauge: this host is read without an agent\n$/;

function ids(json: string): unknown[] {
  const { instances } = record(JSON.parse(json));
  return Array.isArray(instances) ? instances.map((instance) => record(instance).id) : [];
}

liveSuite('commands without an agent', [program('qemu-system-x86_64')], () => {
  let vm: Vm;
  let at: string;
  beforeAll(async () => {
    vm = await startVm(cleanup, { vcpus: 2 });
    at = nobody();
  });

  it('list finds the VM by itself', async () => {
    const { code, stdout, stderr } = await command(['list', at]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const line = stdout.split('\n').find((one) => one.startsWith(vm.id));
    expect(line?.split(/ {2,}/).slice(0, 8)).toEqual([vm.id, vm.name, 'qemu', 'running', String(vm.pid), '2', '64 MiB', 'host']);
  });

  it('says what an agent says', async () => {
    const agent = await startAgent(cleanup, []);
    await agent.sees(vm.id);
    const beside = `--web.listen-address=127.0.0.1:${agent.port}`;
    const both = (...words: string[]) => Promise.all([command([...words, beside]), command([...words, at])]);
    const [list, ownList] = await both('list', '--format=json');
    const entry = (json: string): unknown => JSON.parse(json).instances.find(({ id }: { id: unknown }) => id === vm.id);
    expect(entry(ownList.stdout)).toEqual(entry(list.stdout));
    const [stats, ownStats] = await both('stats', vm.name);
    expect(shapeOf(JSON.parse(ownStats.stdout))).toEqual(shapeOf(JSON.parse(stats.stdout)));
    const [metrics, ownMetrics] = await both('metrics', vm.id);
    expect(seriesOf(ownMetrics.stdout)).toEqual(seriesOf(metrics.stdout));
    await agent.stop();
  });

  it('stats has rates over a second, or over the window that it is given', async () => {
    const windowOf = async (...words: string[]): Promise<number> => {
      const { stdout } = await command(['stats', vm.id, at, ...words]);
      return Number(record(record(JSON.parse(stdout)).rates).window_seconds);
    };
    expect(await windowOf()).toBeGreaterThan(0.9);
    expect(await windowOf('--window=2s')).toBeGreaterThan(1.9);
  });

  it.each([
    ['metrics', () => vm.id.slice(0, 13)],
    ['metrics', () => vm.name],
    ['metrics', () => 'f'.repeat(64)],
    ['stats', () => 'f'.repeat(64)],
  ])('%s knows what does not exist', async (name, key) => {
    expect(await command([name, key(), at])).toEqual({ code: 1, stdout: '', stderr: `Container ID (${key()}) does not exist\n` });
  });

  it('stats has what is too slow for a sweep, where it is asked for', async () => {
    const { code, stdout } = await command(['stats', vm.id, '--collector.pss']);
    expect({ code, document: JSON.parse(stdout) }).toMatchObject({ code: 0, document: { memory: { pss_bytes: expect.any(Number) } } });
  });

  it('is what a free port means, which nobody can know', async () => {
    expect(ids((await command(['list', '--format=json', '--web.listen-address=127.0.0.1:0'])).stdout)).toContain(vm.id);
  });

  liveSuite('in the bundle', [], () => {
    it('is the same', async () => {
      const directory = cleanup.directory();
      for (const name of ['package.json', 'node_modules', 'openapi.yaml']) symlinkSync(join(PACKAGE, name), join(directory, name));
      symlinkSync(DIST, join(directory, 'dist'));
      await runWell(process.execPath, [join(PACKAGE, 'scripts/bundle.mjs')], { cwd: directory });
      const bundle = (...words: string[]): Promise<string> =>
        runWell(process.execPath, [join(directory, 'dist-bundle/vmgauge.mjs'), ...words, at], { cwd: '/' });
      expect(await bundle('list')).toContain(vm.id);
      expect(record(JSON.parse(await bundle('stats', vm.name)))).toMatchObject({ instance_id: vm.id });
      expect(await bundle('metrics', vm.id)).toContain(`hypeman_vm_cpu_seconds_total{instance_id="${vm.id}"`);
      expect(await bundle('metrics', '--help')).toMatch(/^Usage: vmgauge metrics ID/);
    });
  });
});

liveSuite('a host without VMs and without an agent', [root, program('unshare')], () => {
  it('is told what to do', async () => {
    const words = ['--pid', '--fork', '--mount-proc', process.execPath, join(DIST, 'cli.js'), 'list', nobody()];
    const { code, stdout, stderr } = await run('unshare', words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^No virtual machine is found on this host\..*\n\n {2}qemu-system-\S+ .*&\n$/);
    const json = await run('unshare', [...words, '--format=json']);
    expect({ code: json.code, stdout: json.stdout }).toEqual({ code: 0, stdout: '{"instances":[],"next_cursor":null}\n' });
  });
});

describe('reading a host without an agent', () => {
  let known: StandIn;
  let env: Readonly<Record<string, string>>;
  beforeAll(() => {
    known = startStandIn(cleanup, `own-${randomUUID()}`);
    env = listFile(cleanup, [known]);
  });

  it('listens on nothing: not where somebody else does', async () => {
    const { listen, asked } = await startStranger(cleanup, '');
    const { code, stdout, stderr } = await command(['list', '--format=json', listen, '--no-collector.io'], env);
    expect({ code, stderr, asked }).toEqual({ code: 0, stderr: '', asked: [] });
    expect(ids(stdout)).toContain(known.id);
  });

  it('shows what was registered, and writes nothing', async () => {
    const directory = cleanup.directory();
    writeFileSync(join(directory, 'tokens'), 'may-register\n');
    const store = join(directory, 'store.json');
    const registration = { VMGAUGE_SOURCE_REGISTRATION_TOKEN_FILE: join(directory, 'tokens'), VMGAUGE_SOURCE_REGISTRATION_STORE: store };
    const list = async (words: readonly string[] = []): Promise<unknown[]> => {
      const { code, stdout, stderr } = await command(['list', '--format=json', nobody(), ...words], registration);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return ids(stdout);
    };
    expect(await list()).not.toContain('registered');
    expect(existsSync(store)).toBe(false);
    const { pid, start_ticks } = known;
    const text = JSON.stringify({ instances: [{ id: 'registered', pid, start_ticks }] });
    writeFileSync(store, text);
    expect(await list()).toContain('registered');
    expect(await list(['--no-source.registration'])).not.toContain('registered');
    writeFileSync(store, '{"instances":[');
    const { code, stderr } = await command(['list', nobody()], registration);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^vmgauge: source registration: \S+store\.json: not JSON.*\n$/),
    });
    expect(readFileSync(store, 'utf8')).toBe('{"instances":[');
    expect(readdirSync(directory).sort()).toEqual(['store.json', 'tokens']);
  });

  it('fails where serve would not start', async () => {
    const { code, stdout, stderr } = await command(['list', nobody()], { VMGAUGE_SOURCE_FILE_PATH: '/nonexistent/instances.yaml' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^vmgauge: source\.file\.path: \/nonexistent\/instances\.yaml: .*\n$/);
  });

  it('logs warnings and errors only, as plain lines on standard error', async () => {
    const verbose = { ...env, VMGAUGE_LOG_LEVEL: 'debug', VMGAUGE_LOG_FORMAT: 'json', VMGAUGE_NONSENSE: '1' };
    const { code, stdout, stderr } = await command(['list', '--format=json', nobody()], verbose);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'vmgauge: environment VMGAUGE_NONSENSE is no setting and has no effect\n' });
    expect(ids(stdout)).toContain(known.id);
  });
});

describe('where an agent should be', () => {
  let known: StandIn;
  let env: Readonly<Record<string, string>>;
  beforeAll(() => {
    known = startStandIn(cleanup, `str-${randomUUID()}`);
    env = listFile(cleanup, [known]);
  });

  const problem = (status: number, code: string, detail: string): string =>
    http(
      `${status} X`,
      JSON.stringify({ type: `urn:vmgauge:problem:${code}`, title: 'x', status, detail, instance: '/', code, message: detail }),
      'Content-Type: application/problem+json\r\n',
    );

  it.each([
    ['a web server', http('404 Not Found', '<html>nothing here</html>', 'Content-Type: text/html\r\n')],
    ['a web server that finds everything', http('200 OK', '<html>welcome</html>')],
    ['hypeman', http('200 OK', '[]', 'Content-Type: application/json\r\n')],
    ['a server that fails', http('500 Internal Server Error', 'oops')],
    ['a server that sends elsewhere', http('301 Moved', '', 'Location: http://127.0.0.1:1/\r\n')],
    ['another that wants a token', http('401 Unauthorized', '', 'WWW-Authenticate: Bearer realm="hypeman"\r\n')],
    ['a server of another protocol', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'],
  ])('%s is none: the host is read without one, and it is said', async (_, answer) => {
    const directory = cleanup.directory();
    writeFileSync(join(directory, 'tokens'), 'secret-token\n');
    const { listen, asked } = await startStranger(cleanup, answer, 'end');
    const words = [listen, `--web.token-file=${directory}/tokens`];
    const [list, ...others] = await Promise.all(
      [
        ['list', '--format=json'],
        ['stats', known.id],
        ['metrics', known.id],
      ].map((one) => command([...one, ...words], env)),
    );
    expect(list).toMatchObject({ code: 0, stderr: expect.stringMatching(NOTE) });
    expect(ids(list.stdout)).toContain(known.id);
    for (const other of others) {
      expect(other).toMatchObject({ code: 0, stderr: expect.stringMatching(NOTE), stdout: expect.stringContaining(known.id) });
    }
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.join('')).not.toContain('secret-token');
  });

  it.each<[string, string, 'end' | 'reset' | undefined, RegExp]>([
    [
      'an agent that is busy',
      problem(429, 'rate_limited', '40 scrapes are under way'),
      'end',
      /answers 429 rate_limited: 40 scrapes are under way$/,
    ],
    ['an agent that fails', problem(500, 'internal_error', 'a defect'), 'end', /answers 500 internal_error: a defect$/],
    ['an agent that drains', problem(503, 'unavailable', 'not now'), 'end', /answers 503 unavailable: not now$/],
    ['one that is silent', '', undefined, /^what listens at unix:\S+ gave no answer within 5 s$/],
    ['one that stops in the middle', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{', undefined, /gave no answer within 5 s$/],
    ['one that hangs up', '', 'reset', /^what listens at unix:\S+ broke off its answer \(ECONNRESET\)$/],
    ['one that breaks off', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{', 'end', /broke off its answer \(ECONNRESET\)$/],
    [
      'one that has no end',
      `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat((64 << 20) + 1)}`,
      undefined,
      /^the answer from unix:\S+ is longer than 67108864 bytes$/,
    ],
  ])('%s is not passed by', async (_, answer, end, told) => {
    const { listen } = await startStranger(cleanup, answer, end);
    for (const { code, stdout, stderr } of await Promise.all(
      [['list'], ['metrics', known.id]].map((one) => command([...one, listen], env)),
    )) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      const [line, ...more] = stderr.split('\n');
      expect(more).toEqual(['']);
      expect(line.replace(/^vmgauge: (the agent at unix:\S+ )?/, '')).toMatch(told);
    }
  });
});

// npm start runs the package's own build: where the tests run another one, it would make that one anew.
const ownBuild = (): string | undefined => (process.env.VMGAUGE_DIST === undefined ? undefined : 'VMGAUGE_DIST names another build');
liveSuite('npm start', [program('npm'), ownBuild], () => {
  it("passes a command through, and adds nothing to its output but npm's own lines", async () => {
    const { code, stdout } = await run('npm', ['start', '--', 'list', '--format=json', nobody()], { cwd: PACKAGE });
    const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('> '));
    expect({ code, lines }).toEqual({ code: 0, lines: [expect.stringMatching(/^{"instances":\[.*\],"next_cursor":null}$/)] });
  });
});

/** Names of all members, whatever their values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]));
}

/** The page without its values. */
const seriesOf = (text: string): string[] => text.split('\n').map((line) => (line.startsWith('#') ? line : line.replace(/ \S+$/, '')));
