import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/holding.js';
import { findProgram, Program, type ProgramCall, type ProgramEnd } from './program.js';

let directory: string;
let lines: string[];
let ends: ProgramEnd[];
let programs: Program[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-program-'));
  lines = [];
  ends = [];
  programs = [];
});
afterEach(async () => {
  for (const program of programs) program.end();
  await until(() => ends.length === programs.length);
  rmSync(directory, { recursive: true });
});

const LIMITS = { lineBytes: 1000, budgetBytes: 100_000, budgetLines: 10_000 };

function run(script: string, given: Partial<ProgramCall> = {}): Program {
  const call = { path: '/bin/sh', words: ['-c', script], environment: {}, limits: LIMITS, ...given };
  const program = new Program(call, { line: (text) => lines.push(text), ended: (end) => ends.push(end) });
  programs.push(program);
  return program;
}
const end = async (): Promise<ProgramEnd> => {
  await until(() => ends.length > 0);
  return ends[0];
};
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));

describe('a program', () => {
  it('tells whole lines, how it ended, and what it complained of last', async () => {
    run('echo one; printf two; echo; echo trouble >&2; printf unfinished; exit 7');
    expect(await end()).toEqual({ status: 7, signal: null, error: null, complaint: 'trouble\n' });
    expect(lines).toEqual(['one', 'two']);
  });

  it('has the environment that is named, nothing to read, and a process group of its own', async () => {
    // dash sets PWD itself.
    run('cat; env; echo $$; ps -o pgid= -p $$ 2>/dev/null || cut -d" " -f5 /proc/$$/stat', {
      environment: { NAMED: 'yes', PATH: '/usr/bin:/bin' },
    });
    await end();
    const [group, pid] = [lines.pop()?.trim(), lines.pop()];
    expect(group).toBe(pid);
    expect(lines.filter((line) => !line.startsWith('PWD=') && !line.startsWith('_=')).sort()).toEqual(['NAMED=yes', 'PATH=/usr/bin:/bin']);
  });

  it('gets its words as they are: no shell sees them', async () => {
    run('', { path: '/bin/echo', words: ['$HOME; `id`', '*'] });
    await end();
    expect(lines).toEqual(['$HOME; `id` *']);
  });

  it('ends by SIGTERM', async () => {
    const program = run('echo up; exec sleep 600');
    await until(() => lines.length > 0);
    program.end();
    program.end();
    expect(await end()).toMatchObject({ status: null, signal: 'SIGTERM', error: null });
  });

  it('is heard until its end, and no longer has a number', async () => {
    const program = run('last() { echo last; yes more | head -n 300; exit 0; }; trap last TERM; echo up; while :; do sleep 0.05; done', {
      limits: { lineBytes: 1000, budgetBytes: 10_000, budgetLines: 200 },
      environment: { PATH: '/usr/bin:/bin' },
    });
    await until(() => lines.length > 0);
    expect(program.pid).not.toBeNull();
    program.end();
    expect(await end()).toMatchObject({ status: 0, error: null });
    // Within the same limits as ever.
    expect([lines.length, ...lines.slice(0, 3)]).toEqual([201, 'up', 'last', 'more']);
    expect(program.pid).toBeNull();
  });

  it('ends by SIGKILL where it ignores that, with its children', async () => {
    const program = run('trap "" TERM; sleep 600 & echo $!; while :; do wait; sleep 0.1; done', { limits: { ...LIMITS, graceMs: 50 } });
    await until(() => lines.length > 0);
    program.end();
    expect(await end()).toMatchObject({ signal: 'SIGKILL' });
    await until(() => !isAlive(Number(lines[0])));
  });

  it('is ended when it floods', async () => {
    run('while :; do echo 0123456789012345678901234567890123456789; done');
    expect(await end()).toMatchObject({ error: { code: 'EFBIG' } });
    expect(lines.length).toBeLessThanOrEqual(LIMITS.budgetBytes / 41);
  });

  it('is ended when it floods with lines, however short', async () => {
    run('yes ""', { environment: { PATH: '/usr/bin:/bin' }, limits: { ...LIMITS, budgetBytes: 1e9 } });
    expect(await end()).toMatchObject({ error: { code: 'EFBIG' } });
    expect(lines).toHaveLength(LIMITS.budgetLines);
  });

  it('may say more of what is light', async () => {
    const limits = { ...LIMITS, budgetBytes: 1e9, isLight: (line: string) => line === 'light' };
    run('yes heavy | head -n 100; yes light', { environment: { PATH: '/usr/bin:/bin' }, limits });
    expect(await end()).toMatchObject({ error: { code: 'EFBIG' } });
    expect(lines.length).toBeGreaterThan(9 * LIMITS.budgetLines);
    expect(lines.length).toBeLessThan(10 * LIMITS.budgetLines);
  });

  it('may say as much again after a renewal', async () => {
    const program = run('i=0; while [ $i -lt 20 ]; do echo 0123456789; i=$((i+1)); done; echo half; sleep 600', {
      limits: { lineBytes: 1000, budgetBytes: 230, budgetLines: 30 },
    });
    await until(() => lines.at(-1) === 'half');
    program.renew();
    expect(ends).toEqual([]);
  });

  it('is ended at a line without an end', async () => {
    run('head -c 5000 /dev/zero | tr "\\0" x; sleep 600', { environment: { PATH: '/usr/bin:/bin' } });
    expect(await end()).toMatchObject({ error: { code: 'EFBIG' } });
    expect(lines).toEqual([]);
  });

  it('is ended when it closes its output', async () => {
    run('echo up; exec >&-; exec sleep 600');
    expect(await end()).toMatchObject({ signal: 'SIGTERM', error: { code: 'EPIPE' } });
  });

  it('is over with its own end, whoever holds its output', async () => {
    run('sleep 600 & echo $!');
    await end();
    process.kill(Number(lines[0]), 'SIGKILL');
  });

  it('complains without bound, and the end of it is kept', async () => {
    run('i=0; while [ $i -lt 3000 ]; do echo "line $i of many" >&2; i=$((i+1)); done; exit 1');
    const { complaint } = await end();
    expect(complaint.length).toBeLessThanOrEqual(16_384);
    expect(complaint).toMatch(/line 2999 of many\n$/);
  });

  it.each([
    ['ENOENT', () => join(directory, 'none')],
    ['EACCES', () => directory],
  ])('that cannot be started is an end: %s', async (code, path) => {
    const program = run('', { path: path() });
    expect(await end()).toMatchObject({ status: null, signal: null, error: { code } });
    expect(program.pid).toBeNull();
    program.end();
  });

  it('does not keep this process alive, and does not outlive it', async () => {
    const source = `
      import { Program } from './program.js';
      const listener = { line: (text) => { console.log(text); }, ended: () => undefined };
      new Program({ path: '/bin/sh', words: ['-c', 'trap "" TERM; echo $$; while :; do sleep 0.1; done'], environment: { PATH: '/usr/bin:/bin' },
        limits: { lineBytes: 100, budgetBytes: 1000, budgetLines: 100 } }, { ...listener, line: (text) => { console.log(text); clearTimeout(wait); } });
      const wait = setTimeout(() => undefined, 60_000);
    `;
    const { status, output } = await node(source);
    expect(status).toBe(0);
    const pid = Number(output);
    expect(pid).toBeGreaterThan(1);
    await until(() => !isAlive(pid));
  });

  it('finds its output closed at the next line after this process was killed', async () => {
    const source = `
      import { Program } from './program.js';
      new Program({ path: '/bin/sh', words: ['-c', 'echo $$; while :; do sleep 0.1; echo more; done'], environment: { PATH: '/usr/bin:/bin' },
        limits: { lineBytes: 100, budgetBytes: 1e9, budgetLines: 1e9 } }, { line: (text) => { if (text !== 'more') { console.log(text); process.kill(process.pid, 'SIGKILL'); } }, ended: () => undefined });
      setTimeout(() => undefined, 60_000);
    `;
    const { status, output } = await node(source);
    expect(status).toBe('SIGKILL');
    await until(() => !isAlive(Number(output)));
  });
});

