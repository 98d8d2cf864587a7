import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withoutRights } from '../../../test/without-rights.js';
import { Host } from '../../host/host.js';
import { HypemanSource } from './hypeman.source.js';

let data: string;
let source: HypemanSource;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'vmgauge-hypeman-'));
  source = new HypemanSource(new Host(), data);
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const directory = (id: string): string => join(data, 'guests', id);
const file = (id: string): string => join(directory(id), 'metadata.json');

function metadata(id: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    Id: id,
    Name: `name-of-${id}`,
    Size: 1_073_741_824,
    HotplugSize: 536_870_912,
    Vcpus: 2,
    NetworkEnabled: true,
    MAC: '02:00:00:AB:CD:EF',
    HypervisorType: 'cloud-hypervisor',
    HypervisorPID: 4242,
    HypervisorStartTime: 987_654,
    HypervisorBootID: '6f0e5f5c-0d7e-4b52-9d6c-1f1c2f3a4b5c',
    SocketPath: join(directory(id), 'ch.sock'),
    ProgramStartedAt: '2026-03-01T10:00:00Z',
    GuestAgentReadyAt: '2026-03-01T10:00:01Z',
    SkipGuestAgent: false,
    Env: { TOKEN: 'hunter2-in-env' },
    Entrypoint: ['/bin/entry-secret'],
    Cmd: ['--password=cmd-secret'],
    Tags: { team: 'tag-secret' },
    ...change,
  };
}

function write(id: string, content: unknown = metadata(id)): void {
  mkdirSync(directory(id), { recursive: true });
  writeFileSync(file(id), typeof content === 'string' ? content : JSON.stringify(content));
}

const ids = async (): Promise<string[]> => (await source.list()).map(({ id }) => id);

describe('HypemanSource records', () => {
  it('says everything that metadata.json says of the VM', async () => {
    write('Ab12cd34ef');
    writeFileSync(join(directory('Ab12cd34ef'), 'ch.sock'), '');
    const socket = join(directory('Ab12cd34ef'), 'ch.sock');
    expect(await source.list()).toEqual([
      {
        id: 'Ab12cd34ef',
        name: 'name-of-Ab12cd34ef',
        hypervisor: 'cloud-hypervisor',
        vcpus: 2,
        memoryBytes: 1_610_612_736,
        nics: [{ kind: 'tap', name: 'hype-ab12cd34', mac: '02:00:00:ab:cd:ef' }],
        sockets: [socket],
        process: { pid: 4242, startTicks: 987_654, bootId: '6f0e5f5c-0d7e-4b52-9d6c-1f1c2f3a4b5c', argument: socket, mustBeVmm: true },
        state: 'running',
      },
    ]);
    expect(source.problems.size).toBe(0);
  });

  it.each([
    ['qemu', 'qemu'],
    ['qemu-microvm', 'qemu'],
    ['firecracker', 'firecracker'],
    ['vz', 'unknown'],
    ['toString', 'unknown'],
  ])('knows the hypervisor %s as %s', async (type, expected) => {
    write('a', metadata('a', { HypervisorType: type }));
    expect((await source.list())[0]).toMatchObject({ hypervisor: expected });
  });

  it('has no NIC without network, and makes no claim without a pid', async () => {
    write('a', metadata('a', { NetworkEnabled: false, HypervisorPID: null }));
    const [record] = await source.list();
    expect(record.nics).toEqual([]);
    expect(record.process).toBeUndefined();
  });

  it('claims a stale pid as it stands: the registry checks it', async () => {
    write('a', metadata('a', { HypervisorPID: 4_194_303, HypervisorStartTime: 0, HypervisorBootID: '' }));
    expect((await source.list())[0].process).toEqual({ pid: 4_194_303, argument: join(directory('a'), 'ch.sock'), mustBeVmm: true });
  });

  it('leaves out what makes no sense and says so, but claims no pid whose start time cannot be checked', async () => {
    write('a', metadata('a', { Vcpus: -2, Size: 'much', HypervisorStartTime: 1.5, MAC: 'nonsense' }));
    const [record] = await source.list();
    expect([record.vcpus, record.memoryBytes, record.process]).toEqual([undefined, undefined, undefined]);
    expect(source.problems.get('a')).toBe('metadata.json: no sense in Vcpus, Size, MAC, HypervisorStartTime');
  });

  it('gives no memory where the hot-plugged part cannot be read', async () => {
    write('a', metadata('a', { HotplugSize: 'some' }));
    expect((await source.list())[0].memoryBytes).toBeUndefined();
  });

  it('never holds a secret, in a record or a problem', async () => {
    write('a');
    write('torn', JSON.stringify(metadata('torn')).slice(0, -20));
    write('other', metadata('mismatch'));
    write('odd', metadata('odd', { Vcpus: 'tag-secret' }));
    const text = JSON.stringify([await source.list(), [...source.problems], source]);
    for (const secret of ['hunter2-in-env', 'entry-secret', 'cmd-secret', 'tag-secret']) expect(text).not.toContain(secret);
  });
});

