import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, type TestContext } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, expectOfMachine, file, kvm, utilLinux } from './needs.js';
import { memberAt, numberAt } from './numbers.js';
import { StandIn, StandInPrograms } from './stand-in.js';
import type { Stats } from './stats-document.js';
import { pressureOfCgroups, stalledOfHost, UnifiedCgroup } from './unified-cgroup.js';

const BURN_MS = 300;
const BLOCKS = 50;
const MOST_BLOCKS = 256 * BLOCKS;
const MANY_TIMES = 40;
const MICROSECONDS = 1e6;
const ONE_CPU = ['taskset', '-c', '0'];
const SWITCH = '/proc/sys/kernel/task_delayacct';
const RESOURCES = ['cpu', 'memory', 'io'] as const;
const STALLS = ['some', 'full'] as const;

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

async function start(): Promise<Vm> {
  const id = randomUUID();
  const argv = [...ONE_CPU, programs.named('qemu-system-x86_64'), '-uuid', id, '-m', '64'];
  return { id, vmm: await StandIn.start(belongings, argv, ['kvm 1']) };
}

/** A file on whatever disk temporary files are on. */
function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'vmgauge-system-'));
  belongings.own(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'disk');
}

/** Somebody outside who wants the same CPU, all the time. */
async function neighbour(): Promise<void> {
  const child = await Child.start([...ONE_CPU, 'sh', '-c', 'while :; do :; done']);
  belongings.own(() => child.kill());
}

/** Does something again until it has shown, or the machine is one where it never will. */
async function untilShown(context: TestContext, reason: string, again: () => Promise<unknown>, shows: () => boolean): Promise<void> {
  for (let times = 0; times < MANY_TIMES && !shows(); times++) await again();
  expectOfMachine(context, shows(), reason);
}

