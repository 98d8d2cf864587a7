import { describe, expect, it } from 'vitest';
import type { InstanceRecord } from '../../model/instance.js';
import { candidates, commonPath, isWithin } from './group-names.js';

const ID = 'a'.repeat(64);
const told = (paths: string | readonly string[], record: Partial<InstanceRecord> = {}): string[] =>
  candidates([paths].flat(), { id: 'vm-1', ...record }).map(
    ({ kind, path, isMadeForOne }) => `${kind}${isMadeForOne ? ' made for one' : ''} ${path}`,
  );
const kata = (cgroup: object): Partial<InstanceRecord> => ({ sandbox: { vmmInShim: false, cgroup } });

describe('a cgroup by its name', () => {
  const SCOPE = '/machine.slice/machine-qemu\\x2d1\\x2dweb.scope';
  it.each([
    [SCOPE, `libvirt made for one ${SCOPE}`],
    [`${SCOPE}/libvirt/emulator`, `libvirt made for one ${SCOPE}`],
    ['/machine/web.libvirt-qemu/emulator', 'libvirt made for one /machine/web.libvirt-qemu'],
    ['/system.slice/vm@web.service', 'unit /system.slice/vm@web.service'],
    ['/machine.slice/vm-1.scope', 'unit /machine.slice/vm-1.scope'],
    [`/kubepods.slice/cri-containerd-${ID}.scope`, `unit made for one /kubepods.slice/cri-containerd-${ID}.scope`],
    [`/docker/${ID}`, `other made for one /docker/${ID}`],
    ['/hypervisors/web', 'other /hypervisors/web'],
    ['/user.slice/user-0.slice/user@0.service/app.slice/vm.scope', 'unit /user.slice/user-0.slice/user@0.service/app.slice/vm.scope'],
  ])('%s is of %s', (path, expected) => {
    expect(told(path)).toEqual([expected]);
  });

  it.each([
    '/',
    '/machine.slice',
    '/user.slice/user-0.slice/session-3.scope',
    '/user.slice/user-0.slice/user@0.service',
    '/user.slice/user-0.slice/user@0.service/app.slice',
    '/init.scope',
  ])('%s is nobody’s own', (path) => {
    expect(told(path)).toEqual([]);
  });

  it('below a unit may be the unit, or the place in it', () => {
    expect(told('/system.slice/manager.service/vm-1')).toEqual([
      'unit /system.slice/manager.service',
      'other /system.slice/manager.service/vm-1',
    ]);
    expect(told('/user.slice/session-3.scope/vm-1')).toEqual(['other /user.slice/session-3.scope/vm-1']);
  });

  it('of the jailer is that of its id, below whatever it was told', () => {
    const firecracker = { hypervisor: 'firecracker' } as const;
    expect(told('/firecracker/any', firecracker)).toEqual(['jailer made for one /firecracker/any']);
    expect(told('/system.slice/pool.service/vm-1', firecracker)).toEqual(['jailer made for one /system.slice/pool.service/vm-1']);
    expect(told('/pool/other', firecracker)).toEqual(['other /pool/other']);
    expect(told('/firecracker/any', { hypervisor: 'qemu' })).toEqual(['other /firecracker/any']);
  });

  it('of Kata is what Kata says, where a thread stands in it', () => {
    const both = kata({ path: '/kubepods/kata_s', overheadPath: '/kata_overhead/s' });
    expect(told('/kubepods/kata_s', both)).toEqual(['kata made for one /kubepods/kata_s']);
    expect(told(['/kata_overhead/s', '/kubepods/kata_s'], both)).toEqual(['kata made for one /kubepods/kata_s']);
    expect(told('/kata_overhead/s', both)).toEqual(['kata made for one /kata_overhead/s']);
    expect(told('/elsewhere/vm', both)).toEqual(['other /elsewhere/vm']);
    expect(told('/elsewhere/vm', kata({}))).toEqual(['other /elsewhere/vm']);
  });

  it('is the one that all threads are in', () => {
    expect(told(['/vm/emulator', '/vm/vcpu0'])).toEqual(['other /vm']);
    expect(told(['/vm', '/other'])).toEqual([]);
    expect(commonPath(['/a/b', '/a/bc'])).toBe('/a');
    expect(isWithin('/ab', '/a')).toBe(false);
  });
});
