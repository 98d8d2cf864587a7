import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_RIGHTS, mountLine, NO_RIGHTS, ProbeHost, statusOf, stepsOf as steps } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { networkNamespaces, pidNamespace } from './namespaces.probe.js';
import { hiddenProcesses, otherProcesses } from './processes.probe.js';

const FIRST = 'pid:[4026531836]';
let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

describe('processes of others', () => {
  const refuse = (count: number): void => host.refuse(count, 10);

  it('work where each can be looked into', async () => {
    refuse(0);
    expect(await otherProcesses.find(host.tools)).toEqual({
      outcome: Outcome.ok,
      detail: 'each of 10 visible processes can be looked into',
    });
  });

  it('are not claimed to have been looked into where nobody looks for any', async () => {
    host.house.discovery.source.scanned = 0;
    expect(await otherProcesses.find(host.tools)).toEqual({ outcome: Outcome.ok, detail: 'no file of a VM is refused' });
  });

  it('need the rights where they are missing, and say whose VMs lack something', async () => {
    host.proc.write('self/status', statusOf(1000, NO_RIGHTS));
    await host.addVm('web-1', 100);
    host.pretend('io', Outcome.notPermitted);
    refuse(3);
    const finding = await otherProcesses.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'required', affects: ['web-1'] });
    expect(finding.detail).toMatch(/^3 of 10 processes cannot be looked into by user 1000 without CAP_SYS_PTRACE/);
    expect(steps(finding)).toContain('AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH');
    expect(finding).toMatchObject({ fix: { text: expect.stringContaining('see the capability vmm_sockets') } });
  });

  it('need the user namespace of the host where the right is there and counts in another only', async () => {
    host.proc.write('self/status', statusOf(0, ALL_RIGHTS));
    host.proc.write('self/uid_map', '         0     100000      65536\n');
    refuse(3);
    expect(steps(await otherProcesses.find(host.tools))).toContain('--userns=host');
  });

  it('need a security module to give way where the right is there and counts', async () => {
    host.proc.write('self/status', statusOf(0, ALL_RIGHTS));
    host.proc.write('self/uid_map', '         0          0 4294967295\n');
    refuse(3);
    expect(steps(await otherProcesses.find(host.tools))).toContain('--security-opt=apparmor=unconfined --security-opt=label=disable');
  });
});

describe('visibility of processes', () => {
  const mount = (options: string): void =>
    host.proc.write('self/mountinfo', mountLine('/', 'ext4') + mountLine(host.proc.root, 'proc', options));

  it.each(['rw', 'rw,hidepid=0', 'rw,hidepid=off'])('works where procfs is mounted with %s', async (options) => {
    mount(options);
    expect(await hiddenProcesses.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it('works without a word of how procfs is mounted', async () => {
    expect(await hiddenProcesses.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it.each(['hidepid=1', 'hidepid=2', 'hidepid=invisible', 'hidepid=noaccess', 'hidepid=ptraceable'])(
    'is missing with %s for who may not trace',
    async (option) => {
      mount(`rw,${option}`);
      host.proc.write('self/status', statusOf(1000, NO_RIGHTS));
      const finding = await hiddenProcesses.find(host.tools);
      expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'required' });
      expect(finding.detail).toContain(option);
      expect(steps(finding)).toContain(`mount -o remount,hidepid=0 ${host.proc.root}`);
    },
  );

  it('is missing where the files of others are refused', async () => {
    mount('rw,hidepid=1');
    for (const pid of ['1', '2']) host.proc.write(`${pid}/stat`, 'x');
    host.spoil(/\/[12]\/stat$/, 'EPERM');
    expect(await hiddenProcesses.find(host.tools)).toMatchObject({ outcome: Outcome.notPermitted });
  });

  it('names the group that is let in', async () => {
    mount('rw,gid=110,hidepid=invisible');
    expect(steps(await hiddenProcesses.find(host.tools))).toContain('SupplementaryGroups=110');
  });

  it.each(['1', '2'])('works in spite of hidepid for who sees process %s', async (pid) => {
    mount('rw,hidepid=2');
    host.proc.write(`${pid}/stat`, 'x');
    expect(await hiddenProcesses.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it('works in spite of hidepid for who may trace, even where the first process is kept from everybody', async () => {
    mount('rw,hidepid=2');
    host.proc.write('self/status', statusOf(1000, '0000000000080000'));
    expect(await hiddenProcesses.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });
});

describe('the PID namespace', () => {
  it("is the host's where a thread of the kernel is the second process", async () => {
    host.proc.write('2/comm', 'kthreadd\n');
    host.proc.link('self/ns/pid', 'pid:[4026532000]');
    expect(await pidNamespace.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it("is the host's where it is the first", async () => {
    host.proc.link('self/ns/pid', FIRST);
    expect(await pidNamespace.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });

  it('is another one where neither is so', async () => {
    host.proc.write('2/comm', 'sh\n');
    host.proc.link('self/ns/pid', 'pid:[4026532000]');
    const finding = await pidNamespace.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'required' });
    expect(steps(finding)).toEqual(expect.arrayContaining(['--pid=host', 'hostPID: true']));
  });
});

describe('network namespaces', () => {
  it('are not said to be open where processes cannot be looked into', async () => {
    host.refuse(159, 160);
    const finding = await networkNamespaces.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'none' });
    expect(finding.detail).toBe('no interface of a VM that can be seen is refused; 159 of 160 processes cannot be looked into');
  });

  it('are missing where interfaces of VMs are refused', async () => {
    await host.addVm('web-1', 100);
    host.pretend('network', Outcome.notPermitted);
    expect(await networkNamespaces.find(host.tools)).toMatchObject({ outcome: Outcome.notPermitted, need: 'required', affects: ['web-1'] });
  });

  it("are without the host's for an agent in one of its own, which nothing asks for", async () => {
    host.proc.link('self/ns/net', 'net:[2]');
    host.proc.link('1/ns/net', 'net:[1]');
    expect(await networkNamespaces.find(host.tools)).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
  });

  it('work in the same one, and where nobody may compare', async () => {
    host.proc.link('self/ns/net', 'net:[1]');
    host.proc.link('1/ns/net', 'net:[1]');
    expect(await networkNamespaces.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
    host.spoil(/\/1\/ns\/net$/, 'EACCES');
    expect(await networkNamespaces.find(host.tools)).toMatchObject({ outcome: Outcome.ok });
  });
});
