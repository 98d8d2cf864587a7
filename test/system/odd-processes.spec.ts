import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { startTicksOf } from './child.js';
import { BASICS, compiler, describeWith, iproute, kvm, procps, tun, works } from './needs.js';
import { freshInterfaceName } from './network-namespace.js';
import { readPs } from './ps-reading.js';
import { StandIn, StandInPrograms } from './stand-in.js';

const DESCRIPTORS = 5000;
const manyDescriptors = works(`fewer than ${DESCRIPTORS + 100} descriptors allowed`, [
  'bash',
  '-c',
  `[ $(ulimit -n) -ge ${DESCRIPTORS + 100} ]`,
]);
/** Looks like the end of comm, a state and a parent, for whoever cuts at the first parenthesis, at blanks or at lines. */
const HOSTILE_COMM = 'a) Z 1 (b\n) Z 0';

// Agent: root, or CAP_SYS_PTRACE for the descriptors.
describeWith('odd VMMs', [...BASICS, builtAgent, compiler, kvm, tun, procps, iproute, manyDescriptors], () => {
  const belongings = new Belongings();
  let firecracker: string;
  let agent: AgentProcess;

  beforeAll(async () => {
    firecracker = new StandInPrograms(belongings).named('firecracker');
    agent = await AgentProcess.start(belongings);
  });
  afterAll(() => belongings.release());

  it('with 5,000 descriptors is looked through to its last one', async () => {
    const [id, tap] = [randomUUID(), freshInterfaceName()];
    const vmm = await StandIn.start(belongings, [firecracker, '--id', id], [`descriptors ${DESCRIPTORS}`, 'kvm 2', `tap ${tap}`]);
    const detail = await agent.find(vmm.pid);
    const { process } = await agent.stats(id);
    const limit = execFileSync('prlimit', ['--nofile', '--output=SOFT', '--noheadings', '--pid', String(vmm.pid)], { encoding: 'utf8' });

    expect(detail).toMatchObject({ id, hypervisor: 'firecracker', allocated: { vcpus: 2 }, interfaces: [{ name: tap }] });
    const listed = execFileSync('ls', [`/proc/${vmm.pid}/fd`], { encoding: 'utf8' })
      .trim()
      .split('\n');
    // Standard streams, kvm, VM, two vCPUs and the tap; whoever started the test may have left it more.
    expect(listed.length).toBeGreaterThanOrEqual(DESCRIPTORS + 8);
    expect(process.fds).toBe(listed.length);
    expect(process.max_fds).toBe(Number(limit));
  });

  it('with blanks, parentheses and newlines in comm has the numbers of a plain one', async () => {
    const id = randomUUID();
    const orders = ['kvm 1', `comm ${Buffer.from(HOSTILE_COMM).toString('hex')}`, 'burn 1200'];
    const vmm = await StandIn.start(belongings, [firecracker, '--id', id], orders);
    const detail = await agent.find(vmm.pid);
    const before = readPs(vmm.pid);
    const stats = await agent.stats(id);
    const after = readPs(vmm.pid);

    expect(detail).toMatchObject({ id, state: 'running', processes: [{ start_ticks: startTicksOf(vmm.pid) }] });
    expect(stats.cpu_seconds).toBeGreaterThanOrEqual(1.18);
    expect(stats.cpu_seconds).toBeLessThan(after.cpuSeconds + 1);
    expect(stats.memory_rss_bytes).toBe(before.rss * 1024);
    expect(stats.memory_vms_bytes).toBe(before.vsz * 1024);
    expect(stats.process.threads).toBe(before.threads);
    expect(Date.parse(detail.started_at ?? '')).toBeGreaterThan(Date.now() - (after.elapsedSeconds + 3) * 1000);
  });

  it('that change comm while they run stay the same instance', async () => {
    const id = randomUUID();
    const vmm = await StandIn.start(belongings, [firecracker, '--id', id], ['kvm 1']);
    await agent.find(vmm.pid);
    await vmm.tell(`comm ${Buffer.from('qemu-system-x86').toString('hex')}`);
    await agent.rescanned();

    expect(await agent.detail(id)).toMatchObject({ hypervisor: 'firecracker', generation: 1, state: 'running', pid: vmm.pid });
  });
});
