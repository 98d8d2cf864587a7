import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { CpuCgroup, cpuQuotas } from './cpu-cgroup.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, expectOfMachine, kvm, utilLinux } from './needs.js';
import { memberAt, numberAt } from './numbers.js';
import { StandIn, StandInPrograms } from './stand-in.js';
import type { Stats } from './stats-document.js';

const BURN_MS = 400;
const MICROSECONDS = 1e6;

// Agent: root, for descriptors of other processes. The test: root, for cgroups.
describeWith('CPU time that a VM did not get', [...BASICS, builtAgent, compiler, kvm, utilLinux, cpuQuotas], () => {
  let belongings: Belongings;
  let programs: StandInPrograms;
  beforeEach(() => {
    belongings = new Belongings();
    programs = new StandInPrograms(belongings);
  });
  afterEach(() => belongings.release());

  interface Vm {
    readonly id: string;
    readonly vmm: StandIn;
  }

  async function start(through: readonly string[] = []): Promise<Vm> {
    const id = randomUUID();
    const vmm = await StandIn.start(belongings, [...through, programs.named('qemu-system-x86_64'), '-uuid', id, '-m', '64'], ['kvm 1']);
    return { id, vmm };
  }

  /** The document once its counters are those of a moment at which nothing moved any more, and the slowest of them was read then. */
  async function settled(agent: AgentProcess, { id }: Vm): Promise<Stats> {
    const counters = ['cpu.throttled_seconds', 'cpu.wait_seconds', 'cpu.contention_seconds', 'cpu.timeslices'];
    const words = (document: unknown): string => counters.map((path) => memberAt(document, path)).join(' ');
    let last = '';
    let same = 0;
    return eventually(`counters of ${id} that stand still`, async () => {
      const now = await agent.stats(id);
      same = words(now) === last ? same + 1 : 0;
      last = words(now);
      // Contention is read once a second; 25 ms between two looks.
      return same > 120 && memberAt(now, 'cpu.contention_seconds') !== null ? now : undefined;
    });
  }

  it('for its quota is throttled time, as the kernel has it, and is not put on others', async () => {
    const group = CpuCgroup.make(belongings, 'quota');
    group.limit(0.2);
    const vm = await start();
    group.take(vm.vmm.pid);
    const agent = await AgentProcess.start(belongings);
    await agent.find(vm.vmm.pid);
    await vm.vmm.tell(`burn ${BURN_MS}`);
    const stats = await settled(agent, vm);

    expect(stats.collectors.throttling).toMatchObject({ outcome: 'ok' });
    expect(stats.collectors.contention).toMatchObject({ outcome: 'ok' });
    const throttled = numberAt(stats, 'cpu.throttled_seconds');
    const [wait, contention] = [numberAt(stats, 'cpu.wait_seconds'), numberAt(stats, 'cpu.contention_seconds')];
    expect(throttled).toBeGreaterThan(0);
    expect(Math.round(throttled * MICROSECONDS)).toBe(group.throttledMicroseconds);
    expect(numberAt(stats, 'cpu.throttled_periods')).toBeGreaterThan(0);
    expect(numberAt(stats, 'cpu.quota_periods')).toBeGreaterThanOrEqual(group.periods);
    // Waiting for the quota is in the wait.
    expect(wait).toBeGreaterThan(0);
    expect(contention).toBeLessThan(wait);
    expect(contention).toBeGreaterThanOrEqual(wait - throttled - 1 / MICROSECONDS);
    for (const name of ['throttled', 'contention'])
      expect(await agent.sample(`vmgauge_vm_cpu_${name}_seconds_total{instance_id="${vm.id}"}`)).toBe(
        numberAt(stats, `cpu.${name}_seconds`),
      );
  });

  it('for others is contention: two that want the same CPU and have no quota', async () => {
    const group = CpuCgroup.make(belongings, 'free');
    const rivals = await Promise.all([start(['taskset', '-c', '0']), start(['taskset', '-c', '0'])]);
    for (const { vmm } of rivals) group.take(vmm.pid);
    const agent = await AgentProcess.start(belongings);
    for (const { vmm } of rivals) await agent.find(vmm.pid);
    await Promise.all(rivals.map(({ vmm }) => vmm.tell(`burn ${BURN_MS}`)));

    expect(group.throttledMicroseconds).toBe(0);
    for (const vm of rivals) {
      const stats = await settled(agent, vm);
      expect(memberAt(stats, 'cpu.throttled_seconds')).toBe(0);
      expect(memberAt(stats, 'cpu.quota_periods')).toBe(0);
      expect(numberAt(stats, 'cpu.wait_seconds')).toBeGreaterThan(0);
      expect(memberAt(stats, 'cpu.contention_seconds')).toBe(memberAt(stats, 'cpu.wait_seconds'));
    }
  });

  it('is told of every cgroup its threads are in, and with whatever else is in those', async (context) => {
    const [own, vcpu] = [CpuCgroup.make(belongings, 'emulator'), CpuCgroup.make(belongings, 'vcpu0')];
    expectOfMachine(context, own.isOfVersion1, 'threads of one process can be in several cgroups in version 1 only');
    const vm = await start();
    own.take(vm.vmm.pid);
    await vm.vmm.tell('thread vcpu0 - 1');
    const thread =
      readdirSync(`/proc/${vm.vmm.pid}/task`)
        .map(Number)
        .find((tid) => tid !== vm.vmm.pid) ?? expect.fail('no thread');
    vcpu.takeThread(thread);
    const agent = await AgentProcess.start(belongings);
    await agent.find(vm.vmm.pid);
    for (const group of [own, vcpu]) group.limit(0.1);
    // The quota of the other cgroup is used up by somebody who is no VM.
    const neighbour = await Child.start(['sh', '-c', 'read go; while :; do :; done']);
    belongings.own(() => neighbour.kill());
    vcpu.take(neighbour.pid);
    neighbour.write('go\n');
    await eventually('the neighbour is throttled', () => vcpu.throttledMicroseconds > 0);
    await neighbour.kill();
    await vm.vmm.tell('burn 50');
    const stats = await settled(agent, vm);

    expect(vcpu.throttledMicroseconds).toBeGreaterThan(0);
    expect(Math.round(numberAt(stats, 'cpu.throttled_seconds') * MICROSECONDS)).toBe(
      own.throttledMicroseconds + vcpu.throttledMicroseconds,
    );
  });

  it('does not go back when the VM is moved and its cgroup removed', async () => {
    const [before, after] = [CpuCgroup.make(belongings, 'before'), CpuCgroup.make(belongings, 'after')];
    before.limit(0.1);
    const vm = await start();
    before.take(vm.vmm.pid);
    const agent = await AgentProcess.start(belongings);
    await agent.find(vm.vmm.pid);
    await vm.vmm.tell('burn 50');
    const first = numberAt(await settled(agent, vm), 'cpu.throttled_seconds');
    expect(first).toBeGreaterThan(0);
    after.take(vm.vmm.pid);
    before.remove();
    after.limit(0.1);
    const moved = await settled(agent, vm);
    expect(moved.collectors.throttling).toMatchObject({ outcome: 'ok' });
    expect(numberAt(moved, 'cpu.throttled_seconds')).toBe(first);
    const base = after.throttledMicroseconds;
    await vm.vmm.tell('burn 50');
    const last = numberAt(await settled(agent, vm), 'cpu.throttled_seconds');
    expect(after.throttledMicroseconds).toBeGreaterThan(base);
    expect(Math.round((last - first) * MICROSECONDS)).toBe(after.throttledMicroseconds - base);
  });
});
