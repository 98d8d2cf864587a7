import { beforeEach, describe, expect, it } from 'vitest';
import { statLine } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { truncations } from '../../../test/kernel-samples.js';
import { Outcome } from '../../model/outcome.js';
import { readThreads, type Thread, vcpusAmong } from './threads.js';

let process: FakeProcess;
beforeEach(() => {
  process = new FakeProcess(new Map());
});

const add = (id: number, change: Parameters<typeof statLine>[0]): unknown =>
  process.files.set(`task/${id}/stat`, statLine({ pid: id, systemTicks: 0, guestTicks: 0, ...change }));
const threads = (): readonly Thread[] => {
  const found = readThreads(process);
  return typeof found === 'number' ? expect.fail(`outcome ${found}`) : found;
};
const vcpus = (): string[] => [...vcpusAmong(threads())].map(({ key }) => key.split('@')[0]);

describe('readThreads', () => {
  it('gives name, CPU time and guest time of each, under a key that a later owner of the id does not have', () => {
    add(11, { comm: 'CPU 0/KVM', startTicks: 500, userTicks: 30, systemTicks: 4, guestTicks: 20 });
    expect(threads()).toEqual([{ key: '11@500', name: 'CPU 0/KVM', ticks: 34, guestTicks: 20 }]);
    add(11, { comm: 'worker', startTicks: 501 });
    expect(threads()[0].key).toBe('11@501');
  });

  it('takes a name for what it is, whatever is in it', () => {
    for (const comm of ['a) S 1 (b', '', '(((', ')))', 'x\ny', '\xff']) {
      add(11, { comm });
      expect(threads()[0].name).toBe(comm);
    }
  });

  it('leaves out a thread that ended since it was listed', () => {
    add(11, {});
    add(12, {});
    process.files.set('task/12/stat', errno('ESRCH'));
    expect(threads().map(({ key }) => key.split('@')[0])).toEqual(['11']);
  });

  it('says why there are none', () => {
    expect(readThreads(process)).toBe(Outcome.gone);
    process.files.set('task', errno('EACCES'));
    expect(readThreads(process)).toBe(Outcome.notPermitted);
    process.files.delete('task');
    add(11, {});
    process.files.set('task/11/stat', errno('EIO'));
    expect(readThreads(process)).toBe(Outcome.ioError);
    process.threads = () => Array.from({ length: 3000 }, (_, id) => String(id));
    expect(readThreads(process)).toBe(Outcome.tooLarge);
  });

  it('refuses every truncation of a line', () => {
    for (const cut of truncations(statLine({ comm: 'CPU 0/KVM' }))) {
      process.files.set('task/11/stat', cut);
      expect(readThreads(process)).toBe(Outcome.malformed);
    }
  });
});

describe('vCPUs', () => {
  it.each([
    ['QEMU under KVM', ['qemu-system-x86', 'call_rcu', 'CPU 0/KVM', 'CPU 10/KVM', 'IO mon_iothread', 'worker', 'vhost-7'], [2, 3]],
    ['QEMU’s emulator', ['qemu-system-x86', 'CPU 0/TCG', 'CPU 1/TCG'], [1, 2]],
    ['QEMU’s emulator in one thread', ['qemu-system-x86', 'ALL CPUs/TCG'], [1]],
    ['Cloud Hypervisor', ['cloud-hyperviso', 'vmm', 'vcpu0', 'vcpu11', '_disk0_q0', 'vcpu_x'], [2, 3]],
    ['Firecracker', ['firecracker', 'fc_api', 'fc_vcpu 0', 'fc_vcpu 12'], [2, 3]],
    ['Dragonball', ['containerd-shim', 'tokio-runtime-w', 'vmm_master', 'db_vcpu0', 'db_vcpu1', 'db_vcpu'], [3, 4]],
  ])('of %s are told by name', (_, names, expected) => {
    names.forEach((comm, id) => void add(id, { comm, guestTicks: 1 }));
    expect(vcpus()).toEqual(expected.map(String));
  });

  it('without names are those that were in guest code', () => {
    add(11, { comm: 'qemu-system-x86' });
    add(12, { comm: 'qemu-system-x86', guestTicks: 3 });
    add(13, { comm: 'qemu-system-x86', guestTicks: 1 });
    expect(vcpus()).toEqual(['12', '13']);
  });

  it('are none where neither tells', () => {
    add(11, { comm: 'qemu-system-x86' });
    add(12, { comm: 'CPU x/KVM' });
    expect(vcpus()).toEqual([]);
  });
});
