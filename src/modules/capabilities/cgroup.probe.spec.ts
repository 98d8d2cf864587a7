import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { cgroupHierarchy, cpuController, ownCgroup } from './cgroup.probe.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

describe('the hierarchy of cgroups', () => {
  it('is version 2 where its root says so', async () => {
    host.proc.write('cgroup/cgroup.controllers', 'cpu memory\n');
    expect(await cgroupHierarchy.find(host.tools)).toMatchObject({ outcome: Outcome.ok, detail: expect.stringMatching(/^version 2 at /) });
  });

  it.each(['cpu', 'cpu,cpuacct', 'cpuacct,cpu'])('is version 1 where there is a directory %s', async (name) => {
    host.proc.write(`cgroup/${name}/tasks`, '');
    const { detail } = await cgroupHierarchy.find(host.tools);
    expect(detail).toMatch(/^version 1 at \S+$/);
  });

  it('is both where version 2 is beside it', async () => {
    host.proc.write('cgroup/cpu/tasks', '');
    host.proc.write('cgroup/unified/cgroup.controllers', '\n');
    expect((await cgroupHierarchy.find(host.tools)).detail).toMatch(/^version 1 at \S+, with version 2 beside it/);
  });

  it('is none where nothing of it is there', async () => {
    host.proc.write('cgroup/systemd/tasks', '');
    const finding = await cgroupHierarchy.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured });
    expect(stepsOf(finding)).toContain('--path.cgroup=/host/sys/fs/cgroup');
  });
});

describe('the cpu controller', () => {
  const stand = (pid: number, path: string, controllers: string): void => {
    host.proc.write(`${pid}/cgroup`, `0::${path}\n`);
    host.proc.write(`cgroup${path}/cgroup.controllers`, `${controllers}\n`);
  };
  beforeEach(() => host.proc.write('cgroup/cgroup.controllers', 'cpu memory\n'));

  it('is with every VM, or there is none', async () => {
    expect(await cpuController.find(host.tools)).toEqual({ outcome: Outcome.ok, detail: 'no VM runs' });
    await host.addVm('web-1', 100);
    stand(100, '/machine.slice/web.scope', 'cpu memory');
    expect(await cpuController.find(host.tools)).toEqual({ outcome: Outcome.ok, detail: '1 VM of 1 has it' });
  });

  it('is handed down from the root to those that lack it', async () => {
    await host.addVm('web-1', 100);
    await host.addVm('web-2', 200);
    stand(100, '/machine.slice/web.scope', 'cpu memory');
    stand(200, '/other.slice/deep.slice/web.scope', 'memory pids');
    const finding = await cpuController.find(host.tools);
    expect(finding).toMatchObject({
      outcome: Outcome.notConfigured,
      affects: ['web-2'],
      detail: expect.stringMatching(/^cgroups of 1 of 2 VMs/),
    });
    const root = `${host.proc.root}/cgroup`;
    expect(stepsOf(finding)).toEqual([
      `echo +cpu > '${root}/cgroup.subtree_control'`,
      `echo +cpu > '${root}/other.slice/cgroup.subtree_control'`,
      `echo +cpu > '${root}/other.slice/deep.slice/cgroup.subtree_control'`,
    ]);
  });

  it('is not said to be there where no VM can be seen', async () => {
    expect(await cpuController.find(host.tools)).toEqual({ outcome: Outcome.ok, detail: 'no VM runs' });
    host.refuse(1, 160);
    const finding = await cpuController.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'none' });
    expect(finding.detail).toBe('no VM that can be seen runs; 1 of 160 processes cannot be looked into');
  });

  it('of a cgroup whose name is a command is not asked for by that name', async () => {
    await host.addVm('web-1', 100);
    stand(100, "/a'$(reboot)'/web.scope", 'memory');
    const lines = stepsOf(await cpuController.find(host.tools));
    expect(lines).toHaveLength(2);
    expect(lines.join()).not.toContain('reboot');
    expect(lines[1]).toContain('/CGROUP/cgroup.subtree_control');
  });

  it('is there by version 1', async () => {
    await host.addVm('web-1', 100);
    host.proc.write('cgroup/cpu/x/cpu.shares', '1024\n');
    host.proc.write('100/cgroup', '4:cpu:/x\n0::/x\n');
    expect(await cpuController.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it.each(['0::/../x\n', '0::/gone\n', 'garbage', ''])('of a cgroup that is not seen (%j) is neither there nor missing', async (text) => {
    await host.addVm('web-1', 100);
    host.proc.write('100/cgroup', text);
    expect(await cpuController.find(host.tools)).toMatchObject({ outcome: Outcome.gone, need: 'none', affects: [] });
    await host.addVm('web-2', 200);
    stand(200, '/seen', 'cpu');
    const { outcome, detail } = await cpuController.find(host.tools);
    expect({ outcome, detail }).toEqual({ outcome: Outcome.ok, detail: '1 VM of 1 has it; of 1 more VM it is not seen' });
  });
});

describe('a cgroup of its own', () => {
  it('is with every VM, or there is none', async () => {
    expect(await ownCgroup.find(host.tools)).toEqual({ outcome: Outcome.ok, detail: 'no VM runs' });
    await host.addVm('web-1', 100);
    host.pretend('cgroup', Outcome.ok);
    expect(await ownCgroup.find(host.tools)).toEqual({ outcome: Outcome.ok, detail: '1 of 1 VM has a cgroup of its own' });
  });

  it('is to be made for those that have none', async () => {
    await host.addVm('web-1', 100);
    await host.addVm('web-2', 200);
    host.pretend('cgroup', Outcome.notConfigured);
    const finding = await ownCgroup.find(host.tools);
    expect(finding).toMatchObject({
      outcome: Outcome.notConfigured,
      need: 'optional',
      detail: '0 of 2 VMs have a cgroup of their own',
      affects: ['web-1', 'web-2'],
    });
    expect(stepsOf(finding)).toContain('systemd-run --scope --slice=machine.slice --unit=vm-NAME VMM ARGUMENTS');
  });

  it('that lies outside of our sight is not said to be missing', async () => {
    await host.addVm('web-1', 100);
    host.pretend('cgroup', Outcome.notPermitted);
    const finding = await ownCgroup.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, affects: ['web-1'] });
    expect(stepsOf(finding)).toContain('--path.cgroup=/host/sys/fs/cgroup');
  });

  it('is not said to be with all where not all can be seen', async () => {
    host.refuse(1, 160);
    expect(await ownCgroup.find(host.tools)).toMatchObject({ outcome: Outcome.notPermitted, need: 'none' });
  });
});
