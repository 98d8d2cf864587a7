import { describe, expect, it } from 'vitest';
import { evidenceOf } from '../../../test/contracts/process-evidence.js';
import { DRIVERS } from './drivers.js';

const claimed = (given: Parameters<typeof evidenceOf>[0]) => DRIVERS.find((driver) => driver.claims(evidenceOf(given)))?.name;

describe('who claims a process', () => {
  it.each([
    ['/usr/bin/qemu-system-x86_64', 'qemu'],
    ['/usr/libexec/qemu-kvm', 'qemu'],
    ['/usr/bin/kvm', 'qemu'],
    ['/nix/store/x/bin/.qemu-system-x86_64-wrapped', 'qemu'],
    ['/usr/bin/cloud-hypervisor', 'cloud-hypervisor'],
    ['/opt/cloud-hypervisor-v41', 'cloud-hypervisor'],
    ['/firecracker', 'firecracker'],
    ['/opt/firecracker-v1.9.0-x86_64', 'firecracker'],
    ['/usr/bin/stratovirt', 'stratovirt'],
    ['/opt/kata/bin/containerd-shim-kata-v2', 'dragonball'],
    ['/opt/kata/runtime-rs/bin/containerd-shim-kata-rs-v2', 'dragonball'],
    ['/usr/bin/containerd-shim-runc-v2', 'kvm'],
    ['/usr/bin/crosvm', 'kvm'],
  ])('%s', (executable, name) => {
    expect(claimed({ executable, kvmVms: 1, comm: 'qemu-system-x86' })).toBe(name);
  });

  it.each([
    ['qemu-system-x86', 'qemu'],
    ['qemu-kvm', 'qemu'],
    ['cloud-hyperviso', 'cloud-hypervisor'],
    ['firecracker', 'firecracker'],
    ['stratovirt', 'stratovirt'],
    ['cloud', undefined],
    ['', undefined],
  ])('comm %s where the executable cannot be seen', (comm, name) => {
    expect(claimed({ comm })).toBe(name);
  });

  it('leaves a shim alone whose VMM is another process', () => {
    expect(claimed({ executable: '/opt/kata/bin/containerd-shim-kata-v2', kvmVms: 0 })).toBeUndefined();
    expect(claimed({ comm: 'containerd-shim', argv: ['/opt/kata/bin/containerd-shim-kata-v2'], kvmVms: 1 })).toBe('dragonball');
  });
});