// Agent: root, for descriptors of other processes. The test: root, for cgroups.
describeWith('Pressure', [...BASICS, builtAgent, compiler, kvm, utilLinux, pressureOfCgroups], () => {
  const microseconds = (stats: Stats, resource: (typeof RESOURCES)[number], stall: (typeof STALLS)[number]): number =>
    Math.round(numberAt(stats, `pressure.${resource}.${stall}.total_seconds`) * MICROSECONDS);
  /** The document once it says what the files of the cgroup say, which nothing moves any more. */
  const settled = (agent: AgentProcess, { id }: Vm, group: UnifiedCgroup): Promise<Stats> =>
    eventually(`pressure of ${id} as the kernel has it`, async () => {
      const stats = await agent.stats(id);
      const isSame = RESOURCES.every((resource) =>
        STALLS.every((stall) => microseconds(stats, resource, stall) === group.stalled(resource, stall)),
      );
      return isSame ? stats : undefined;
    });
  const series = (word: 'waiting' | 'stalled', { id }: Vm, resource: string): string =>
    `vmgauge_vm_pressure_${word}_seconds_total{resource="${resource}",instance_id="${id}"}`;

  it('of the CPU grows while others have it, and is what the kernel says of the VM’s own cgroup', async (context) => {
    const group = UnifiedCgroup.make(belongings, 'cpu');
    const vm = await start();
    group.take(vm.vmm.pid);
    await neighbour();
    const agent = await AgentProcess.start(belongings);
    await agent.find(vm.vmm.pid);
    await untilShown(
      context,
      'two programs on one CPU do not wait for it',
      () => vm.vmm.tell(`burn ${BURN_MS}`),
      () => group.stalled('cpu', 'some') > 0,
    );
    const stats = await settled(agent, vm, group);
    expect(stats.collectors.pressure).toMatchObject({ outcome: 'ok' });
    const waited = numberAt(stats, 'pressure.cpu.some.total_seconds');
    expect(waited).toBeGreaterThan(0);
    expect(await agent.sample(series('waiting', vm, 'cpu'))).toBe(waited);
    expect(await agent.sample(series('stalled', vm, 'cpu'))).toBe(numberAt(stats, 'pressure.cpu.full.total_seconds'));
    // The averages are the kernel's own, made anew every two seconds.
    await eventually('an average of a burning VM', async () => {
      await vm.vmm.tell(`burn ${BURN_MS}`);
      const average = memberAt(await agent.stats(vm.id), 'pressure.cpu.some.avg10_ratio');
      return typeof average === 'number' && average > 0 && average <= 1;
    });
  });

  it('of the disk grows while a VM writes through, and is what the kernel says', async (context) => {
    const group = UnifiedCgroup.make(belongings, 'io');
    const vm = await start();
    group.take(vm.vmm.pid);
    const agent = await AgentProcess.start(belongings);
    await agent.find(vm.vmm.pid);
    const disk = scratch();
    await untilShown(
      context,
      'nobody waits for what temporary files are on',
      () => vm.vmm.tell(`write ${disk} ${BLOCKS}`),
      () => group.stalled('io', 'some') > 0,
    );
    const stats = await settled(agent, vm, group);
    expect(numberAt(stats, 'pressure.io.some.total_seconds')).toBeGreaterThan(0);
    expect(await agent.sample(series('waiting', vm, 'io'))).toBe(numberAt(stats, 'pressure.io.some.total_seconds'));
  });

  it('does not go back when the VM is moved and its cgroup removed', async (context) => {
    const [before, after] = [UnifiedCgroup.make(belongings, 'before'), UnifiedCgroup.make(belongings, 'after')];
    const vm = await start();
    before.take(vm.vmm.pid);
    await neighbour();
    const agent = await AgentProcess.start(belongings);
    await agent.find(vm.vmm.pid);
    const burnUntil = (group: UnifiedCgroup) =>
      untilShown(
        context,
        'two programs on one CPU do not wait for it',
        () => vm.vmm.tell(`burn ${BURN_MS}`),
        () => group.stalled('cpu', 'some') > 0,
      );
    await burnUntil(before);
    const first = numberAt(await settled(agent, vm, before), 'pressure.cpu.some.total_seconds');
    expect(first).toBeGreaterThan(0);
    after.take(vm.vmm.pid);
    before.remove();
    await eventually('the agent at the other cgroup', () => agent.descriptors().includes(join(after.directory, 'cpu.pressure')));
    const moved = await eventually('a reading of the other cgroup', async () => {
      const stats = await agent.stats(vm.id);
      return stats.collectors.pressure.outcome === 'ok' ? stats : undefined;
    });
    expect(numberAt(moved, 'pressure.cpu.some.total_seconds')).toBe(first);
    const base = microseconds(moved, 'cpu', 'some') - after.stalled('cpu', 'some');
    await burnUntil(after);
    const last = await eventually('what the other cgroup counted since', async () => {
      const now = microseconds(await agent.stats(vm.id), 'cpu', 'some');
      return now === base + after.stalled('cpu', 'some') ? { now } : undefined;
    });
    expect(last.now).toBeGreaterThan(first * MICROSECONDS);
  });

  it('is not that of a VM in a cgroup of others, nor of one whose cgroup does not count it', async () => {
    const [shared, silent] = [UnifiedCgroup.make(belongings, 'shared'), UnifiedCgroup.make(belongings, 'silent')];
    const [lodger, mute, rootless] = await Promise.all([start(), start(), start()]);
    const stranger = await Child.start(['sleep', '600']);
    belongings.own(() => stranger.kill());
    shared.take(lodger.vmm.pid);
    shared.take(stranger.pid);
    silent.take(mute.vmm.pid);
    const agent = await AgentProcess.start(belongings);
    await agent.find(mute.vmm.pid);
    const outcomeOf = async ({ id }: Vm): Promise<unknown> => (await agent.stats(id)).collectors.pressure;
    await eventually('pressure of a cgroup', async () => memberAt(await outcomeOf(mute), 'outcome') === 'ok');
    silent.write('cgroup.pressure', '0');
    await eventually('a cgroup that does not count', async () => memberAt(await outcomeOf(mute), 'reason') === 'not_configured');
    for (const vm of [lodger, rootless]) {
      await agent.find(vm.vmm.pid);
      await eventually('a first turn', async () => memberAt(await outcomeOf(vm), 'reason') !== 'busy');
      expect(await outcomeOf(vm)).toMatchObject({ outcome: 'absent', reason: 'not_configured' });
    }
    for (const vm of [lodger, mute, rootless]) expect(await agent.sample(series('waiting', vm, 'cpu'))).toBeUndefined();
  });

  it('of the host is what the kernel says of it', async () => {
    const agent = await AgentProcess.start(belongings);
    for (const [word, stall, resource] of [
      ['waiting', 'some', 'cpu'],
      ['waiting', 'some', 'memory'],
      ['waiting', 'some', 'io'],
      ['stalled', 'full', 'memory'],
      ['stalled', 'full', 'io'],
    ] as const) {
      const name = `vmgauge_host_pressure_${word}_seconds_total{resource="${resource}"}`;
      const before = stalledOfHost(resource, stall) / MICROSECONDS;
      // What the first answers say may be older.
      const told = await eventually(`${name} from ${before} on`, async () => {
        const value = await agent.sample(name);
        return value !== undefined && value >= before ? { value } : undefined;
      });
      expect(told.value).toBeLessThanOrEqual(stalledOfHost(resource, stall) / MICROSECONDS);
    }
    expect(await agent.sample('vmgauge_host_pressure_stalled_seconds_total{resource="cpu"}')).toBeUndefined();
  });
});

