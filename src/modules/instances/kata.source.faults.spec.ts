import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeKata, persist, podSpec, rustState, TASKS } from '../../../test/fake-kata.js';
import { BOOT_SECONDS } from '../../../test/fake-proc.js';
import { errno } from '../../../test/fake-process.js';
import { withoutRights } from '../../../test/without-rights.js';
import { descriptorsHeld } from '../../host/held.js';
import { KataSource } from './kata.source.js';
import { Registry } from './registry.js';

let kata: FakeKata;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  kata = new FakeKata();
});
afterEach(() => {
  kata.close();
  expect(descriptorsHeld()).toBe(before);
});

const ids = async (): Promise<string[]> => (await kata.list()).map(({ id }) => id);
const problem = (key: string): string | undefined => kata.source.problems.get(key);

/** A shim 100 without a VMM, of which all files are good. */
function shimAlone(id: string): void {
  kata.shim(100, id);
  kata.bundle(id, 100);
  kata.write(`vc/sbs/${id}/persist.json`, persist(id));
}

/** What the sweeps, which are not here, would take over. */
function release(registry: Registry): void {
  for (const instance of registry.all()) {
    instance.companions.forget();
    instance.incoming?.close();
    instance.incoming = null;
  }
}

/** Only root can give a file of a recorded /proc to somebody else. */
const asRoot = it.runIf(process.getuid?.() === 0 || process.env.VMGAUGE_NO_SKIP === '1');
const STRANGER = 1000;
const giveToStranger = (pid: number): void => chownSync(join(kata.proc.root, String(pid)), STRANGER, STRANGER);

describe('a pid in a file', () => {
  it.each([
    ['an ordinary process', () => kata.program(120, { argv: ['/usr/sbin/sshd'] })],
    ['another sandbox’s VMM', () => kata.qemu(120, 's2')],
    ['the VMM of an id that begins alike', () => kata.qemu(120, 's11')],
    ['a VMM of somebody else', () => kata.program(120, { argv: ['/usr/bin/qemu-system-x86_64', '-name', 'web'], vm: true })],
    ['nobody', () => undefined],
  ])('that has passed on to %s is not the VMM’s', async (_, reuse) => {
    shimAlone('s1');
    kata.write('vc/sbs/s1/persist.json', persist('s1', { Pid: 120, VirtiofsDaemonPid: 120 }));
    reuse();
    const [record] = await kata.list();
    expect(record).toMatchObject({ id: 's1', companions: [{ role: 'shim' }] });
    expect(record.process).toBeUndefined();
  });

  it('that has passed on is not the shim’s, and a directory behind which nothing else lives is stale', async () => {
    kata.write('vc/sbs/s1/persist.json', persist('s1', { Pid: 120 }));
    kata.bundle('s1', 100);
    kata.program(100, { argv: ['/usr/bin/containerd-shim-kata-v2', '-namespace', 'k8s.io', '-id', 's11'] });
    kata.program(120, { argv: ['/usr/bin/nginx'] });
    expect(await ids()).toEqual([]);
    expect([...kata.source.problems]).toEqual([['vc/sbs/s1', 'stale: no process of this sandbox lives']]);
    expect(kata.source.directories.roots).toMatchObject([{ counts: { running: 0, starting: 0, live: 0, stale: 1, phantom: 0 } }]);
  });

  it('is another process when its start time is another', async () => {
    shimAlone('s1');
    kata.qemu(120, 's1', { parent: 100 });
    kata.virtiofsd(110, 's1', 100);
    expect(await kata.list()).toMatchObject([{ process: { pid: 120, startTicks: 120 }, companions: [{ pid: 100 }, { pid: 110 }] }]);
    kata.proc.removeProcess(110);
    kata.proc.removeProcess(120);
    kata.program(110, {
      argv: ['/usr/bin/virtiofsd', '--shared-dir=/run/kata-containers/shared/sandboxes/s2/shared'],
      startTicks: 900,
      parent: 100,
    });
    kata.qemu(120, 's1', { parent: 100, startTicks: 901 });
    expect(await kata.list()).toMatchObject([{ process: { pid: 120, startTicks: 901 }, companions: [{ role: 'shim', pid: 100 }] }]);
  });

  it('of an old parent does not make its next owner the parent', async () => {
    kata.shim(100, 's1', { startTicks: 500 });
    kata.bundle('s1', 100);
    kata.program(120, { argv: ['/usr/bin/qemu-system-x86_64', '-name', 'other'], vm: true, parent: 100, startTicks: 400 });
    expect((await kata.list())[0].process).toBeUndefined();
  });

  it('of a zombie is nobody’s', async () => {
    kata.shim(100, 's1', { change: { state: 'Z' } });
    kata.bundle('s1', 100);
    kata.directory('vc/sbs/s1');
    expect(await ids()).toEqual([]);
  });
});

