import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kernelSample } from '../../../test/kernel-samples.js';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { pressure } from './pressure.probe.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

const tells = (): void => host.proc.write('pressure/cpu', kernelSample('linux-6.18-pressure/host/cpu'));
const find = () => pressure.find(host.tools);

describe('pressure', () => {
  it('is told by the kernel', async () => {
    tells();
    expect(await find()).toMatchObject({ outcome: Outcome.ok });
    await host.addVm('one', 100);
    host.pretend('pressure', Outcome.ok);
    expect(await find()).toMatchObject({ outcome: Outcome.ok });
  });

  it('is not that of a VM which has no cgroup to itself', async () => {
    tells();
    await host.addVm('one', 100);
    host.pretend('pressure', Outcome.notConfigured);
    const finding = await find();
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'optional', affects: ['one'] });
    expect(finding.detail).toBe('the kernel tells it of the host; 1 VM has no cgroup of its own in version 2 that tells it');
  });

  it('is not that of any VM where there is no version 2', async () => {
    tells();
    await host.addVm('one', 100);
    host.pretend('pressure', Outcome.unsupported);
    const finding = await find();
    expect(finding).toMatchObject({ outcome: Outcome.unsupported, need: 'optional', affects: ['one'] });
    expect(stepsOf(finding)).toEqual(['systemd.unified_cgroup_hierarchy=1']);
  });

  it('may be switched off, which older kernels say', async () => {
    tells();
    host.spoil(/pressure/, 'EOPNOTSUPP');
    const finding = await find();
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
    expect(stepsOf(finding)).toEqual(['psi=1']);
  });

  it('may be switched off or not be there, which nobody can tell apart', async () => {
    const finding = await find();
    expect(finding).toMatchObject({ outcome: Outcome.unsupported, need: 'none' });
    expect(stepsOf(finding)).toContain('psi=1');
  });

  it.each(['EACCES', 'EIO'] as const)('that cannot be read for %s is not said to be missing', async (code) => {
    tells();
    host.spoil(/pressure/, code);
    await expect(find()).rejects.toMatchObject({ code });
  });
});
