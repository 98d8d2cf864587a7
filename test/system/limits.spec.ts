import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith, kvm, type Need, qemu } from './needs.js';
import { memberAt, numberAt } from './numbers.js';
import { startIdleQemu } from './real-qemu.js';
import type { Stats } from './stats-document.js';

const MOUNTS = '/sys/fs/cgroup';
const MIB = 2 ** 20;
let made = 0;

const at = (controller: string, file: string): string => join(MOUNTS, controller, file);

/** Version 1, with a hierarchy for each of these controllers: version 2 as a whole is tested on a recorded tree. */
const hierarchies: Need = {
  missing: () => {
    const missing = ['cpu', 'cpuacct', 'memory', 'pids'].filter((name) => !existsSync(at(name, 'cgroup.procs')));
    return missing.length === 0 ? undefined : `no cgroup v1 of ${missing.join(', ')} at ${MOUNTS}`;
  },
};

const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids'] as const;
type Controller = (typeof CONTROLLERS)[number];

/** A cgroup of the same path in each hierarchy. */
class Cgroup {
  private constructor(readonly path: string) {}

  static make(belongings: Belongings, name: string, parent?: Cgroup): Cgroup {
    const group = new Cgroup(parent ? `${parent.path}/${name}` : `/vmgauge-limits-${process.pid}-${made++}-${name}`);
    for (const controller of CONTROLLERS) mkdirSync(at(controller, group.path));
    belongings.own(() => eventually(`${group.path} is removed`, () => group.tryRemove()));
    return group;
  }

  write(controller: Controller, file: string, value: number): void {
    writeFileSync(at(controller, `${this.path}/${file}`), String(value));
  }

  read(controller: Controller, file: string): number {
    return Number(readFileSync(at(controller, `${this.path}/${file}`), 'utf8'));
  }

  take(pid: number): void {
    for (const controller of CONTROLLERS) this.write(controller, 'cgroup.procs', pid);
  }

  tryRemove(): boolean {
    try {
      for (const controller of CONTROLLERS) if (existsSync(at(controller, this.path))) rmdirSync(at(controller, this.path));
      return true;
    } catch {
      return false;
    }
  }
}