describe('a stranger', () => {
  asRoot('does not become a sandbox’s VMM by calling itself so', async () => {
    shimAlone('s1');
    kata.write('vc/sbs/s1/persist.json', persist('s1', { Pid: 666 }));
    kata.qemu(666, 's1');
    giveToStranger(666);
    const [record] = await kata.list();
    expect(record.process).toBeUndefined();
  });

  asRoot('is believed in the sandbox’s own cgroup: a VMM that gave up root is there', async () => {
    shimAlone('s1');
    kata.qemu(120, 's1', { cgroup: '/kata_overhead/s1' });
    giveToStranger(120);
    expect(await kata.list()).toMatchObject([{ process: { pid: 120 } }]);
  });

  asRoot('is believed in the sandbox’s own network namespace, but not in the host’s', async () => {
    const hosts = kata.directory('ns-of-host');
    const own = kata.directory('ns-of-sandbox');
    shimAlone('s1');
    kata.write('vc/sbs/s1/persist.json', persist('s1', {}, { Network: { NetworkID: own } }));
    kata.qemu(120, 's1');
    kata.proc.link('120/ns/net', own);
    kata.proc.link('1/ns/net', hosts);
    giveToStranger(120);
    expect(await kata.list()).toMatchObject([{ process: { pid: 120 } }]);
    kata.write('vc/sbs/s1/persist.json', persist('s1', {}, { Network: { NetworkID: hosts } }));
    kata.proc.removeProcess(120);
    kata.qemu(121, 's1');
    kata.proc.link('121/ns/net', hosts);
    giveToStranger(121);
    expect((await kata.list())[0].process).toBeUndefined();
  });

  asRoot('does not become a shim, though a stale bundle names its pid', async () => {
    kata.shim(100, 's1');
    giveToStranger(100);
    kata.bundle('s1', 100);
    kata.directory('vc/sbs/s1');
    expect(await ids()).toEqual([]);
    chownSync(kata.run('vc/sbs/s1'), STRANGER, STRANGER);
    expect(await ids()).toEqual(['s1']);
  });

  it('does not become a shim by starting a program of root’s with a shim’s arguments', async () => {
    kata.directory('vc/sbs/s1');
    kata.shim(100, 's1', { executable: '/usr/bin/su', comm: 'containerd-shim' });
    expect(await ids()).toEqual([]);
  });

  asRoot('who takes the name of a sandbox without a VMM is an instance of his own', async () => {
    shimAlone('s1');
    kata.program(666, { argv: ['/usr/bin/qemu-system-x86_64', '-name', 'sandbox-s1'], vm: true });
    giveToStranger(666);
    const registry = new Registry(kata.host, [kata.source, kata.discovery.source], kata.discovery.source, () => 0);
    await registry.rescan();
    expect([...registry.all()].map(({ id, sources, current, state }) => [id, sources, current?.pid, state])).toEqual([
      ['s1', ['kata'], undefined, 'unknown'],
      ['s1.666-666', ['host'], 666, 'running'],
    ]);
    kata.qemu(120, 's1', { parent: 100 });
    await registry.rescan();
    expect(registry.get('s1')).toMatchObject({ current: { pid: 120 }, sources: ['kata', 'host'], name: 'pod-of-s1' });
    release(registry);
  });
});