/** Runs a script beside the compiled module in a process of its own. */
function node(source: string): Promise<{ status: number | string | null; output: string }> {
  for (const name of ['program', 'line-splitter', 'host-error']) {
    const { outputText } = ts.transpileModule(readFileSync(join(import.meta.dirname, `${name}.ts`), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    });
    writeFileSync(join(directory, `${name}.js`), outputText);
  }
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  const file = join(directory, 'main.js');
  writeFileSync(file, source);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.once('exit', (status, signal) => resolve({ status: status ?? signal, output: output.trim() }));
  });
}

describe('where a program is', () => {
  const put = (path: string, mode: number): void => {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), '');
    chmodSync(join(directory, path), mode);
  };

  it('is the first directory of PATH with a file that may be executed', () => {
    put('a/tool', 0o644);
    mkdirSync(join(directory, 'b/tool'), { recursive: true });
    put('c/tool', 0o755);
    put('d/tool', 0o755);
    const path = ['', '.', 'relative', ...['none', 'a', 'b', 'c', 'd'].map((name) => join(directory, name))].join(':');
    expect(findProgram('tool', path)).toBe(join(directory, 'c/tool'));
    expect(findProgram('other', path)).toBeNull();
    expect(findProgram('tool', '')).toBeNull();
  });

  it('is none that others could have put there, unless its path says so', () => {
    put('a/tool', 0o755);
    put('b/tool', 0o757);
    chmodSync(join(directory, 'a'), 0o777);
    put('c/tool', 0o775);
    expect(findProgram('tool', ['a', 'b', 'c'].map((name) => join(directory, name)).join(':'))).toBe(join(directory, 'c/tool'));
    expect(findProgram('tool', join(directory, 'a'))).toBeNull();
    expect(findProgram(join(directory, 'a/tool'), '')).toBe(join(directory, 'a/tool'));
  });

  it.runIf(process.geteuid?.() === 0)('is none of another user', () => {
    put('a/tool', 0o755);
    put('b/tool', 0o755);
    chownSync(join(directory, 'a'), 65_534, 65_534);
    chownSync(join(directory, 'b/tool'), 65_534, 65_534);
    expect(findProgram('tool', `${join(directory, 'a')}:${join(directory, 'b')}`)).toBeNull();
  });

  it('is what a path says, if it is absolute', () => {
    put('a/tool', 0o755);
    expect(findProgram(join(directory, 'a/tool'), '/bin')).toBe(join(directory, 'a/tool'));
    expect(findProgram(join(directory, 'b/tool'), '/bin')).toBeNull();
    expect(findProgram('a/tool', directory)).toBeNull();
    expect(findProgram('../bin/sh', '/usr')).toBeNull();
  });
});
