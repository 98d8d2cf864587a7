import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { agentCommand, PACKAGE, type RunningAgent, record, startAgent } from './agent.js';
import { run, runWell } from './child.js';
import { Cleanup } from './cleanup.js';
import { command, listFile, type StandIn, startStandIn } from './cli-host.js';
import { liveSuite, program } from './needs.js';

const cleanup = new Cleanup();
/** The first page of GET /instances is as long. */
const PAGE = 1000;

describe('commands beside an agent', () => {
  const mark = randomUUID().slice(0, 8);
  const stopped = { id: `${mark}-stopped`, vcpus: 1 };
  let sandbox: StandIn;
  let named: StandIn;
  let agent: RunningAgent;
  let at: string;
  const there = (...words: string[]) => command([...words, at]);
  const bodyOf = async (path: string): Promise<string> => (await agent.get(path)).text();

  beforeAll(async () => {
    sandbox = startStandIn(cleanup, `${mark}${'e'.repeat(56)}`);
    named = startStandIn(cleanup, `${mark}-b`, `name-of-${mark}`);
    // One sweep for all of this, so that the command and the route read the same numbers.
    const still = ['--collection.max-age=1h', '--collection.interval=1h', '--discovery.interval=1h'];
    agent = await startAgent(cleanup, still, listFile(cleanup, [sandbox, stopped, named]));
    at = `--web.listen-address=127.0.0.1:${agent.port}`;
  });

  it('list prints a table, by id', async () => {
    const { code, stdout, stderr } = await there('list');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [head, ...lines] = stdout.trimEnd().split('\n');
    expect(head.split(/ +/)).toEqual(['ID', 'NAME', 'HYPERVISOR', 'STATE', 'PID', 'VCPUS', 'MEMORY', 'SOURCE', 'AGE']);
    const ids = lines.map((line) => line.split(/ +/)[0]);
    expect(ids).toEqual([...ids].sort());
    const own = lines.filter((line) => line.startsWith(mark)).map((line) => line.split(/ {2,}/));
    expect(own).toEqual([
      [named.id, named.name, 'unknown', 'running', String(named.pid), '2', '1 GiB', 'file', expect.stringMatching(/^\d+[sm]/)],
      [stopped.id, stopped.id, 'unknown', 'stopped', '–', '1', '–', 'file', '–'],
      [sandbox.id, sandbox.id, 'unknown', 'running', String(sandbox.pid), '2', '1 GiB', 'file', expect.stringMatching(/^\d+[sm]/)],
    ]);
  });

  it('list --format=json is GET /instances', async () => {
    const { code, stdout, stderr } = await there('list', '--format=json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`${await bodyOf('/instances')}\n`);
  });

  it('stats is GET /instances/{id}/stats for an id, a name and a beginning of an id', async () => {
    const document = await bodyOf(`/instances/${named.id}/stats`);
    expect(document).toContain(`"instance_id":"${named.id}"`);
    for (const key of [named.id, `name-of-${mark}`, `${mark}-b`]) {
      expect(await there('stats', key)).toEqual({ code: 0, stdout: `${document}\n`, stderr: '' });
    }
    expect((await there('stats', `${mark}-s`)).stdout).toContain(`"instance_id":"${stopped.id}"`);
  });

  it('stats --window is the window of the route', async () => {
    const { code, stdout } = await there('stats', named.id, '--window', '2m');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${await bodyOf(`/instances/${named.id}/stats?window=2m`)}\n` });
  });

  it('metrics is GET /instances/{id}/metrics', async () => {
    const text = await bodyOf(`/instances/${sandbox.id}/metrics`);
    expect(text).toContain('vmgauge_vm_cpu_seconds_total');
    expect(await there('metrics', sandbox.id)).toEqual({ code: 0, stdout: text, stderr: '' });
  });

  it.each([
    ['an unknown id', () => 'f'.repeat(64)],
    ['a beginning of an id', () => sandbox.id.slice(0, 12)],
    ['a beginning of several', () => mark],
    ['a name', () => `name-of-${mark}`],
    ['a stopped instance', () => stopped.id],
    ['an id that is longer than any', () => 'a'.repeat(300)],
  ])('metrics of %s does not exist', async (_, key) => {
    expect(await there('metrics', key())).toEqual({ code: 1, stdout: '', stderr: `Container ID (${key()}) does not exist\n` });
  });

  it.each(['metrics', 'stats'])('%s has the words of kata-runtime for an id that is none', async (name) => {
    const blank = { code: 1, stdout: '', stderr: 'ID cannot be blank\n' };
    const bad = { code: 1, stdout: '', stderr: 'invalid container/sandbox ID (should match "^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")\n' };
    expect(await there(name)).toEqual(blank);
    expect(await there(name, '')).toEqual(blank);
    expect(await there(name, '  ')).toEqual(blank);
    for (const id of ['../instances', '_a', 'a/stats', 'ä'.repeat(3)]) expect(await there(name, id)).toEqual(bad);
    if (name === 'metrics') expect(await there(name, 'a')).toEqual(bad);
  });

  it('stats of nobody, and of several', async () => {
    expect(await there('stats', 'f'.repeat(64))).toEqual({
      code: 1,
      stdout: '',
      stderr: `Container ID (${'f'.repeat(64)}) does not exist\n`,
    });
    expect(await there('stats', mark)).toEqual({
      code: 1,
      stdout: '',
      stderr: `vmgauge: more than one instance matches ${mark}; use a full id\n`,
    });
  });

  it('more than one id is a usage error', async () => {
    expect(await there('metrics', sandbox.id, named.id)).toEqual({
      code: 1,
      stdout: '',
      stderr: `vmgauge: unexpected argument "${named.id}": metrics takes one ID\n`,
    });
  });

  it('each tells of itself', async () => {
    for (const name of ['list', 'stats', 'metrics', 'doctor']) {
      const { code, stdout, stderr } = await command([name, '--help']);
      expect({ code, stderr, stdout }).toEqual({
        code: 0,
        stderr: '',
        stdout: expect.stringMatching(new RegExp(`^Usage: vmgauge ${name}\\b`)),
      });
    }
  });

  it('the agent is asked whatever the environment says of how to read a host, and not where a flag says it', async () => {
    const empty = cleanup.directory();
    const { stdout } = await command(['list', '--format=json', at], { VMGAUGE_PATH_PROCFS: empty, VMGAUGE_PATH_RUN: empty });
    expect(stdout).toBe(`${await bodyOf('/instances')}\n`);
    const recorded = join(PACKAGE, 'fixtures/hosts/two-qemu');
    const flags = [`--path.procfs=${recorded}/proc`, `--path.run=${recorded}/run`];
    const own = await there('list', '--format=json', ...flags);
    const ids = instancesIn(own.stdout).map(({ id }) => id);
    expect(own.code).toBe(0);
    expect(ids.length).toBeGreaterThan(0);
    expect(ids).not.toContain(sandbox.id);
  });

  liveSuite('on a terminal', [program('script')], () => {
    const onTerminal = async (...words: string[]): Promise<string> => {
      const line = [...agentCommand(words), at].map((word) => `'${word}'`).join(' ');
      // A terminal ends its lines in its own way.
      return (await runWell('script', ['-qec', line, '/dev/null'])).replaceAll('\r\n', '\n');
    };

    it('JSON is indented', async () => {
      const text = await onTerminal('stats', named.id);
      expect(text).toMatch(/^{\n {2}"instance_id": /);
      expect(JSON.parse(text)).toEqual(JSON.parse(await bodyOf(`/instances/${named.id}/stats`)));
      expect(await onTerminal('list', '--format=json')).toMatch(/^{\n {2}"instances": \[\n/);
    });

    it('metrics are as they are', async () => {
      expect(await onTerminal('metrics', sandbox.id)).toBe(await bodyOf(`/instances/${sandbox.id}/metrics`));
    });
  });
});

describe('an agent with tokens, on a socket', () => {
  let at: string;
  let known: StandIn;
  const tokens = (text: string): string => {
    const path = join(cleanup.directory(), 'tokens');
    writeFileSync(path, text);
    return path;
  };

  beforeAll(async () => {
    known = startStandIn(cleanup, `t-${randomUUID()}`);
    const socket = join(cleanup.directory(), 'agent.sock');
    at = `--web.listen-address=unix:${socket}`;
    await startAgent(cleanup, [at, `--web.token-file=${tokens('# readers\nfirst\nsecond\n')}`], listFile(cleanup, [known]));
  });

  it.each([
    ['list', () => []],
    ['stats', () => [known.id]],
    ['metrics', () => [known.id]],
  ])('answers %s with the first token of the file, by flag and by environment', async (name, operand) => {
    const file = tokens('# mine\n\nsecond\nsomething\n');
    for (const given of [
      await command([name, ...operand(), at, `--web.token-file=${file}`]),
      await command([name, ...operand(), at], { VMGAUGE_WEB_TOKEN_FILE: file }),
    ]) {
      expect({ ...given, stdout: given.stdout.includes(known.id) }).toEqual({ code: 0, stderr: '', stdout: true });
    }
  });

  it('is not passed by: without a token the command says which setting to give', async () => {
    const { code, stdout, stderr } = await command(['list', at]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^vmgauge: the agent at unix:\S+\/agent\.sock asks for a token: web\.token-file \(VMGAUGE_WEB_TOKEN_FILE\).*\n$/,
    );
  });

  it('is not passed by: with another token neither', async () => {
    const { code, stdout, stderr } = await command(['metrics', known.id, at, `--web.token-file=${tokens('third\n')}`]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^vmgauge: the agent at unix:\S+ does not take the first token of web\.token-file\n$/);
  });

  it('needs a token file that is there', async () => {
    const { code, stderr } = await command(['list', at, '--web.token-file=/nonexistent/tokens']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'vmgauge: web.token-file: "/nonexistent/tokens" cannot be read: ENOENT\n' });
  });
});

describe('more instances than a page holds', () => {
  const mark = randomUUID().slice(0, 8);
  const many = Array.from({ length: 2 * PAGE + 500 }, (_, n) => ({ id: `${mark}-${String(n).padStart(5, '0')}` }));
  let at: string;
  let url: string;
  beforeAll(async () => {
    const agent = await startAgent(cleanup, [], listFile(cleanup, many));
    url = agent.url;
    at = `--web.listen-address=127.0.0.1:${agent.port}`;
  });

  it('are all listed, as the pages say', async () => {
    const pages: unknown[] = [];
    for (let cursor: unknown = ''; cursor !== null; ) {
      const page = record(await (await fetch(`${url}/instances${cursor === '' ? '' : `?cursor=${cursor}`}`)).json());
      pages.push(page.instances);
      cursor = page.next_cursor;
    }
    expect(pages.length).toBeGreaterThan(2);
    const { code, stdout } = await command(['list', '--format=json', at]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ instances: pages.flat(), next_cursor: null });
    expect((await command(['list', at])).stdout.split('\n').filter((line) => line.startsWith(mark))).toHaveLength(many.length);
  });

  it.each([['list'], ['list', '--format=json']])(
    'a reader that has seen enough ends the command without a word: %s %s',
    async (...words) => {
      const line = [...agentCommand([...words, at])].map((word) => `'${word}'`).join(' ');
      // Longer than what a pipe holds, so that the command is still writing.
      const { code, stdout, stderr } = await run('bash', ['-c', `${line} | head -c 100; echo; echo "\${PIPESTATUS[0]}"`]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^.{100}\n0\n$/s);
    },
  );

  it('a full device is one line and exit 1', async () => {
    const line = [...agentCommand(['list', at])].map((word) => `'${word}'`).join(' ');
    const { code, stderr } = await run('bash', ['-c', `${line} > /dev/full`]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^vmgauge: ENOSPC.*\n$/) });
  });
});

function instancesIn(json: string): Record<string, unknown>[] {
  const { instances } = record(JSON.parse(json));
  if (!Array.isArray(instances)) throw new Error(`no instances in ${json}`);
  return instances.map(record);
}