describe('without the right to see descriptors', () => {
  beforeEach(() => {
    shimAlone('s1');
    vi.spyOn(kata.discovery.source, 'wasRefused').mockReturnValue(true);
    vi.spyOn(kata.discovery.source, 'vmms').mockReturnValue([]);
    vi.spyOn(kata.discovery.source, 'vmm').mockReturnValue(undefined);
  });

  it('a child of the shim that is called as a VMM and names the sandbox is its VMM, and no other is', async () => {
    kata.program(119, { argv: ['/usr/bin/qemu-img', 'info', 's2'], parent: 100 });
    kata.program(118, { argv: ['/usr/bin/true', 's1'], parent: 100 });
    kata.qemu(121, 's1');
    expect((await kata.list())[0].process).toBeUndefined();
    kata.qemu(120, 's1', { parent: 100 });
    expect(await kata.list()).toMatchObject([{ process: { pid: 120, mustBeVmm: true } }]);
  });

  it('a shim with threads of Dragonball is its own VMM', async () => {
    expect((await kata.list())[0].process).toBeUndefined();
    kata.proc.write('100/task/107/comm', 'db_vcpu0\n');
    expect(await kata.list()).toMatchObject([{ process: { pid: 100 }, hypervisor: 'dragonball', sandbox: { vmmInShim: true } }]);
  });

  it('a directory behind which nothing is seen may still have something behind it', async () => {
    kata.discovery.source.refused = 1;
    kata.write('kata/s2/state.json', '{}');
    await kata.source.list();
    expect(problem('kata/s2')).toBe('stale: no process of this sandbox lives; not all processes may be examined');
  });
});

it('a process whose argv could not be read is looked at again', async () => {
  shimAlone('s1');
  const path = '100/cmdline';
  const argv = readFileSync(join(kata.proc.root, path), 'latin1');
  kata.proc.write(path, '');
  expect(await ids()).toEqual([]);
  kata.proc.write(path, argv);
  expect(await ids()).toEqual(['s1']);
});

describe('in the registry', () => {
  it('a sandbox that loses its VMM is unknown while its shim lives, and stopped afterwards', async () => {
    shimAlone('s1');
    kata.qemu(120, 's1', { parent: 100 });
    const registry = new Registry(kata.host, [kata.source, kata.discovery.source], kata.discovery.source, () => 60_000);
    await registry.rescan();
    const instance = registry.get('s1');
    expect(instance.state).toBe('running');
    kata.proc.removeProcess(120);
    release(registry);
    registry.ended(instance);
    await registry.rescan();
    expect(instance.state).toBe('unknown');
    kata.proc.removeProcess(100);
    rmSync(kata.run('vc/sbs/s1'), { recursive: true });
    await registry.rescan();
    expect(registry.get('s1').state).toBe('stopped');
  });
});

describe('files that are not what they should be', () => {
  beforeEach(() => {
    shimAlone('s1');
    kata.qemu(120, 's1', { parent: 100 });
  });
  const file = (): string => kata.run('vc/sbs/s1/persist.json');

  it.each([
    ['half of it', () => kata.write('vc/sbs/s1/persist.json', '{"HypervisorState":{"Pid":1'), 'not JSON, or only a part of it'],
    ['a symlink', () => symlinkSync('/etc/passwd', file()), 'the file is a symlink'],
    ['a FIFO', () => execFileSync('mkfifo', [file()]), 'not a regular file'],
    ['a directory', () => mkdirSync(file()), 'not a regular file'],
    ['a gigabyte', () => execFileSync('truncate', ['-s', '1G', file()]), 'the file is too long'],
    [
      'a member that is nonsense',
      () => kata.write('vc/sbs/s1/persist.json', persist('s1', { Pid: '7' })),
      'no sense in HypervisorState.Pid',
    ],
  ])('cost no sandbox: %s', async (_, spoil, told) => {
    rmSync(file());
    spoil();
    expect(await kata.list()).toMatchObject([{ id: 's1', process: { pid: 120 } }]);
    expect([...kata.source.problems]).toEqual([['vc/sbs/s1', `persist.json: ${told}`]]);
  });

  it('cost no sandbox in its bundle', async () => {
    kata.write(`${TASKS}/s1/config.json`, '[]');
    kata.write(`${TASKS}/s1/shim.pid`, '-1');
    expect(await kata.list()).toMatchObject([{ process: { pid: 120 }, companions: [{ role: 'shim', pid: 100 }] }]);
    expect([...kata.source.problems]).toEqual([[`${TASKS}/s1`, 'config.json: not a JSON object; shim.pid: no pid']]);
  });

  it('cost no sandbox when none of them may be read', async () => {
    vi.spyOn(kata.host, 'readStrangersFile').mockRejectedValue(errno('EACCES'));
    expect(await kata.list()).toMatchObject([{ id: 's1', process: { pid: 120 }, companions: [{ role: 'shim', pid: 100 }] }]);
    expect(problem('vc/sbs/s1')).toBe('persist.json: no permission to read the file');
    expect(problem(`${TASKS}/s1`)).toBe('config.json: no permission to read the file; shim.pid: no permission to read the file');
  });

  it('cost no sandbox when not even the root may be looked into', async () => {
    await kata.list();
    chmodSync(kata.proc.root, 0o755);
    chmodSync(kata.run('vc/sbs'), 0);
    await withoutRights(async () => expect(await kata.source.list()).toMatchObject([{ id: 's1', process: { pid: 120 } }]));
    expect(problem('vc/sbs')).toBe('no permission to read the file: sandboxes are found by their processes alone');
    chmodSync(kata.run('vc/sbs'), 0o755);
  });

  it('never lead to a secret', async () => {
    kata.write(
      'vc/sbs/s1/persist.json',
      persist('s1', { Pid: 'persist-secret', Type: 'qemu' }, { AgentState: { URL: 'http://user:persist-secret@x y' } }),
    );
    const text = JSON.stringify([await kata.list(), [...kata.source.problems]]);
    expect(text).not.toMatch(/hunter2|secret/);
  });
});

