import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Host } from '../../host/host.js';
import type { ApiError } from '../../model/errors.js';
import type { ProcessClaim } from '../../model/instance.js';
import { type ProcessVerdict, RegistrationSource } from './registration.source.js';

const NOW = 1_700_000_000_000;
const BOOT = '6f0e5f5c-0d7e-4b52-9d6c-1f1c2f3a4b5c';
let directory: string;
let store: string;
let verdict: ProcessVerdict;
let checked: ProcessClaim[];
let source: RegistrationSource;

function open(): RegistrationSource {
  const proc = join(directory, 'proc');
  mkdirSync(join(proc, 'sys/kernel/random'), { recursive: true });
  writeFileSync(join(proc, 'sys/kernel/random/boot_id'), `${BOOT}\n`);
  const host = new Host({ proc }, { now: () => NOW, monotonic: () => 0 });
  return new RegistrationSource(host, store, (claim) => {
    checked.push(claim);
    return verdict;
  });
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-registration-'));
  store = join(directory, 'state', 'registrations.json');
  verdict = 'ok';
  checked = [];
  source = open();
  await source.start();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function reopen(): Promise<RegistrationSource> {
  await source.stop();
  const again = open();
  await again.start();
  return again;
}

const refusal = (work: Promise<unknown>): Promise<Pick<ApiError, 'code' | 'detail'> | 'accepted'> =>
  work.then(
    () => 'accepted' as const,
    ({ code, detail }: ApiError) => ({ code, detail }),
  );

describe('RegistrationSource', () => {
  it('holds what was put, also after a restart', async () => {
    expect(await source.put('vm-2', { name: 'two', interfaces: [{ name: 'tap2' }] })).toBe('created');
    expect(await source.put('vm-1', { vcpus: 1 })).toBe('created');
    expect(await source.put('vm-1', { vcpus: 2, memory_bytes: 1024 })).toBe('replaced');
    const records = [
      { id: 'vm-1', vcpus: 2, memoryBytes: 1024 },
      { id: 'vm-2', name: 'two', nics: [{ kind: 'tap', name: 'tap2' }] },
    ];
    expect(source.list()).toEqual(records);
    expect((await reopen()).list()).toEqual(records);
    expect(statSync(store).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(directory, 'state'))).toEqual(['registrations.json']);
  });

  it('deletes, also for after a restart', async () => {
    await source.put('vm-1', {});
    expect(await source.delete('vm-1')).toBe(true);
    expect(await source.delete('vm-1')).toBe(false);
    expect((await reopen()).list()).toEqual([]);
  });

  it('ties a claim to this boot', async () => {
    await source.put('vm-1', { pid: 42, start_ticks: 7 });
    const process = { pid: 42, startTicks: 7, bootId: BOOT };
    expect(checked).toEqual([process]);
    expect((await reopen()).list()).toEqual([{ id: 'vm-1', process }]);
  });

  it.each([
    ['gone', 'no process 42 runs on this host'],
    ['other_process', 'process 42 is another one: start_ticks or boot_id differ'],
  ] as const)('refuses a process that is %s', async (said, detail) => {
    verdict = said;
    expect(await refusal(source.put('vm-1', { pid: 42, start_ticks: 7 }))).toEqual({ code: 'conflict', detail });
    expect(source.list()).toEqual([]);
    expect(existsSync(store)).toBe(false);
  });

  it.each([
    ['../x', {}, 'invalid_id', /^an id must match/],
    ['vm', { pid: 42 }, 'invalid_request', /^start_ticks must be .*a pid is accepted only with its start time, but it is missing$/],
    ['vm', { pid: '42', start_ticks: 1 }, 'invalid_request', /^pid must be a whole number from 1 to 4194304, got "42"$/],
    ['vm', { id: 'other' }, 'invalid_request', /^unknown key "id" with the value "other"$/],
    ['vm', { name: '' }, 'invalid_request', /^name must be text/],
    ['vm', { name: 'x'.repeat(257) }, 'invalid_request', /^name must be text .*…$/],
    ['vm', { interfaces: [{ kind: 'tap' }] }, 'invalid_request', /^interfaces\[0\]: name must be/],
    ['vm', { sockets: Array(17).fill('/a') }, 'invalid_request', /^sockets must be/],
    ['vm', JSON.parse('{"__proto__":{"pid":1}}'), 'invalid_request', /^unknown key "__proto__"/],
    ['vm', null, 'invalid_request', /^must be an object, got null$/],
    ['vm', [], 'invalid_request', /^must be an object, got \[\]$/],
    ['vm', undefined, 'invalid_request', /^must be an object, got undefined$/],
  ])('refuses %s %j', async (id, body, code, detail) => {
    expect(await refusal(source.put(id, body))).toEqual({ code, detail: expect.stringMatching(detail) });
    expect(source.list()).toEqual([]);
  });

  it('answers many at once, each once it is stored, the last one of an id winning', async () => {
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => source.put(`vm-${i % 100}`, { vcpus: i + 1 })));
    expect(answers.filter((answer) => answer === 'created')).toHaveLength(100);
    const again = await reopen();
    expect(again.list()).toHaveLength(100);
    expect(again.list().find(({ id }) => id === 'vm-7')?.vcpus).toBe(208);
  });

  it('has stored what it has answered, also in a chain of changes', async () => {
    for (let i = 0; i < 20; i++) {
      await source.put('vm', { vcpus: i + 1 });
      expect(JSON.parse(readFileSync(store, 'utf8'))).toEqual({ instances: [{ id: 'vm', vcpus: i + 1 }] });
      await source.delete('absent');
    }
  });

  it('changes nothing when the store cannot be written, and recovers', async () => {
    await source.put('vm-1', {});
    rmSync(join(directory, 'state'), { recursive: true });
    writeFileSync(join(directory, 'state'), '');
    expect(await refusal(source.put('vm-2', {}))).toMatchObject({ code: 'unavailable' });
    expect(source.list()).toEqual([{ id: 'vm-1' }]);
    rmSync(join(directory, 'state'));
    expect(await source.put('vm-2', {})).toBe('created');
    expect((await reopen()).list()).toEqual([{ id: 'vm-1' }, { id: 'vm-2' }]);
  });

  it('does not overwrite a store that it has not read', async () => {
    expect(await refusal(open().put('vm-1', {}))).toMatchObject({ code: 'unavailable' });
  });
});

