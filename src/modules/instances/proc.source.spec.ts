import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { descriptorsHeld } from '../../host/held.js';
import { DRIVERS } from '../hypervisor/drivers.js';
import { Discovery } from './discovery.js';

const QEMU = '/usr/bin/qemu-system-x86_64';
let proc: FakeProc;
let discovery: Discovery;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
  discovery = new Discovery(proc.host(), DRIVERS, ['/usr/bin/qemu-system-*']);
});
afterEach(() => {
  expect(descriptorsHeld()).toBe(before);
  proc.close();
});

function addQemu(pid: number, argv: readonly string[] = [], change: Parameters<typeof statLine>[0] = {}): void {
  proc.addProcess(pid, change);
  proc.link(`${pid}/exe`, QEMU);
  proc.write(`${pid}/comm`, 'qemu-system-x86\n');
  proc.write(`${pid}/cmdline`, `${[QEMU, ...argv].join('\0')}\0`);
}
const list = () => discovery.source.list();

describe('host discovery', () => {
  it('finds a listed executable, and names it by what it says of itself', async () => {
    addQemu(7, ['-name', 'guest=web,debug-threads=on', '-uuid', '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11', '-smp', '4', '-m', '512']);
    expect(await list()).toMatchObject([
      {
        id: '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11',
        name: 'web',
        hypervisor: 'qemu',
        vcpus: 4,
        memoryBytes: 512 * 1024 * 1024,
        process: { pid: 7, startTicks: 271431 },
      },
    ]);
  });

  it('names a VM that says nothing by its process', async () => {
    addQemu(7);
    expect(await list()).toMatchObject([{ id: 'qemu-7-271431' }]);
  });

  it('finds any process that holds a VM of KVM, and counts its vCPUs', async () => {
    proc.addProcess(7);
    for (const [fd, target] of [
      'anon_inode:kvm-vm',
      'anon_inode:kvm-vcpu:0',
      'anon_inode:kvm-vcpu:1',
      'anon_inode:kvm-vcpu:1',
      '/dev/null',
    ].entries())
      proc.link(`7/fd/${fd}`, target);
    expect(await list()).toMatchObject([{ id: 'kvm-7-271431', hypervisor: 'kvm', vcpus: 2 }]);
  });

  it('does not believe argv or comm', async () => {
    proc.addProcess(7, { comm: 'qemu-system-x86' });
    proc.link('7/exe', '/home/u/qemu-system-x86_64');
    proc.write('7/cmdline', `${QEMU}\0-name\0web\0`);
    proc.link('7/fd/3', '/tmp/anon_inode:kvm-vm');
    expect(await list()).toEqual([]);
  });

  it('does not believe a path in a user namespace of the process’s own', async () => {
    proc.link('1/ns/user', 'user:[4026531837]');
    discovery = new Discovery(proc.host(), DRIVERS, ['/usr/bin/qemu-system-*']);
    addQemu(7);
    proc.link('7/ns/user', 'user:[4026531999]');
    addQemu(8);
    proc.link('8/ns/user', 'user:[4026531837]');
    expect(await list()).toMatchObject([{ process: { pid: 8 } }]);
  });

  it('still knows an executable that was replaced on disk', async () => {
    proc.addProcess(7);
    proc.link('7/exe', `${QEMU} (deleted)`);
    expect(await list()).toHaveLength(1);
    expect(discovery.source.vmm(7)?.executable).toBe(QEMU);
  });

  it('tells of every process who it is and whose child, until it is gone', async () => {
    addQemu(7);
    proc.addProcess(8, { comm: 'a) S 9 (b', parent: 7, startTicks: 5 });
    proc.addProcess(9, { state: 'Z' });
    await list();
    expect([...discovery.source.processes()]).toEqual([
      { pid: 7, startTicks: 271431, parent: 1, comm: 'qemu-system-x86' },
      { pid: 8, startTicks: 5, parent: 7, comm: 'a) S 9 (b' },
    ]);
    expect(discovery.source.vmms().map(({ pid }) => pid)).toEqual([7]);
    proc.write('8/stat', statLine({ pid: 8, comm: 'a) S 9 (b', parent: 1, startTicks: 5 }));
    await list();
    expect(discovery.source.process(8)?.parent).toBe(1);
    proc.removeProcess(8);
    await list();
    expect(discovery.source.process(8)).toBeUndefined();
  });

  it('leaves out zombies, and what is no process', async () => {
    addQemu(7, [], { state: 'Z' });
    proc.write('self/stat', statLine({}));
    proc.write('-5/stat', statLine({}));
    expect(await list()).toEqual([]);
    expect(discovery.processes).toBe(0);
  });

  it('survives a process of garbage, and loses no other', async () => {
    addQemu(7);
    addQemu(8);
    proc.write('8/stat', 'garbage');
    proc.write('9/nothing', '');
    addQemu(10, [], { comm: ') R 1 1\n' });
    proc.write('10/cmdline', '\xff\xfe\0\0\0');
    expect((await list()).map(({ process }) => process?.pid)).toEqual([10, 7]);
  });

  it('says that nothing is known of the interfaces where the VMM gets them by API and holds none', async () => {
    proc.addProcess(7);
    proc.link('7/fd/0', 'anon_inode:kvm-vm');
    const [record] = await list();
    expect(record.nics).toBeUndefined();
  });
});