const delaySwitch = file(SWITCH, 'Linux 5.14, built with CONFIG_TASK_DELAY_ACCT');

describeWith('Delay of block I/O', [...BASICS, builtAgent, compiler, kvm, utilLinux, delaySwitch], () => {
  beforeEach(() => {
    const found = readFileSync(SWITCH, 'utf8');
    belongings.own(() => writeFileSync(SWITCH, found));
  });

  const count = (counts: '0' | '1'): void => writeFileSync(SWITCH, counts);
  /** Field 42 of proc_pid_stat(5), clock ticks. */
  const ticks = (path: string): number => {
    const text = readFileSync(path, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[39]);
  };
  const ofThreads = ({ vmm: { pid } }: Vm): number =>
    readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + ticks(`/proc/${pid}/task/${thread}/stat`), 0);
  const series = ({ id }: Vm): string => `vmgauge_vm_block_io_delay_seconds_total{instance_id="${id}"}`;
  const outcomeOf = async (agent: AgentProcess, { id }: Vm): Promise<unknown> => (await agent.stats(id)).collectors.block_io_delay;

  it('is that of all threads; the process’s own line has that of its main thread alone', async (context) => {
    count('1');
    const vm = await start();
    const agent = await AgentProcess.start(belongings);
    await agent.find(vm.vmm.pid);
    const disk = scratch();
    const own = `/proc/${vm.vmm.pid}/stat`;
    const reason = 'nobody waits for what temporary files are on';
    await untilShown(
      context,
      reason,
      () => vm.vmm.tell(`write ${disk} ${BLOCKS}`),
      () => ticks(own) > 0,
    );
    const ofMain = ticks(own);
    // Each is a thread of its own, with less than a tick to show where the disk is fast: ever more of it.
    let blocks = BLOCKS;
    await untilShown(
      context,
      reason,
      () => {
        blocks = Math.min(2 * blocks, MOST_BLOCKS);
        return vm.vmm.tell(`writer ${disk} ${blocks}`);
      },
      () => ofThreads(vm) > ofMain,
    );
    expect(ticks(own)).toBe(ofMain);
    const delay = ofThreads(vm) / 100;
    await eventually(`${delay} s of delay`, async () => (await agent.sample(series(vm))) === delay);
    expect(numberAt(await agent.stats(vm.id), 'process.block_io_delay_seconds')).toBe(delay);
  });

  it('is not 0 where the kernel does not count it, nor later for a VM that was there by then', async () => {
    count('0');
    const old = await start();
    const agent = await AgentProcess.start(belongings);
    await agent.find(old.vmm.pid);
    await eventually('a first turn', async () => memberAt(await outcomeOf(agent, old), 'reason') !== 'busy');
    expect(await outcomeOf(agent, old)).toMatchObject({ outcome: 'absent', reason: 'not_configured' });
    count('1');
    const young = await start();
    await agent.find(young.vmm.pid);
    await eventually('a reading of the young one', async () => (await agent.sample(series(young))) !== undefined);
    expect(await outcomeOf(agent, old)).toMatchObject({ outcome: 'absent', reason: 'not_configured' });
    expect(await agent.sample(series(old))).toBeUndefined();
    count('0');
    await eventually('nothing of the young one', async () => memberAt(await outcomeOf(agent, young), 'reason') === 'not_configured');
  });
});