describe('HypemanSource states', () => {
  const state = async (): Promise<string | undefined> => (await source.list())[0].state;
  const socket = (): void => writeFileSync(join(directory('a'), 'ch.sock'), '');

  it('is stopped without a socket, standby with a snapshot beside it', async () => {
    write('a');
    expect(await state()).toBe('stopped');
    const snapshot = join(directory('a'), 'snapshots', 'snapshot-latest');
    mkdirSync(snapshot, { recursive: true });
    expect(await state()).toBe('stopped');
    writeFileSync(join(snapshot, 'state.json'), '{}');
    expect(await state()).toBe('standby');
    socket();
    expect(await state()).toBe('running');
  });

  it.each([
    [{ ProgramStartedAt: null }, 'initializing'],
    [{ GuestAgentReadyAt: null }, 'initializing'],
    [{ GuestAgentReadyAt: null, SkipGuestAgent: true }, 'running'],
    [{ ProgramStartedAt: undefined, GuestAgentReadyAt: undefined, SkipGuestAgent: undefined }, 'running'],
  ])('with %j and a socket it is %s', async (change, expected) => {
    write('a', metadata('a', change));
    socket();
    expect(await state()).toBe(expected);
  });

  it('finds the socket where hypeman names its data directory otherwise', async () => {
    write('a', metadata('a', { SocketPath: '/elsewhere/guests/a/ch.sock' }));
    socket();
    expect(await state()).toBe('running');
  });

  it('does not know the state without a socket path', async () => {
    write('a', metadata('a', { SocketPath: '' }));
    expect(await state()).toBeUndefined();
  });
});

describe('HypemanSource and bad files', () => {
  it.each([
    ['empty', '', 'metadata.json: the file is empty'],
    ['half-written', '{"Id":"bad","Na', 'metadata.json: not JSON, or only a part of it'],
    ['a list', '[]', 'metadata.json: not a JSON object'],
    ['of another VM', '{"Id":"other"}', 'metadata.json: its Id is not the name of its directory'],
  ])('%s: the others stay, the reason is told', async (_, content, problem) => {
    write('bad', content);
    write('good');
    expect(await ids()).toEqual(['good']);
    expect([...source.problems]).toEqual([['bad', problem]]);
  });

  it('takes a half-written file once it is complete', async () => {
    const text = JSON.stringify(metadata('a'));
    write('a', text.slice(0, 100));
    expect(await ids()).toEqual([]);
    write('a', text);
    expect(await ids()).toEqual(['a']);
    expect(source.problems.size).toBe(0);
  });

  it('looks a second time at a file that is being written', async () => {
    const text = JSON.stringify(metadata('a'));
    write('a', text.slice(0, 100));
    setTimeout(() => write('a', text), 10);
    expect(await ids()).toEqual(['a']);
  });

  it('keeps the last good record of a torn file until the directory is gone', async () => {
    write('a');
    const [before] = await source.list();
    truncateSync(file('a'), 50);
    expect(await source.list()).toEqual([before]);
    expect(source.problems.has('a')).toBe(true);
    rmSync(directory('a'), { recursive: true });
    expect(await ids()).toEqual([]);
    write('a', '{');
    expect(await ids()).toEqual([]);
  });

  it('forgets the record when the file is gone', async () => {
    write('a');
    await source.list();
    rmSync(file('a'));
    expect(await ids()).toEqual([]);
    expect(source.problems.get('a')).toBe('metadata.json: the file is missing');
  });

  it('sees a change of equal length in the same instant', async () => {
    write('a', metadata('a', { Vcpus: 2 }));
    await source.list();
    write('a', metadata('a', { Vcpus: 3 }));
    expect((await source.list())[0].vcpus).toBe(3);
  });

  it('reads no more than a mebibyte', async () => {
    write('a', '{');
    truncateSync(file('a'), 100 << 20);
    write('good');
    expect(await ids()).toEqual(['good']);
    expect(source.problems.get('a')).toBe('metadata.json: the file is too long');
  });

  it('does not follow symlinks or wait for a FIFO', async () => {
    write('good');
    mkdirSync(directory('linked-file'));
    symlinkSync(file('good'), file('linked-file'));
    symlinkSync(directory('good'), directory('linked-directory'));
    mkdirSync(directory('fifo'));
    execFileSync('mkfifo', [file('fifo')]);
    expect(await ids()).toEqual(['good']);
    expect(source.problems.get('linked-file')).toBe('metadata.json: the file is a symlink');
    expect(source.problems.get('fifo')).toBe('metadata.json: not a regular file');
    expect(source.problems.has('linked-directory')).toBe(false);
  });

  it('throws EACCES without permission', async () => {
    write('a');
    chmodSync(data, 0o755);
    chmodSync(join(data, 'guests'), 0);
    try {
      await withoutRights(() => expect(source.list()).rejects.toMatchObject({ code: 'EACCES' }));
    } finally {
      chmodSync(join(data, 'guests'), 0o700);
    }
  });

  it('sees neither side of a fork twice', async () => {
    write('a');
    write('fork');
    renameSync(directory('a'), directory('a.fork-bak.123456'));
    symlinkSync(directory('fork'), directory('a'));
    expect(await ids()).toEqual(['fork']);
    expect(source.problems.size).toBe(0);
  });

  it('names a directory whose name is no id, without its control characters', async () => {
    mkdirSync(directory('no id\n'), { recursive: true });
    expect(await ids()).toEqual([]);
    expect([...source.problems]).toEqual([['no id?', 'the name of the directory is no id']]);
  });

  it('bounds the list of problems', async () => {
    for (let i = 0; i < 150; i++) write(`bad-${i}`, '{');
    expect(await ids()).toEqual([]);
    expect(source.problems.size).toBe(100);
    expect(source.problems.get('(others)')).toBe('51 more');
  });
});