describe('directories', () => {
  it('are stale with something of Kata’s in them and phantom without, and the line says which', async () => {
    kata.write('vc/sbs/socket-only/shim-monitor.sock', '');
    kata.write('kata/torn/state.json', '{"hyp');
    kata.write('kata/odd/readme', '');
    kata.directory('kata/empty');
    kata.directory('kata/firecracker/jail/root');
    expect(await ids()).toEqual([]);
    expect(Object.fromEntries(kata.source.problems)).toEqual({
      'vc/sbs/socket-only': 'stale: no process of this sandbox lives',
      'kata/torn': 'stale: no process of this sandbox lives; state.json: not JSON, or only a part of it',
      'kata/odd': 'phantom: nothing of Kata’s is in it',
      'kata/empty': 'phantom: nothing of Kata’s is in it',
      'kata/firecracker/jail': 'stale: no process of this sandbox lives',
    });
    expect(kata.source.directories).toMatchObject({
      present: true,
      roots: [{ counts: { stale: 1, phantom: 0 } }, { root: kata.run('kata'), counts: { stale: 2, phantom: 2, live: 0 } }],
    });
    kata.write('kata/empty/state.json', '{}');
    await kata.list();
    expect(kata.source.directories.roots[1].counts).toMatchObject({ stale: 3, phantom: 1 });
  });

  it('that are being given up are counted at once, and named only when they stay', async () => {
    shimAlone('s1');
    await kata.list();
    kata.proc.removeProcess(100);
    expect(await ids()).toEqual([]);
    expect(kata.source.directories.roots[0].counts).toMatchObject({ live: 0, stale: 1 });
    expect(kata.source.problems.size).toBe(0);
    await kata.list();
    expect(problem('vc/sbs/s1')).toMatch(/^stale/);
    rmSync(kata.run('vc/sbs/s1'), { recursive: true });
    await kata.list();
    expect(kata.source.problems.size).toBe(0);
  });

  it('with names that are no ids, symlinks and files are no sandboxes', async () => {
    shimAlone('s1');
    kata.directory('vc/sbs/..x');
    kata.directory('vc/sbs/a b\n');
    kata.write('vc/sbs/file', '');
    symlinkSync(kata.run('vc/sbs/s1'), kata.run('vc/sbs/linked'));
    expect(await ids()).toEqual(['s1']);
    expect([...kata.source.problems]).toEqual([
      ['vc/sbs/..x', 'the name of the directory is no id'],
      ['vc/sbs/a b?', 'the name of the directory is no id'],
      ['s1', 'its shim lives, but no VMM of it was found'],
    ]);
    expect(kata.source.directories.roots[0].counts).toEqual({ running: 0, starting: 1, live: 1, stale: 0, phantom: 0 });
  });

  it('of both runtimes for one id leave the runtime unknown, so that its shim is never asked', async () => {
    shimAlone('s1');
    kata.write('kata/s1/state.json', rustState('s1', 'qemu'));
    expect((await kata.list())[0].sandbox?.runtime).toBeUndefined();
    rmSync(kata.run('vc/sbs/s1/persist.json'));
    kata.proc.clock.ms += 10_000;
    expect((await kata.list())[0].sandbox).toMatchObject({ runtime: 'rust', directory: kata.run('kata/s1') });
    expect(kata.source.directories.roots).toMatchObject([{ counts: { phantom: 1, live: 0 } }, { counts: { starting: 1, live: 1 } }]);
  });

  it('may come and go while they are looked at', async () => {
    shimAlone('s1');
    let going = true;
    const churn = (async () => {
      while (going) {
        for (const id of ['x1', 'x2', 'x3']) kata.write(`vc/sbs/${id}/persist.json`, persist(id));
        await new Promise((resolve) => setImmediate(resolve));
        for (const id of ['x1', 'x2', 'x3']) rmSync(kata.run(`vc/sbs/${id}`), { recursive: true });
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let i = 0; i < 30; i++) expect(await ids()).toEqual(['s1']);
    going = false;
    await churn;
  });

  it('may not be there, then be there, then be gone', async () => {
    expect(await ids()).toEqual([]);
    shimAlone('s1');
    expect(await ids()).toEqual(['s1']);
    rmSync(kata.run('vc'), { recursive: true });
    rmSync(kata.run('containerd'), { recursive: true });
    await kata.list();
    expect(kata.source.directories).toEqual({ present: false, roots: [] });
  });
});

describe('what a pass costs', () => {
  const reads = () => vi.spyOn(kata.host, 'readStrangersFile');

  it('is nothing for the bundles of other runtimes', async () => {
    for (let i = 0; i < 200; i++) kata.directory(`${TASKS}/runc-${i}`);
    for (let pid = 300; pid < 340; pid++) {
      kata.program(pid, { argv: ['/usr/bin/containerd-shim-runc-v2', '-namespace', 'k8s.io', '-id', `runc-${pid}`] });
      kata.bundle(`runc-${pid}`, pid);
    }
    const read = reads();
    expect(await ids()).toEqual([]);
    expect(read).not.toHaveBeenCalled();
  });

  it('is no file read again for a sandbox that has not changed', async () => {
    shimAlone('s1');
    kata.qemu(120, 's1', { parent: 100 });
    kata.proc.clock.ms = Date.now() - BOOT_SECONDS * 1000 + 10_000;
    await kata.list();
    const read = reads();
    const held = vi.spyOn(kata.host, 'holdDirectory');
    await kata.source.list();
    expect(read).not.toHaveBeenCalled();
    expect(held).not.toHaveBeenCalled();
  });

  it('is a bundle looked for ever more seldom where there is none', async () => {
    kata.write('kata/s1/state.json', rustState('s1', 'qemu'));
    const read = reads();
    const asked: number[] = [];
    for (let second = 0; second < 600; second += 2) {
      read.mockClear();
      await kata.source.list();
      if (read.mock.calls.some(([path]) => path.endsWith('shim.pid'))) asked.push(second);
      kata.proc.clock.ms += 2000;
    }
    expect(asked.slice(0, 6)).toEqual([0, 2, 4, 8, 16, 32]);
    expect(asked.length).toBeLessThan(20);
    kata.shim(100, 's1');
    kata.bundle('s1', 100, podSpec('s1'));
    kata.proc.clock.ms += 60_000;
    expect(await kata.list()).toMatchObject([{ name: 'pod-of-s1' }]);
  });

  it('ends in time: the registry keeps the last answer', async () => {
    shimAlone('s1');
    await kata.discovery.source.list();
    vi.spyOn(kata.host, 'readStrangersFile').mockImplementation(async () => {
      kata.proc.clock.ms += 9000;
      return '{}';
    });
    await expect(kata.source.list()).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });
});

it('scans by itself where host discovery is switched off', async () => {
  shimAlone('s1');
  const alone = new KataSource(kata.host, kata.discovery.source, true);
  expect(await alone.list()).toMatchObject([{ id: 's1' }]);
});
