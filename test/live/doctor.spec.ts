import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, copyFileSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { agentCommand, type RunningAgent, record, startAgent } from './agent.js';
import { run } from './child.js';
import { Cleanup } from './cleanup.js';
import { command, http, startStranger } from './cli-host.js';
import { liveSuite, program } from './needs.js';

const cleanup = new Cleanup();
const nobody = (): string => `--web.listen-address=unix:${join(cleanup.directory(), 'nobody.sock')}`;

/** What other VMs of this machine have a say in. */
const OF_VMS =
  /^(qmp|stratovirt_qmp|vmm_sockets|cloud_hypervisor_api|firecracker_.*|kata_shim_sockets|kvm_statistics|descriptor_limit|cgroup_cpu_controller)$/;

/** What does not change from one look to the next. */
function shape(text: string): unknown {
  const { capabilities } = record(JSON.parse(text));
  if (!Array.isArray(capabilities)) return expect.fail(text);
  const steady = capabilities.filter(({ name }) => !OF_VMS.test(name));
  return steady.map(({ name, status, reason, fix }) => ({ name, status, reason, fix }));
}
const isHealthy = (text: string): unknown => record(JSON.parse(text)).healthy;

describe('doctor', () => {
  let agent: RunningAgent;
  let at: string;
  const body = async (): Promise<string> => (await agent.get('/capabilities')).text();

  beforeAll(async () => {
    agent = await startAgent(cleanup, []);
    at = `--web.listen-address=127.0.0.1:${agent.port}`;
  });

  it('prints the document of the agent that runs, and ends by its verdict', async () => {
    const { code, stdout, stderr } = await command(['doctor', '--json', at]);
    expect(stderr).toBe('');
    expect(shape(stdout)).toEqual(shape(await body()));
    expect(stdout.trimEnd()).not.toContain('\n');
    expect(code).toBe(isHealthy(stdout) ? 0 : 1);
  });

  it('prints a report for people, without colours where no terminal is', async () => {
    const { code, stdout, stderr } = await command(['doctor', at]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(new RegExp(`^The agent at 127\\.0\\.0\\.1:${agent.port} was asked\\.\n\n`));
    expect(stdout).toMatch(code === 0 ? /\n\nAll that is needed works[.;]/ : /\n\nSomething that is needed is missing\./);
    expect(stdout).not.toContain('\u001b');
  });

  it('looks itself where no agent runs, with the same result, and where a flag says how to look', async () => {
    const alone = await command(['doctor', '--json', nobody()]);
    expect(shape(alone.stdout)).toEqual(shape(await body()));
    const flagged = await command(['doctor', '--json', at, '--collector.pss']);
    expect(flagged.stdout).toContain('"name":"memory_maps","status":"ok"');
    expect((await command(['doctor', nobody()])).stdout).toMatch(/^This host was looked at without an agent\.\n/);
  });

  it('sees the doors that the configuration opens, although without an agent nobody is asked', async () => {
    const { stdout } = await command(['doctor', '--json', nobody(), '--tracing.mode=auto']);
    expect(stdout).not.toContain('"detail":"the configuration switched it off"');
    const { stdout: off } = await command(['doctor', '--json', nobody(), '--vmm.qmp=off', '--tracing.mode=off']);
    for (const name of ['qmp', 'event_tracing'])
      expect(off).toMatch(new RegExp(`"name":"${name}"[^}]*"detail":"the configuration switched it off"`));
  });

  it('touches no VMM: what a Firecracker wrote for its owner is still there', async () => {
    const directory = cleanup.directory();
    const [program, fifo] = ['firecracker', 'metrics.fifo'].map((name) => join(directory, name));
    execFileSync('mkfifo', [fifo]);
    copyFileSync('/bin/sleep', program);
    const line = '{"utc_timestamp_ms":1700000000000,"vcpu":{"exit_io_in":5}}\n';
    const both = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const vmm = spawn(program, ['600'], { stdio: ['ignore', 'ignore', 'ignore', both] });
    cleanup.add(() => {
      vmm.kill('SIGKILL');
      closeSync(both);
    });
    writeSync(both, line);
    const words = [nobody(), '--vmm.firecracker-metrics=fifo', `--discovery.vmm-executables=${program}`];
    expect((await command(['doctor', '--json', ...words])).stdout).toMatch(/"name":"firecracker_metrics","status":"ok"/);
    expect((await command(['list', ...words])).stdout).toContain(`firecracker-${vmm.pid}-`);
    const left = Buffer.alloc(2 * line.length);
    expect(left.toString('utf8', 0, readSync(both, left))).toBe(line);
  });

  it('says 1 and why where something required is missing', async () => {
    const path = join(cleanup.directory(), 'no-cgroups');
    const { code, stdout } = await command(['doctor', nobody(), '--path.procfs=/nonexistent', `--path.cgroup=${path}`]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^To repair\n {2}✗ pid_namespace +not_configured: \/nonexistent shows/m);
  });

  it('tells of itself, and takes no id', async () => {
    expect((await command(['doctor', '--help'])).stdout).toMatch(/^Usage: vmgauge doctor \[--json\] \[flags\]\n/);
    expect(await command(['doctor', 'web-1', at])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('unexpected argument "web-1"'),
    });
  });

  it('is asked with the token where one is needed', async () => {
    const tokens = join(cleanup.directory(), 'tokens');
    writeFileSync(tokens, 'may-read\n', { mode: 0o600 });
    const listen = `--web.listen-address=unix:${join(cleanup.directory(), 'agent.sock')}`;
    await startAgent(cleanup, [listen, `--web.token-file=${tokens}`]);
    expect(await command(['doctor', '--json', listen])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('asks for a token'),
    });
    const { stdout } = await command(['doctor', '--json', listen, `--web.token-file=${tokens}`]);
    expect(shape(stdout)).toEqual(shape(await body()));
    expect(stdout).not.toContain('may-read');
  });

  it('does not take an older agent for a healthy host', async () => {
    const problem = {
      type: 'urn:vmgauge:problem:not_found',
      title: 'x',
      status: 404,
      detail: 'no such route',
      instance: '/',
      code: 'not_found',
      message: 'x',
    };
    const answer = http('404 Not Found', JSON.stringify(problem), 'Content-Type: application/problem+json\r\n');
    const { listen } = await startStranger(cleanup, answer, 'end');
    expect(await command(['doctor', listen])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/answers 404 not_found: no such route\n$/),
    });
  });

  liveSuite('on a terminal', [program('script')], () => {
    const onTerminal = async (env: Readonly<Record<string, string>>): Promise<string> => {
      const line = agentCommand(['doctor', at])
        .map((word) => `'${word}'`)
        .join(' ');
      // Where CI is set Node believes in no colours, whatever the terminal.
      const { stdout } = await run('env', ['-u', 'CI', 'script', '--quiet', '--return', '--command', line, '/dev/null'], { env });
      return stdout;
    };

    it('has colours, and none where nobody wants them', async () => {
      expect(await onTerminal({ TERM: 'xterm-256color', NO_COLOR: '' })).toContain('\u001b[32m✓\u001b[0m');
      expect(await onTerminal({ TERM: 'xterm-256color', NO_COLOR: '1' })).not.toContain('\u001b[');
      expect(await onTerminal({ TERM: 'dumb', NO_COLOR: '' })).not.toContain('\u001b[');
    });
  });
});
