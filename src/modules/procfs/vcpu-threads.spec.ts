import { describe, expect, it } from 'vitest';
import { truncations } from '../../../test/kernel-samples.js';
import { isVcpuName, vcpuIndexOf } from './vcpu-threads.js';

describe('the name of a thread', () => {
  it.each([
    ['CPU 0/KVM', 0],
    ['CPU 17/TCG', 17],
    ['CPU 16383/KVM', 16383],
    ['vcpu3', 3],
    ['fc_vcpu 12', 12],
    ['db_vcpu0', 0],
  ])('%s is that of a vCPU with this number', (name, index) => {
    expect([isVcpuName(name), vcpuIndexOf(name)]).toEqual([true, index]);
  });

  it('may be that of all vCPUs, which has no number', () => {
    expect([isVcpuName('ALL CPUs/TCG'), vcpuIndexOf('ALL CPUs/TCG')]).toEqual([true, null]);
  });

  it.each(['CPU 00/KVM', 'vcpu01', 'CPU 123456/KVM', 'db_vcpu99999999'])('%s has a number that no VMM prints', (name) => {
    expect(vcpuIndexOf(name)).toBeNull();
  });

  it.each(['', 'qemu-system-x86', 'CPU x/KVM', 'CPU -1/KVM', 'vcpu', 'vcpu 1', 'fc_vcpu1', 'xvcpu1', 'vcpu1\n', 'CPU 0/KVM)', 'vhost-1'])(
    '%j is no vCPU’s',
    (name) => {
      expect([isVcpuName(name), vcpuIndexOf(name)]).toEqual([false, null]);
    },
  );

  it('is no vCPU’s when it is cut before its number ends', () => {
    for (const cut of truncations('CPU 1/KVM').filter((text) => !/\/\w/.test(text))) expect(vcpuIndexOf(cut)).toBeNull();
  });
});
