import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { kvm, kvmStatistics, lockdown } from './kvm.probe.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

describe('KVM', () => {
  it('works where its device is', async () => {
    host.proc.write('sysfs/class/misc/kvm/dev', '10:232\n');
    expect(await kvm.find(host.tools)).toEqual({
      outcome: Outcome.ok,
      detail: expect.stringMatching(/^this host has KVM; whether this agent /),
    });
  });

  it.each([
    ['vmx', 'modprobe kvm_intel'],
    ['svm', 'modprobe kvm_amd'],
  ])('of a CPU with %s wants %s', async (flag, command) => {
    host.proc.write('cpuinfo', `processor\t: 0\nflags\t\t: fpu ${flag} sse\n`);
    expect(stepsOf(await kvm.find(host.tools))).toEqual([command]);
  });

  it('of a CPU that shows nothing of the kind is a matter of firmware', async () => {
    host.proc.write('cpuinfo', 'processor\t: 0\nflags\t\t: fpu vmxx sse\n');
    expect(await kvm.find(host.tools)).toMatchObject({ outcome: Outcome.unsupported, fix: { steps: [{ where: 'firmware' }] } });
  });
});

describe('what KVM counts', () => {
  it('wants debugfs mounted, more so where a VM runs', async () => {
    host.proc.mkdir('sysfs/kernel/debug');
    const finding = await kvmStatistics.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'none', affects: [] });
    expect(stepsOf(finding)).toContain(`mount -t debugfs none ${host.proc.root}/sysfs/kernel/debug`);
    await host.addVm('web-1', 100);
    host.pretend('kvm', Outcome.ok);
    expect(await kvmStatistics.find(host.tools)).toMatchObject({ need: 'none', affects: [] });
    host.pretend('kvm', Outcome.notConfigured);
    expect(await kvmStatistics.find(host.tools)).toMatchObject({ need: 'optional', affects: ['web-1'] });
  });

  it('is not wanted for a VM that runs without KVM, whoever says so', async () => {
    host.proc.mkdir('sysfs/kernel/debug');
    await host.addVm('tcg', 100);
    host.pretend('kvm', Outcome.unsupported);
    expect(await kvmStatistics.find(host.tools)).toMatchObject({ need: 'none', affects: [] });
    host.pretend('kvm', Outcome.notConfigured);
    host.proc.link('100/fd/9', 'socket:[7]');
    expect(await kvmStatistics.find(host.tools)).toMatchObject({ need: 'none', affects: [] });
    host.proc.link('100/fd/10', 'anon_inode:kvm-vm');
    expect(await kvmStatistics.find(host.tools)).toMatchObject({ need: 'optional', affects: ['tcg'] });
  });

  it('is wanted for a VM of which nobody can say whether KVM runs it', async () => {
    host.proc.mkdir('sysfs/kernel/debug');
    await host.addVm('refused', 100);
    host.proc.link('100/fd/9', 'socket:[7]');
    for (const trouble of ['EACCES', 'EPERM'] as const) {
      host.spoil(/\/fd$/, trouble);
      expect(await kvmStatistics.find(host.tools)).toMatchObject({ affects: ['refused'] });
    }
    await host.addVm('full', 200);
    for (let fd = 0; fd < 256; fd++) host.proc.link(`200/fd/${fd}`, 'socket:[7]');
    expect(await kvmStatistics.find(host.tools)).toMatchObject({ affects: ['full', 'refused'] });
  });

  it('is unsupported without KVM, and without debugfs', async () => {
    expect(await kvmStatistics.find(host.tools)).toMatchObject({
      outcome: Outcome.unsupported,
      detail: expect.stringContaining('no debugfs'),
    });
    host.proc.write('sysfs/kernel/debug/sched/debug', '');
    expect(await kvmStatistics.find(host.tools)).toMatchObject({
      outcome: Outcome.unsupported,
      detail: expect.stringContaining('KVM is not loaded'),
    });
  });

  it('works where a counter can be opened', async () => {
    host.proc.write('sysfs/kernel/debug/kvm/exits', '0\n');
    expect(await kvmStatistics.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });
});

describe('lockdown', () => {
  const say = (text: string): void => host.proc.write('sysfs/kernel/security/lockdown', text);

  it('is none', async () => {
    say('[none] integrity confidentiality\n');
    expect(await lockdown.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it.each(['integrity', 'confidentiality'])('for %s is told', async (word) => {
    say('none integrity confidentiality\n'.replace(word, `[${word}]`));
    expect(await lockdown.find(host.tools)).toMatchObject({ outcome: Outcome.lockdown, detail: `the kernel is locked down for ${word}` });
  });

  it('is not known without securityfs, and by no other word', async () => {
    expect(await lockdown.find(host.tools)).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
    say('');
    expect(await lockdown.find(host.tools)).toMatchObject({ outcome: Outcome.malformed });
  });
});
