import { existsSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, expectOfMachine, kvm } from './needs.js';
import { memberAt, numberAt } from './numbers.js';
import { StandIn, StandInPrograms } from './stand-in.js';
import type { Stats } from './stats-document.js';
import { limits, WholeCgroup } from './whole-cgroup.js';

const MIB = 2 ** 20;
const MOUNTS = '/sys/fs/cgroup';
const BLOCK = 4096;
const BLOCKS = 80;
/** 16 blocks a second: any disk can do that. */
const WRITE_LIMIT = 16 * BLOCK;

/** Number of the whole disk that a file is on; undefined where that is no single block device. */
function diskOf(path: string): string | undefined {
  const { dev } = statSync(path);
  const [major, minor] = [Math.floor(dev / 256) % 4096, dev % 256];
  const device = `/sys/dev/block/${major}:${minor}`;
  if (!existsSync(device)) return undefined;
  if (!existsSync(join(device, 'partition'))) return `${major}:${minor}`;
  return readFileSync(join(dirname(join('/sys/dev/block', readlinkSync(device))), 'dev'), 'utf8').trim();
}

// The test: root, for cgroups.
describeWith('How far limits are used up', [...BASICS, builtAgent, compiler, kvm, limits], () => {
  let belongings: Belongings;
  let programs: StandInPrograms;
  beforeEach(() => {
    belongings = new Belongings();
    programs = new StandInPrograms(belongings);
  });
  afterEach(() => belongings.release());

  interface Vm {
    readonly vmm: StandIn;
    readonly group: WholeCgroup;
    readonly agent: AgentProcess;
    readonly id: string;
  }

  /** In a cgroup of its own before it touches any memory. */
  async function start(name: string, orders: readonly string[] = []): Promise<Vm> {
    const group = WholeCgroup.make(belongings, name);
    const argv = [...group.entrance, programs.named('qemu-system-x86_64'), '-m', '64'];
    const vmm = await StandIn.start(belongings, argv, ['kvm 1', ...orders]);
    const agent = await AgentProcess.start(belongings, { flags: { 'limits.interval': '1s' } });
    const { id } = await agent.find(vmm.pid);
    return { vmm, group, agent, id };
  }

  const when = ({ agent, id }: Vm, what: string, holds: (stats: Stats) => boolean): Promise<Stats> =>
    eventually(what, async () => {
      const stats = await agent.stats(id);
      return holds(stats) ? stats : undefined;
    });
  const told = (stats: Stats, word: string): number => Number(memberAt(stats, `limits.${word}`) ?? Number.NaN);
  const pod = ({ agent, id }: Vm, name: string, type: string): Promise<unknown> =>
    agent.sample(`podtrace_resource_${name}{resource_type="${type}",instance_id="${id}",instance_name="${id}",namespace=""}`);

  it('is near 1 for a quota that is burnt, and 0 afterwards', async () => {
    const vm = await start('quota');
    await when(vm, 'usage without a quota', (stats) => memberAt(stats, 'collectors.resources.outcome') === 'ok');
    expect(memberAt(await vm.agent.stats(vm.id), 'limits.cpu.utilization_ratio')).toBeNull();
    vm.group.limitCpus(0.2);
    const burning = vm.vmm.tell('burn 1000');
    await when(vm, 'a burnt quota', (stats) => told(stats, 'cpu.utilization_ratio') > 0.7);
    expect(await pod(vm, 'limit_bytes', 'cpu')).toBe(20_000);
    await burning;
    const idle = await when(
      vm,
      'nothing burnt',
      (stats) => told(stats, 'cpu.utilization_ratio') < 0.05 && told(stats, 'cpu.alert_level') === 0,
    );
    expect(await pod(vm, 'usage_bytes', 'cpu')).toBeGreaterThanOrEqual(1_000_000);
    expect(numberAt(idle, 'limits.cpu.usage_seconds')).toBeGreaterThanOrEqual(1);
  });

  it('of memory goes through all levels, and back with a margin', async () => {
    const vm = await start('memory', ['grow 256']);
    const { group } = vm;
    const usage = await eventually('a usage', async () => {
      const now = told(await vm.agent.stats(vm.id), 'memory.usage_bytes');
      return now > 256 * MIB ? now : undefined;
    });
    /** The first look that shows it at about this percentage, and then the level. */
    const at = async (percent: number, level: number): Promise<void> => {
      group.limitMemory(Math.round(usage / (percent / 100)));
      const near = (stats: Stats): boolean => Math.abs(told(stats, 'memory.utilization_ratio') * 100 - percent) < 0.9;
      await when(vm, `level ${level} at ${percent} %`, (stats) => near(stats) && told(stats, 'memory.alert_level') === level);
    };
    for (const [percent, level] of [
      [50, 0],
      [82, 1],
      [92, 2],
      [97, 3],
    ] as const)
      await at(percent, level);
    group.limitMemory(Math.round(usage / 0.915));
    const held = await when(vm, 'a fall within the margin', (stats) => Math.abs(told(stats, 'memory.utilization_ratio') - 0.915) < 0.009);
    expect(told(held, 'memory.alert_level')).toBe(3);
    expect(await pod(vm, 'alert_level', 'memory')).toBe(3);
    for (const [percent, level] of [
      [87, 2],
      [77, 1],
      [50, 0],
    ] as const)
      await at(percent, level);
    expect(await pod(vm, 'limit_bytes', 'memory')).toBe(numberAt(await vm.agent.stats(vm.id), 'limits.memory.limit_bytes'));
  });

  it('of a block device is that of the direction that is limited, and counts what the kernel counts', async (context) => {
    const disk = diskOf(programs.directory);
    expectOfMachine(context, disk !== undefined, `${programs.directory} is not on one block device`);
    const vm = await start('io');
    const first = [join(MOUNTS, 'blkio', vm.group.path, 'blkio.throttle.write_bps_device'), join(MOUNTS, vm.group.path, 'io.max')];
    const file = first.find((path) => existsSync(path));
    expectOfMachine(context, file !== undefined, 'no controller of block I/O');
    if (disk === undefined || file === undefined) return;
    const isVersion1 = file === first[0];
    writeFileSync(file, isVersion1 ? `${disk} ${WRITE_LIMIT}` : `${disk} wbps=${WRITE_LIMIT}`);
    const name = basename(readlinkSync(`/sys/dev/block/${disk}`));
    const writing = vm.vmm.tell(`write ${join(programs.directory, 'written')} ${BLOCKS}`);
    const busy = await when(vm, 'a limit that is used up', (stats) => told(stats, 'io.utilization_ratio') > 0.6);
    expect(memberAt(busy, 'limits.io')).toMatchObject({
      utilization_device: name,
      utilization_of: 'write_bytes',
      limit_bytes_per_second: WRITE_LIMIT,
    });
    await writing;
    const written = (): number => {
      const text = readFileSync(join(dirname(file), isVersion1 ? 'blkio.throttle.io_service_bytes_recursive' : 'io.stat'), 'utf8');
      return Number(new RegExp(isVersion1 ? `^${disk} Write (\\d+)$` : `^${disk} .*wbytes=(\\d+)`, 'm').exec(text)?.[1]);
    };
    expect(written()).toBeGreaterThanOrEqual(BLOCKS * BLOCK);
    await when(vm, 'nothing written', (stats) => told(stats, 'io.utilization_ratio') === 0 && told(stats, 'io.write_bytes') >= written());
    const labels = `operation="write",instance_id="${vm.id}",device="${name}"`;
    expect(await vm.agent.sample(`vmgauge_vm_cgroup_io_bytes_total{${labels}}`)).toBe(written());
    expect(await vm.agent.sample(`vmgauge_vm_cgroup_io_limit_bytes_per_second{${labels}}`)).toBe(WRITE_LIMIT);
    expect(await pod(vm, 'limit_bytes', 'io')).toBe(WRITE_LIMIT);
  });
});
