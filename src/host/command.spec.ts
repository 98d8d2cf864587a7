import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PATIENT_MS, until } from '../../test/holding.js';
import { type CommandCall, runCommand } from './command.js';

const shell = (script: string, rest: Partial<CommandCall> = {}): Promise<string> =>
  runCommand({ program: 'sh', words: ['-c', script], environment: {}, limitBytes: 1000, deadlineMs: PATIENT_MS, ...rest });

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-command-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A script that says who it is before it goes on. */
const named = (script: string): string => `sh -c 'echo $PPID' > ${directory}/new && mv ${directory}/new ${directory}/pid; ${script}`;
const pidOf = async (): Promise<number> => {
  await until(() => existsSync(join(directory, 'pid')));
  return Number(readFileSync(join(directory, 'pid'), 'latin1'));
};
const isGone = (pid: number): boolean => !existsSync(`/proc/${pid}`);

describe('a command', () => {
  it('gives what it wrote, a byte a character', async () => {
    expect(await shell("printf 'a\\377\\nb'")).toBe('a\xff\nb');
    expect(await shell('exit 0')).toBe('');
  });

  it('gets its words as they are, and no other environment than what is named', async () => {
    const words = ['-c', 'printf %s "$1|$HOME|$ONLY"', 'sh', '$(id) ; *'];
    expect(await shell('', { words, environment: { ONLY: 'this' } })).toBe('$(id) ; *||this');
  });

  it('has nothing on its standard input', async () => {
    expect(await shell('cat; echo over')).toBe('over\n');
  });

  it('may write as much as the limit and no byte more', async () => {
    expect(await shell('head -c 1000 /dev/zero')).toHaveLength(1000);
    await expect(shell('head -c 1001 /dev/zero')).rejects.toMatchObject({ code: 'EFBIG' });
  });

  it('is killed when it floods, however it takes a polite end', async () => {
    await expect(shell(named("trap '' TERM; while :; do echo flood; done"))).rejects.toMatchObject({ code: 'EFBIG' });
    const pid = await pidOf();
    await until(() => isGone(pid));
  });

  it('is killed at its deadline', async () => {
    const waiting = shell(named("trap '' TERM; while :; do sleep 0.05; done"), { deadlineMs: 300 });
    await expect(waiting).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    // A machine that is so slow that it had not begun kills it as well.
    if (!existsSync(join(directory, 'pid'))) return;
    const pid = await pidOf();
    await until(() => isGone(pid));
  });

  it('is not waited for when something that it started keeps its output open', async () => {
    const waiting = shell(`(${named('exec sleep 60')}) & exit 0`, { deadlineMs: 300 });
    await expect(waiting).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    process.kill(await pidOf(), 'SIGKILL');
  });

  it('is killed when nobody wants it any more, and not even begun after that', async () => {
    const wanted = new AbortController();
    const running = shell(named('exec sleep 60'), { signal: wanted.signal });
    const over = expect(running).rejects.toMatchObject({ code: 'ECANCELED' });
    const pid = await pidOf();
    wanted.abort();
    await over;
    await until(() => isGone(pid));
    rmSync(join(directory, 'pid'));
    await expect(shell(named('exit 0'), { signal: wanted.signal })).rejects.toMatchObject({ code: 'ECANCELED' });
    expect(existsSync(join(directory, 'pid'))).toBe(false);
  });

  it('that fails says with what, and the end of its complaint', async () => {
    await expect(shell('echo half; echo why >&2; exit 3')).rejects.toMatchObject({ code: 'EIO', message: 'sh ended with 3: why' });
    await expect(shell('kill -9 $$')).rejects.toMatchObject({ code: 'EIO', message: 'sh ended with SIGKILL: ' });
    const long = shell('i=0; while [ $i -lt 2000 ]; do echo $i >&2; i=$((i+1)); done; exit 1');
    const { message } = await long.catch((error: Error) => error).then((error) => (error instanceof Error ? error : expect.fail(error)));
    expect(message.length).toBeLessThan(1200);
    expect(message).toMatch(/1999$/);
  });

  it('that is not there is ENOENT', async () => {
    await expect(shell('', { program: 'vmgauge-no-such-program' })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(shell('', { program: join(directory, 'none') })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(shell('', { program: directory })).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
