import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { Outcome } from '../../model/outcome.js';
import { type OwnGroup, OwnGroups, UNIFIED } from './own-group.js';

const ROOT = 'sys/fs/cgroup';
const SCOPE = '/machine.slice/machine-qemu\\x2d1\\x2dweb.scope';
const POD = `/kubepods.slice/cri-containerd-${'0f'.repeat(32)}.scope`;
const VMM = 4242;

let proc: FakeProc;
let process: FakeProcess;
let subject: FakeSubject;
let groups: OwnGroups;
beforeEach(() => {
  proc = new FakeProc();
  process = new FakeProcess();
  subject = new FakeSubject(process);
  groups = new OwnGroups(proc.host());
  proc.write(`${ROOT}/cgroup.controllers`, 'cpu memory pids\n');
});
afterEach(() => proc.close());

/** The VMM stands here, and these are in it. */
function stand(path: string, pids: readonly number[] = [VMM], lines = `0::${path}\n`): void {
  process.files.set('cgroup', lines);
  put(path, pids);
}
const put = (path: string, pids: readonly number[]): void =>
  proc.write(`${ROOT}${path}/cgroup.procs`, pids.map((pid) => `${pid}\n`).join(''));
const find = (controller = 'memory'): OwnGroup | Outcome => groups.find(subject, controller);
function kindAndPath(): string {
  const found = find();
  return typeof found === 'number' ? `outcome ${found}` : `${found.kind} ${found.path}`;
}
const NONE = `outcome ${Outcome.notConfigured}`;

describe('an own cgroup', () => {
  it('has its version and the directories up to the root', () => {
    stand('/machine.slice/vm.scope');
    const root = `${proc.root}/${ROOT}`;
    expect(find()).toEqual({
      kind: 'unit',
      version: 2,
      path: '/machine.slice/vm.scope',
      chain: [`${root}/machine.slice/vm.scope`, `${root}/machine.slice`, root],
    });
    expect(find(UNIFIED)).toEqual(find());
  });

  it('has another path in each hierarchy of version 1, and none where it has only the root', () => {
    stand('/', [VMM], '3:memory:/vm\n2:cpu,cpuacct:/pool/vm\n1:pids:/\n');
    put('/memory/vm', [VMM]);
    put('/cpu,cpuacct/pool/vm', [VMM]);
    const found = groups.findAll(subject, ['memory', 'cpu', 'cpuacct', 'pids', UNIFIED]);
    expect(found.map((group) => (typeof group === 'number' ? group : `${group.version} ${group.path}`))).toEqual([
      '1 /vm',
      '1 /pool/vm',
      '1 /pool/vm',
      Outcome.notConfigured,
      Outcome.unsupported,
    ]);
  });

  it('holds threads of version 1 in cgroups of their own', () => {
    stand('/', [VMM], '3:cpu:/vm/emulator\n');
    process.files.set('task/4242/cgroup', '3:cpu:/vm/emulator\n').set('task/4243/cgroup', '3:cpu:/vm/vcpu0\n');
    for (const path of ['/cpu/vm', '/cpu/vm/emulator', '/cpu/vm/vcpu0']) put(path, [VMM]);
    expect(find('cpu')).toMatchObject({ kind: 'other', path: '/vm' });
  });

  it('is libvirt’s scope, whose threaded cgroups do not tell their processes', () => {
    stand(`${SCOPE}/libvirt/emulator`);
    put(SCOPE, []);
    put(`${SCOPE}/libvirt`, [VMM]);
    proc.mkdir(`${ROOT}${SCOPE}/libvirt/vcpu0`);
    expect(kindAndPath()).toBe(`libvirt ${SCOPE}`);
  });

  it('is Kata’s by its own word, with the shim in it', () => {
    subject.record = { id: 'vm-1', sandbox: { vmmInShim: false, cgroup: { path: '/kubepods/kata_s', overheadPath: '/kata_overhead/s' } } };
    stand('/kubepods/kata_s', [VMM, 50, 51]);
    proc.addProcess(50);
    proc.addProcess(51);
    expect(kindAndPath()).toBe('kata /kubepods/kata_s');
  });
});