describeWith('Limits of a real QEMU', [...BASICS, builtAgent, kvm, qemu, hierarchies], () => {
  let belongings: Belongings;
  beforeEach(() => {
    belongings = new Belongings();
  });
  afterEach(() => belongings.release());

  interface Observed {
    readonly agent: AgentProcess;
    readonly id: string;
    readonly pid: number;
  }

  async function observe(group?: Cgroup): Promise<Observed> {
    const { child } = await startIdleQemu(belongings);
    group?.take(child.pid);
    const agent = await AgentProcess.start(belongings);
    const { id } = await agent.find(child.pid);
    return { agent, id, pid: child.pid };
  }

  const when = ({ agent, id }: Observed, what: string, holds: (stats: Stats) => boolean): Promise<Stats> =>
    eventually(what, async () => {
      const stats = await agent.stats(id);
      return holds(stats) ? stats : undefined;
    });
  const told = (stats: Stats, word: string): unknown => memberAt(stats, `limits.${word}`);

  it('are those of its own cgroup, as they are now, and of what that lies in', async () => {
    const pool = Cgroup.make(belongings, 'pool');
    const own = Cgroup.make(belongings, 'vm', pool);
    own.write('memory', 'memory.limit_in_bytes', 512 * MIB);
    own.write('cpu', 'cpu.cfs_quota_us', 150_000);
    own.write('pids', 'pids.max', 100);
    const vm = await observe(own);
    const first = await when(vm, 'its cgroup is read', ({ collectors }) => collectors.cgroup?.outcome === 'ok');
    expect(told(first, 'memory.limit_bytes')).toBe(512 * MIB);
    expect(told(first, 'cpu.limit_cores')).toBe(1.5);
    expect(told(first, 'cpu.quota_seconds')).toBe(0.15);
    expect(told(first, 'pids.limit')).toBe(100);
    expect(told(first, 'pids.usage')).toBe(own.read('pids', 'pids.current'));
    expect(told(first, 'memory.swap_limit_bytes')).toBeNull();
    expect(memberAt(await vm.agent.detail(vm.id), 'cgroup')).toEqual({ kind: 'other', path: own.path, version: 1, overhead_path: null });
    expect(await vm.agent.sample(`vmgauge_vm_limit_memory_bytes{instance_id="${vm.id}"}`)).toBe(512 * MIB);

    own.write('memory', 'memory.limit_in_bytes', 256 * MIB);
    await when(vm, 'the new limit of its own', (stats) => told(stats, 'memory.limit_bytes') === 256 * MIB);
    pool.write('memory', 'memory.limit_in_bytes', 128 * MIB);
    // Version 1 refuses less than a cgroup in it has.
    own.write('cpu', 'cpu.cfs_quota_us', -1);
    pool.write('cpu', 'cpu.cfs_quota_us', 50_000);
    pool.write('pids', 'pids.max', 50);
    const least = await when(vm, 'the limits of the pool', (stats) => told(stats, 'pids.limit') === 50);
    expect(told(least, 'memory.limit_bytes')).toBe(128 * MIB);
    expect(told(least, 'cpu.limit_cores')).toBe(0.5);

    for (const group of [own, pool]) {
      group.write('memory', 'memory.limit_in_bytes', -1);
      group.write('cpu', 'cpu.cfs_quota_us', -1);
    }
    const free = await when(
      vm,
      'no limit',
      (stats) => told(stats, 'cpu.limit_cores') === null && told(stats, 'memory.limit_bytes') === null,
    );
    expect(free.collectors.cgroup).toMatchObject({ outcome: 'ok' });
    expect(numberAt(free, 'limits.cpu.usage_seconds')).toBeGreaterThanOrEqual(0);
    expect(await vm.agent.sample(`vmgauge_vm_limit_memory_bytes{instance_id="${vm.id}"}`)).toBeUndefined();
  });

  it('go on in another cgroup when it is moved and its own removed, and no counter goes back', async () => {
    const before = Cgroup.make(belongings, 'before');
    const after = Cgroup.make(belongings, 'after');
    before.write('pids', 'pids.max', 70);
    after.write('pids', 'pids.max', 80);
    const vm = await observe(before);
    const first = await when(vm, 'the first limit', (stats) => told(stats, 'pids.limit') === 70);
    after.take(vm.pid);
    await eventually('the first cgroup is removed', () => before.tryRemove());
    const moved = await when(vm, 'the second limit', (stats) => told(stats, 'pids.limit') === 80);
    expect(numberAt(moved, 'limits.cpu.usage_seconds')).toBeGreaterThanOrEqual(numberAt(first, 'limits.cpu.usage_seconds'));
  });

  it('are nobody’s where strangers stand in the same cgroup, or it is the root', async () => {
    const shared = Cgroup.make(belongings, 'shared');
    const stranger = await Child.start(['sleep', 'infinity']);
    belongings.own(() => stranger.kill());
    shared.take(stranger.pid);
    const vm = await observe(shared);
    const stats = await when(vm, 'it was looked for', ({ collectors }) => collectors.cgroup?.outcome === 'absent');
    expect(stats.collectors.cgroup).toMatchObject({ reason: 'not_configured' });
    expect(memberAt(await vm.agent.detail(vm.id), 'cgroup')).toBeNull();
    expect(told(stats, 'memory.usage_bytes') ?? null).toBeNull();
    await stranger.kill();
    expect(memberAt(await vm.agent.detail(vm.id), 'cgroup.path')).toBe(shared.path);
  });

  it('count who was killed for lack of memory', async () => {
    const own = Cgroup.make(belongings, 'kill');
    const vm = await observe(own);
    const first = await when(vm, 'its cgroup is read', ({ collectors }) => collectors.cgroup?.outcome === 'ok');
    expect(told(first, 'memory.events.oom_kill')).toBe(0);
    own.write('memory', 'memory.limit_in_bytes', 128 * MIB);
    // The QEMU is larger, and would be chosen.
    const script = `echo 1000 > /proc/$$/oom_score_adj; echo $$ > ${at('memory', `${own.path}/cgroup.procs`)}; x=aaaaaaaa; while :; do x=$x$x; done`;
    const glutton = await Child.start(['sh', '-c', script]);
    belongings.own(() => glutton.kill());
    const last = await when(vm, 'the kill is counted', (stats) => Number(told(stats, 'memory.events.oom_kill')) >= 1);
    expect(numberAt(last, 'limits.memory.events.max')).toBeGreaterThan(0);
  });
});
