import { describe, expect, it } from 'vitest';
import { evidenceOf, tap } from '../../../test/contracts/process-evidence.js';
import { dragonballDriver } from './dragonball.driver.js';
import { kvmDriver } from './kvm.driver.js';

const SHIM = ['/opt/kata/bin/containerd-shim-kata-v2', '-id', '5f3c', '-namespace', 'k8s.io', '-address', '/run/containerd.sock'];

describe('dragonball', () => {
  it('is named by its shim', () => {
    expect(dragonballDriver.describe(evidenceOf({ argv: SHIM, kvmVms: 1, kvmVcpus: 2, taps: [tap(9, 'tap0_kata')] }))).toEqual({
      id: '5f3c',
      vcpus: 2,
      nics: [{ kind: 'tap', name: 'tap0_kata' }],
    });
    expect(dragonballDriver.describe(evidenceOf({ argv: [SHIM[0], '-id', '../x'] }))).toEqual({});
    expect(dragonballDriver.describe(evidenceOf({ argv: [SHIM[0], '-id'] }))).toEqual({});
  });
});

describe('kvm', () => {
  it('tells what the descriptors tell', () => {
    expect(kvmDriver.describe(evidenceOf({ argv: ['crosvm', 'run'], kvmVms: 1, kvmVcpus: 2 }))).toEqual({ vcpus: 2 });
    expect(kvmDriver.describe(evidenceOf({ taps: [tap(3, 't')] }))).toEqual({ nics: [{ kind: 'tap', name: 't' }] });
  });
});