describe('tap queues', () => {
  beforeEach(() => {
    proc.addProcess(7);
    proc.link('7/fd/0', 'anon_inode:kvm-vm');
  });

  it('are found by their device and named by fdinfo, once for all queues of one', async () => {
    for (const fd of [3, 4, 5]) proc.link(`7/fd/${fd}`, '/dev/net/tun');
    for (const fd of [3, 4]) proc.write(`7/fdinfo/${fd}`, 'pos:\t0\nflags:\t0104002\nmnt_id:\t26\niff:\ttap0\n');
    proc.write('7/fdinfo/5', 'pos:\t0\niff:\ttap1\n');
    expect((await list())[0].nics).toMatchObject([
      { kind: 'tap', name: 'tap0', descriptor: 3 },
      { kind: 'tap', name: 'tap1', descriptor: 5 },
    ]);
  });

  it('that are attached to nothing have no name, whatever stands behind them', async () => {
    proc.link('7/fd/3', '/dev/net/tun');
    proc.write('7/fdinfo/3', 'iff:\t\nscm_fds: 7\n');
    expect((await list())[0].nics?.map(({ name }) => name) ?? []).not.toContain('scm_fds:');
  });

  it('of a macvtap are named by the index of the interface', async () => {
    proc.link('7/fd/3', '/dev/tap12');
    proc.write('sys/class/net/macvtap0/ifindex', '12\n');
    proc.write('sys/class/net/eth0/ifindex', '2\n');
    expect((await list())[0].nics).toMatchObject([{ kind: 'macvtap', name: 'macvtap0' }]);
  });
});

describe('the next pass', () => {
  it('does not look again at what has not changed, until somebody suspects it or a minute has passed', async () => {
    proc.addProcess(7);
    expect(await list()).toEqual([]);
    proc.link('7/fd/0', 'anon_inode:kvm-vm');
    expect(await list()).toEqual([]);
    discovery.source.lookAgain(7);
    expect(await list()).toHaveLength(1);
    proc.addProcess(8);
    await list();
    proc.link('8/fd/0', 'anon_inode:kvm-vm');
    proc.clock.ms += 60_000;
    expect(await list()).toHaveLength(2);
  });

  it('looks at a process that changed: it became a VMM', async () => {
    proc.addProcess(7);
    await list();
    proc.link('7/fd/0', 'anon_inode:kvm-vm');
    proc.write('7/stat', statLine({ pid: 7, vsize: 5 }));
    expect(await list()).toHaveLength(1);
  });

  it('takes a pid with another start time for another process', async () => {
    addQemu(7);
    await list();
    proc.removeProcess(7);
    proc.addProcess(7, { startTicks: 5 });
    expect(await list()).toEqual([]);
    expect(discovery.source.vmm(7)).toBeUndefined();
  });

  it('looks by a new list of executables', async () => {
    addQemu(7);
    await list();
    discovery.listExecutables([]);
    proc.clock.ms += 60_001;
    expect(await list()).toEqual([]);
  });
});

describe('vhost threads', () => {
  it('are kernel threads named after their VMM', async () => {
    addQemu(7);
    proc.addProcess(90, { comm: 'vhost-7', vsize: 0 });
    proc.addProcess(91, { comm: 'vhost-7', vsize: 0 });
    await list();
    expect(discovery.source.vhostThreads(7)).toEqual([90, 91]);
    expect(discovery.source.vhostThreads(8)).toEqual([]);
  });

  it('are not what any process calls itself', async () => {
    addQemu(7);
    proc.addProcess(90, { comm: 'vhost-7' });
    await list();
    expect(discovery.source.vhostThreads(7)).toEqual([]);
  });
});

it('a process that was never seen may be anything', () => {
  expect(discovery.source.wasRefused(7)).toBe(true);
});
