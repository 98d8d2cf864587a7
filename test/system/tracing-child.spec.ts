import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { enrolProcess } from '../../src/modules/events/doorbell.js';
import { builtAgent, PROGRAM } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child, childrenOf } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith, program } from './needs.js';
import { tracefs } from './tracefs.js';
import { builtTracing, type State, TracingDriver } from './tracing-driver.js';

const NOBODY = 65_534;
const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
const NEEDS = [...BASICS, program('bpftrace', 'bpftrace'), builtAgent, builtTracing, tracefs];

describeWith('the program that traces', NEEDS, () => {
  const belongings = new Belongings();
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-tracing-'));
    chmodSync(directory, 0o755);
  });
  afterEach(() => belongings.release());
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  const isRunning = (pid: number): boolean =>
    existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  const sleeper = async (): Promise<Child> => {
    const child = await Child.start(['sleep', '600']);
    belongings.own(() => child.kill());
    return child;
  };
  const enrolled =
    (pid: number, key: number) =>
    ({ lines }: TracingDriver) =>
      lines.some((line) => new RegExp(`"@vm".*"${pid}": ${key}\\b`).test(line));
  const endsOf = ({ state }: TracingDriver): Record<string, number> =>
    Object.fromEntries((state?.ends ?? []).filter(([, count]) => count > 0));
  /** A script in place of bpftrace, which may become the real one by `exec`. */
  const standIn = (name: string, script: string): string => {
    const path = join(directory, name);
    writeFileSync(path, `#!/bin/bash\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  it('is bpftrace: it ticks, is told whom to trace, and starts again when it is killed', async () => {
    const { pid } = await sleeper();
    const driver = await TracingDriver.start(belongings, { tracingBlocks: ['cpu'] });
    await driver.until('the first tick', ({ begun }) => begun.length === 1);
    expect(driver.begun[0].cpu).toBeNull();
    driver.ring(enrolProcess(pid, 7));
    await driver.until('the process enrolled', enrolled(pid, 7));
    process.kill(driver.program(), 'SIGKILL');
    await driver.until('another life', ({ begun }) => begun.length === 2);
    expect(driver.ended).toEqual(['crashed']);
    expect(endsOf(driver)).toEqual({ crashed: 1 });
    // The maps of the life before are gone.
    driver.ring(enrolProcess(pid, 8));
    await driver.until('the process enrolled again', enrolled(pid, 8));
  });

  it('tells all once more when another life is to begin', async () => {
    const { pid } = await sleeper();
    const driver = await TracingDriver.start(belongings, { tracingBlocks: ['cpu'] });
    await driver.until('the first tick', ({ begun }) => begun.length === 1);
    driver.ring(enrolProcess(pid, 7));
    driver.renew();
    await driver.until('another life', ({ begun }) => begun.length === 2);
    expect([driver.ended, endsOf(driver)]).toEqual([['not_wanted'], { renewed: 1 }]);
    expect(driver.lastWords[0].join('\n')).toMatch(new RegExp(`"@vm".*"${pid}": 7\\b`));
  });

  it('says what the kernel did not show it, where the kernel tells', async () => {
    const [major, minor] = release().split('.').map(Number);
    const driver = await TracingDriver.start(belongings, { tracingBlocks: ['cpu'] });
    await driver.until('two ticks', ({ lines }) => lines.filter((line) => line.includes('"tick ')).length >= 2);
    const said = driver.lines.filter((line) => /^\{"type": "missed_events", "data": \{"events": \d+\}\}$/.test(line));
    expect(said.length > 0).toBe(major > 6 || (major === 6 && minor >= 7));
  });

  it('is not ended by maps that are full, and says how much was lost', async () => {
    // 64 places: each process that is enrolled beyond them is an error.
    const path = standIn('small', 'export BPFTRACE_MAP_KEYS_MAX=64; exec bpftrace "$@"');
    const driver = await TracingDriver.start(belongings, { tracingBlocks: ['cpu'], tracingProgram: path });
    await driver.until('the first tick', ({ begun }) => begun.length === 1);
    driver.ring(Array.from({ length: 2000 }, (_, i) => enrolProcess(2 ** 22 + 1 + i, i + 1)).flat());
    await driver.until('the losses', ({ lines }) => lines.some((line) => line.includes('"lost_events"')));
    expect(driver.lines.filter((line) => line.includes('"helper_error"')).length).toBeLessThanOrEqual(200);
    expect([endsOf(driver), driver.lines.some((line) => line.includes('-7'))]).toEqual([{}, true]);
  });

  it('ends by itself when the agent is killed', async () => {
    const driver = await TracingDriver.start(belongings, { tracingBlocks: ['cpu'] });
    await driver.until('the first tick', ({ begun }) => begun.length === 1);
    const pid = driver.program();
    await driver.child.kill('SIGKILL');
    await eventually('the end of bpftrace', () => !isRunning(pid));
  });

  it('ends with the agent, even where it ignores SIGTERM and is silent', async () => {
    const path = standIn('deaf', 'trap "" TERM PIPE; echo \'{"type": "printf", "data": "tick 1\\n"}\'; while :; do sleep 1; done');
    const driver = await TracingDriver.start(belongings, { tracingProgram: path });
    await driver.until('the first tick', ({ begun }) => begun.length === 1);
    const pid = driver.program();
    // Node's own end by an error.
    driver.child.write('no JSON\n');
    await driver.child.gone();
    await eventually('the end of what stood for bpftrace', () => !isRunning(pid));
  });

  it('is refused to every user but root, and says so', async () => {
    const driver = await TracingDriver.start(belongings, {}, asNobody);
    await driver.until('a look', ({ state }) => state !== null);
    expect(driver.state).toMatchObject({ outcome: 3, hindrance: { reason: 'no_permission' }, blocks: { cpu: 'no_permission' } });
    // And bpftrace itself says it in words that are understood.
    const path = standIn('as-nobody', `exec ${asNobody.join(' ')} bpftrace "$@"`);
    const other = await TracingDriver.start(belongings, { tracingProgram: path });
    await other.until('a refusal', ({ state }) => state?.hindrance !== null && state !== null);
    expect(other.state).toMatchObject({ outcome: 3, hindrance: { reason: 'no_permission', words: expect.stringContaining('root') } });
  });

  it('is given another script where it refuses one for a block it names', async () => {
    // As of a kernel whose tracepoint is there and lacks a field.
    const path = standIn(
      'without-tcp',
      'for last; do :; done; exec bpftrace -B none -f json -e "$(sed "s/args->skaddr/args->nosuch/g" <<<"$last")"',
    );
    const driver = await TracingDriver.start(belongings, { tracingProgram: path, tracingBlocks: ['cpu', 'tcp'] });
    await driver.until('the first tick', ({ begun }) => begun.length === 1);
    expect(driver.begun[0]).toMatchObject({ cpu: null, tcp: 'missing_tracepoint' });
    await driver.until('a look after it', ({ state }) => state?.blocks?.tcp === 'missing_tracepoint');
    expect((driver.state as State).failures).toEqual([{ block: 'tcp', reason: 'missing_tracepoint', count: 1 }]);
  });

  it.each([
    ['crashes at once', 'exit 0', 'crashed'],
    ['is killed', 'kill -SEGV $$', 'crashed'],
    ['says nothing and fails', 'exit 255', 'crashed'],
    ['crashes after a tick', 'echo \'{"type": "printf", "data": "tick 1\\n"}\'; echo trouble >&2; exit 1', 'crashed'],
    ['floods', 'while :; do head -c 10000000 /dev/zero; done', 'flooded'],
    ['floods with lines', 'echo \'{"type": "printf", "data": "tick 1\\n"}\'; yes garbage', 'flooded'],
    ['closes its output', 'echo \'{"type": "printf", "data": "tick 1\\n"}\'; exec >&-; exec sleep 600', 'crashed'],
  ] as const)('that %s is started again', async (_, script, ending) => {
    const driver = await TracingDriver.start(belongings, { tracingProgram: standIn('faulty', script) });
    await driver.until('two ends', (one) => (endsOf(one)[ending] ?? 0) >= 2);
    expect(endsOf(driver)).toEqual({ [ending]: endsOf(driver)[ending] });
  });

  it('that starts slowly, and prints garbage and blank lines, is listened to', async () => {
    const tick = 'echo \'{"type": "printf", "data": "tick 1\\n"}\'';
    const script = `sleep 4; echo '{"type": "attached_probes", "data": {"probes": 5}}'; echo; ${tick}; printf '\\n\\n\\377garbage{\\n'; while :; do ${tick}; sleep 0.3; done`;
    const driver = await TracingDriver.start(belongings, { tracingProgram: standIn('slow', script) });
    await driver.until('garbage', ({ lines }) => lines.some((line) => line.includes('garbage{')));
    expect(driver.lines).not.toContain('');
    await driver.until('a look after it', ({ state }) => state?.outcome === 0);
    expect(endsOf(driver)).toEqual({});
  });

  it('runs behind a helper for an agent that is nobody, and ends when it goes', async () => {
    const socket = join(directory, 'trace.sock');
    const without = await TracingDriver.start(belongings, { tracingHelperSocket: socket }, asNobody);
    await without.until('a look', ({ state }) => state !== null);
    expect(without.state).toMatchObject({ outcome: 2, hindrance: { reason: 'no_helper' } });

    const helper = await Child.start([
      process.execPath,
      PROGRAM,
      'trace',
      `--socket=${socket}`,
      `--socket-group=${NOBODY}`,
      '--tracing.blocks=cpu,tcp',
    ]);
    belongings.own(() => helper.kill());
    await eventually('the helper', () => helper.complaints.includes('listening'));
    expect(statSync(socket)).toMatchObject({ mode: 0o140660, uid: 0, gid: NOBODY });
    const stranger = ['setpriv', '--reuid=65533', '--regid=65533', '--clear-groups', '--'];
    const { pid } = await sleeper();
    const driver = await TracingDriver.start(belongings, { tracingHelperSocket: socket }, asNobody);
    await driver.until('the first tick', ({ begun }) => begun.length === 1);
    // What the helper's administrator did not allow is off, whatever the agent wants.
    expect(driver.begun[0]).toMatchObject({ cpu: null, tcp: null, dns: 'not_wanted' });
    driver.ring(enrolProcess(pid, 9));
    await driver.until('the process enrolled', enrolled(pid, 9));
    driver.renew();
    await driver.until('another life', ({ begun }) => begun.length === 2);
    expect(driver.lastWords[0].join('\n')).toMatch(new RegExp(`"@vm".*"${pid}": 9\\b`));
    const [bpftrace] = childrenOf(helper.pid);
    // bpftrace dies under it, and is had again.
    process.kill(bpftrace, 'SIGKILL');
    await driver.until('a third life', ({ begun }) => begun.length === 3);

    const other = await TracingDriver.start(belongings, { tracingHelperSocket: socket }, stranger);
    await other.until('a refusal', ({ state }) => state?.hindrance?.words.includes('EACCES') === true);
    await driver.child.kill();
    await eventually('the end of bpftrace', () => childrenOf(helper.pid).length === 0);

    await helper.kill('SIGTERM');
    expect(existsSync(socket)).toBe(false);
  });

  it('takes a socket that was handed over', async () => {
    const path = join(directory, 'handed.sock');
    // What systemd does: listens, and becomes the service.
    const activate = `import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(8); (os.dup2(s.fileno(), 3) if s.fileno() != 3 else None); os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])`;
    const helper = await Child.start(['python3', '-c', activate, path, process.execPath, PROGRAM, 'trace']);
    belongings.own(() => helper.kill());
    await eventually('the helper', () => helper.complaints.includes('listening'));
    const socket = connect(path);
    belongings.own(() => socket.destroy());
    let said = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    socket.write('trace {"version":1,"blocks":[],"intervalMs":1000,"slots":1024}\n');
    await eventually('an answer', () => said.startsWith('refused '));
  });
});