describe('RegistrationSource and its store', () => {
  const write = (text: string): void => {
    mkdirSync(join(directory, 'state'), { recursive: true });
    writeFileSync(store, text);
  };

  it.each(['', '{"instances":[', '[]', '{"instances":{}}', 'null'])('sets a corrupt one aside: %j', async (text) => {
    write(text);
    const again = await reopen();
    expect(again.list()).toEqual([]);
    const aside = `${store}.bad-${NOW}`;
    expect(readFileSync(aside, 'utf8')).toBe(text);
    expect([...again.problems.values()][0]).toContain(`the file was renamed to ${aside}`);
    await again.put('vm-1', {});
    expect(readFileSync(aside, 'utf8')).toBe(text);
  });

  it('keeps what is good of one with a bad entry', async () => {
    write('{"instances":[{"id":"a"},{"id":"b","vcpus":"many"},{"id":"c"},{"id":"c"}]}');
    const again = await reopen();
    expect(again.list()).toEqual([{ id: 'a' }, { id: 'c' }]);
    const [line] = again.problems.values();
    expect(line).toMatch(/^instances\[1\]: vcpus must be a whole number from 1 to 16384 and 1 more; the file was renamed to /);
    expect(line).not.toContain('many');
    expect(existsSync(`${store}.bad-${NOW}`)).toBe(true);
    expect(JSON.parse(readFileSync(store, 'utf8'))).toEqual({ instances: [{ id: 'a' }, { id: 'c' }] });
  });

  it('does not start over one that it may not read', async () => {
    mkdirSync(store, { recursive: true });
    await expect(open().start()).rejects.toThrow(`registration store ${store}: not a regular file`);
    rmSync(store, { recursive: true });
    symlinkSync('/etc/hostname', store);
    await expect(open().start()).rejects.toThrow(`registration store ${store}: the file is a symlink`);
  });

  it('writes over a draft that a crash left behind', async () => {
    mkdirSync(join(directory, 'state'), { recursive: true });
    symlinkSync('/etc/hostname', `${store}.new`);
    await source.put('vm-1', {});
    expect((await reopen()).list()).toEqual([{ id: 'vm-1' }]);
  });

  it('holds 50,000 and not one more', async () => {
    write(JSON.stringify({ instances: Array.from({ length: 50_000 }, (_, i) => ({ id: `vm-${i}` })) }));
    const again = await reopen();
    expect(await again.put('vm-0', { vcpus: 1 })).toBe('replaced');
    expect(await refusal(again.put('one-more', {}))).toMatchObject({ code: 'conflict' });
    expect(again.list()).toHaveLength(50_000);
  }, 30_000);
});
