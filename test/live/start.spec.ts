import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentCommand, DIST, record, runAgent, startAgent } from './agent.js';
import { Child, keep } from './child.js';
import { Cleanup } from './cleanup.js';
import { liveSuite, program, root } from './needs.js';

const cleanup = new Cleanup();

function write(text: string, name = 'vmgauge.yaml'): string {
  const path = join(cleanup.directory(), name);
  writeFileSync(path, text);
  return path;
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

describe('a start that cannot be', () => {
  const missing = '/nonexistent/vmgauge/file';
  it.each<[string, () => string[], readonly string[]]>([
    ['an unknown flag', () => ['--web.listen-adress=:1'], ['--web.listen-adress']],
    ['a bad value', () => ['--web.max-requests=many'], ['web.max-requests', '"many"']],
    ['a bad listen address', () => ['--web.listen-address=10177'], ['web.listen-address', '"10177"']],
    ['an unknown command', () => ['sevre'], ['"sevre"']],
    ['a file that is no YAML', () => [`--config.file=${write('log: {level: info')}`], ['vmgauge.yaml', 'line 1']],
    ['an unknown key in YAML', () => [`--config.file=${write('log:\n  lvel: info\n')}`], ['"log.lvel"', 'vmgauge.yaml line 2']],
    ['a bad value in YAML', () => [`--config.file=${write('log:\n  level: loud\n')}`], ['log.level', '"loud"', 'vmgauge.yaml line 2']],
    ['a missing configuration file', () => [`--config.file=${missing}`], ['config.file', missing]],
    ['a missing token file', () => [`--web.token-file=${missing}`], ['web.token-file', missing]],
    ['a token file without tokens', () => [`--web.token-file=${write('# none\n', 'none')}`], ['web.token-file', 'none']],
    [
      'a missing file of registration tokens',
      () => [`--source.registration.token-file=${missing}`],
      ['source.registration.token-file', missing],
    ],
    ['a missing registration file', () => [`--source.file.path=${missing}`], ['source.file.path', missing]],
    [
      'a bad registration file',
      () => [`--source.file.path=${write('instances: [{id: a, vcpus: 0}]', 'instances.yaml')}`],
      ['source.file.path', 'instances[0]', 'vcpus', '0'],
    ],
    ['an address that others can reach', () => ['--web.listen-address=0.0.0.0:0'], ['web.listen-address', '"0.0.0.0:0"', 'web.token-file']],
  ])('%s is one line that names key and value, and exit 1', async (_, flags, words) => {
    const { code, stderr } = await runAgent(
      ['--web.listen-address=127.0.0.1:0', ...flags()].slice(flags()[0].startsWith('--web.listen') ? 1 : 0),
    );
    expect(code).toBe(1);
    expect(lines(stderr)).toHaveLength(1);
    for (const word of words) expect(stderr).toContain(word);
  });

  it('a bad value in the environment is one line that names the variable', async () => {
    const { code, stderr } = await runAgent([], { VMGAUGE_LOG_LEVEL: 'loud' });
    expect(code).toBe(1);
    expect(lines(stderr)).toEqual([expect.stringMatching(/log\.level: "loud" .*VMGAUGE_LOG_LEVEL/)]);
  });

  it('a taken port is one line that names the address and the setting', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    cleanup.add(() => taken.close());
    await once(taken, 'listening');
    const { port } = record(taken.address());
    const { code, stderr } = await runAgent([`--web.listen-address=127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(lines(stderr)).toEqual([expect.stringContaining(`127.0.0.1:${port}`)]);
    expect(stderr).toContain('web.listen-address');
  });
});

describe('words on the command line', () => {
  it('--help lists every setting with its default, on stdout, and ends with 0', async () => {
    const { code, stdout, stderr } = await runAgent(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/--web\.listen-address=ADDRESS\n(?: {6}.*\n)* {6}.*127\.0\.0\.1:10177/);
    expect(stdout).toMatch(/--collection\.max-age=DURATION\n(?: {6}.*\n)* {6}.*Default: 1s/);
    for (const setting of ['--[no-]collector.cpu', '--[no-]source.registration', '--web.token-file', '--path.procfs']) {
      expect(stdout).toContain(setting);
    }
  });

  it("--version is the package's", async () => {
    const { version } = record(JSON.parse(readFileSync(join(DIST, '../package.json'), 'utf8')));
    const { code, stdout } = await runAgent(['--version']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(new RegExp(`^vmgauge ${version}\\b.*\n$`)) });
  });
});

describe('a start that can be', () => {
  it('on an open address without tokens warns exactly once', async () => {
    const agent = await startAgent(cleanup, ['--web.listen-address=127.0.0.1:0', '--web.allow-unauthenticated']);
    expect(lines(agent.child.stderr)).toHaveLength(1);
    await agent.stop();
    const open = await startAgent(cleanup, ['--web.listen-address=0.0.0.0:0', '--web.allow-unauthenticated']);
    await open.stop();
    const warnings = lines(open.child.stderr)
      .map((line) => record(JSON.parse(line)))
      .filter(({ level }) => level === 'warn');
    expect(warnings).toEqual([
      expect.objectContaining({ message: expect.stringContaining('"0.0.0.0:0" can be reached from other hosts') }),
    ]);
  });

  it('logs one JSON object a line', async () => {
    const agent = await startAgent(cleanup, ['--log.level=debug']);
    await agent.get('/instances');
    await agent.child.wrote('stderr', /"\/instances"/);
    await agent.stop();
    const entries = lines(agent.child.stderr).map((line) => record(JSON.parse(line)));
    expect(entries.at(-1)).toMatchObject({ level: 'info', message: 'stopped' });
    for (const entry of entries) {
      expect(entry).toMatchObject({
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        level: expect.stringMatching(/^(error|warn|info|debug)$/),
      });
    }
    expect(entries).toContainEqual(expect.objectContaining({ level: 'debug', context: 'http', url: '/instances', status: 200 }));
    expect(entries).toContainEqual(expect.objectContaining({ level: 'info', message: expect.stringContaining('listening on') }));
    // Standard output is for the answers of the command line.
    expect(agent.child.stdout).toBe('');
  });
});

liveSuite('a host without VMs', [root, program('unshare')], () => {
  it('is an empty list, a page and a scrape', async () => {
    const command = agentCommand(['--web.listen-address=127.0.0.1:0', '--tracing.mode=off', '--collector.sockets=false']);
    const child = keep(cleanup, new Child('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', ...command]));
    // unshare waits for the agent and ignores what is asked of it kindly.
    cleanup.add(() => child.signal('SIGKILL'));
    const [, url] = await child.wrote('stderr', /listening on ([^\s"]+)/);
    expect(await (await fetch(`${url}/instances`)).json()).toEqual({ instances: [], next_cursor: null });
    expect(await (await fetch(`${url}/stats`)).json()).toMatchObject({ instances: [] });
    const page = await fetch(`${url}/`, { headers: { accept: 'text/html' } });
    expect({ status: page.status, type: page.headers.get('content-type') }).toEqual({
      status: 200,
      type: expect.stringContaining('text/html'),
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('vmgauge_build_info{');
    expect(metrics).not.toContain('hypeman_vm_cpu_seconds_total{');
  });
});