describe('who else may be in it', () => {
  const UNIT = '/system.slice/vm@1.service';
  it('what descends from the VMM or a companion of it, and a helper by its name', () => {
    const shim = Object.assign(new FakeProcess(), { pid: 60 });
    subject.companions.set('shim', shim);
    proc.addProcess(61, { parent: 60 });
    proc.addProcess(70, { parent: VMM });
    proc.addProcess(71, { parent: 70 });
    proc.addProcess(80, { parent: 1, comm: 'passt.avx2' });
    proc.addProcess(81, { parent: 1, comm: 'swtpm) (' });
    stand(UNIT, [VMM, 60, 61, 70, 71, 80, 81]);
    expect(kindAndPath()).toBe(`unit ${UNIT}`);
  });

  it('who has just ended is nobody, and who is hidden from us is somebody', () => {
    stand(UNIT, [VMM, 99]);
    expect(kindAndPath()).toBe(NONE);
    const host = proc.host();
    const readText = host.readText.bind(host);
    let looks = 0;
    host.readText = (path, limit) => {
      const text = readText(path, limit);
      if (path.endsWith(`${UNIT}/cgroup.procs`) && looks++ === 0) put(UNIT, [VMM]);
      return text;
    };
    groups = new OwnGroups(host);
    expect(kindAndPath()).toBe(`unit ${UNIT}`);
    expect(looks).toBe(2);
  });

  it.each([
    [UNIT, 'unit'],
    [SCOPE, 'libvirt'],
  ])('the VMM itself: %s without it is another of the same name', (path) => {
    stand(path, []);
    expect(kindAndPath()).toBe(NONE);
    put(path, [99]);
    expect(kindAndPath()).toBe(NONE);
  });

  it.each([
    ['a stranger', (): void => proc.addProcess(90, { parent: 1, comm: 'nginx' })],
    ['what started it', (): void => proc.addProcess(90, { parent: 1, comm: 'manager' })],
    ['a stat that is none', (): void => proc.write('90/stat', 'x')],
    ['somebody whose parents are a ring', (): void => proc.addProcess(90, { parent: 90 })],
  ])('not %s', (_, add) => {
    add();
    stand(UNIT, [VMM, 90]);
    expect(kindAndPath()).toBe(NONE);
  });

  it('nobody of another pid namespace', () => {
    stand(UNIT, [VMM, 0]);
    expect(kindAndPath()).toBe(NONE);
  });

  it('nobody in a cgroup that lies in it', () => {
    proc.addProcess(90, { parent: 1 });
    stand(UNIT, [VMM]);
    put(`${UNIT}/a`, []);
    put(`${UNIT}/a/b`, [90]);
    expect(kindAndPath()).toBe(NONE);
  });

  it('but a manager that gives each VM a place in its own unit stands outside of that', () => {
    proc.addProcess(90, { parent: 1, comm: 'manager' });
    put('/system.slice/manager.service', []);
    put('/system.slice/manager.service/supervisor', [90]);
    stand('/system.slice/manager.service/vm-1');
    expect(kindAndPath()).toBe('other /system.slice/manager.service/vm-1');
  });

  it('not we ourselves', () => {
    proc.write('self/cgroup', `0::${UNIT}/agent\n`);
    stand(UNIT);
    expect(kindAndPath()).toBe(NONE);
    proc.write('self/cgroup', '0::/system.slice/vmgauge.service\n');
    expect(kindAndPath()).toBe(`unit ${UNIT}`);
  });

  describe('of one made for one VM or one container', () => {
    it('whoever serves it, but no other VMM', () => {
      proc.addProcess(90, { parent: 1, comm: 'launcher' });
      proc.link('90/fd/3', 'socket:[1]');
      proc.link('90/exe', '/usr/bin/launcher');
      proc.link(`${VMM}/exe`, '/usr/bin/qemu-system-x86_64');
      stand(POD, [VMM, 90]);
      expect(kindAndPath()).toBe(`unit ${POD}`);
      proc.link('90/fd/4', 'anon_inode:kvm-vm');
      expect(kindAndPath()).toBe(NONE);
    });

    it('not another process of the same program, which may do without KVM', () => {
      proc.addProcess(90, { parent: 1 });
      for (const pid of [VMM, 90]) proc.link(`${pid}/exe`, '/usr/bin/qemu-system-x86_64');
      stand(POD, [VMM, 90]);
      expect(kindAndPath()).toBe(NONE);
    });
  });

  it('not more than any VM has, of processes and of cgroups', () => {
    stand(UNIT, [VMM, ...Array.from({ length: 512 }, (_, i) => 10_000 + i)]);
    expect(kindAndPath()).toBe(NONE);
    stand(UNIT);
    for (let i = 0; i < 512; i++) put(`${UNIT}/${i}`, []);
    expect(kindAndPath()).toBe(NONE);
  });
});

describe('there is none', () => {
  it('where the cgroup is not below our root', () => {
    process.files.set('cgroup', '0::/machine.slice/gone.scope\n');
    expect(find()).toBe(Outcome.notConfigured);
  });

  it('out of our sight', () => {
    stand('/../vm');
    expect(find()).toBe(Outcome.notPermitted);
  });

  it('of a process that is gone, or says nothing', () => {
    subject.process = null;
    expect(find()).toBe(Outcome.gone);
    subject.process = process;
    process.files.set('cgroup', 'x');
    expect(find()).toBe(Outcome.malformed);
    process.files.set('cgroup', errno('ESRCH'));
    expect(find).toThrow('ESRCH');
  });
});
