import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { House } from '../../../test/house.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import {
  dragonballRecord,
  GUEST_RAM_BYTES,
  SandboxProc,
  SandboxTrial,
  SandboxView,
  SERVANT,
  SHIM,
  START_TICKS,
  sandboxRecord,
  VIRTIOFSD,
  VMM,
} from '../../../test/sandbox-proc.js';
import { Outcome } from '../../model/outcome.js';
import { PodOverheadMemoryCollector } from './pod-overhead-memory.collector.js';

const NAME = 'pod_overhead_memory';
const MIB = 1024 * 1024;
const NONE = Number.NaN;
/** Anonymous and file memory of the recorded VMM with a memfd. */
const VMM_OWN = (11936 + 21824) * 1024;
/** All but guest RAM in the smaps of the recorded VMM with anonymous guest RAM. */
const VMM_WALKED =
  [...kernelSample('qemu-7.2-anonymous/smaps').matchAll(/^Rss: +(\d+) kB$/gm)].reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0) -
  GUEST_RAM_BYTES;

let trial: SandboxTrial;
let proc: SandboxProc;
let house: House;
let view: SandboxView;
beforeEach(() => {
  trial = new SandboxTrial((tables, host) => [new PodOverheadMemoryCollector(tables, host)]);
  ({ proc, house, view } = trial);
  house.settings.slowIntervalMs = 0;
  own(SHIM, 20, 10);
  own(VIRTIOFSD, 1, 2);
  own(SERVANT, 3, 4);
});
afterEach(() => trial.close());

/** Anonymous and file memory of a process in MiB; its shared memory is all of guest RAM. */
function own(pid: number, anon: number, file: number): void {
  const status = kernelSample('qemu-7.2-memfd/status')
    .replace(/^RssAnon:.*$/m, `RssAnon:\t ${anon * 1024} kB`)
    .replace(/^RssFile:.*$/m, `RssFile:\t ${file * 1024} kB`);
  proc.write(`${pid}/status`, status);
}
async function turn(): Promise<number> {
  proc.clock.ms += 60_000;
  await house.turn();
  return view.outcome(NAME);
}
/** What the agent does off the sweep. */
async function walk(): Promise<number> {
  const [instance] = house.registry.all();
  return house.sampler.collectDetached(house.sampler.states[0], instance);
}
const cells = (): number[] =>
  ['memory_bytes', 'shim_memory_bytes', 'vmm_memory_bytes', 'virtiofsd_memory_bytes', 'guest_ram_backed_bytes'].map((place) =>
    view.cell(`shim.overhead.${place}`),
  );
const ALL_EMPTY = Array(5).fill(NONE);

describe('pod_overhead_memory with shared guest RAM', () => {
  it('is anonymous and file memory of the three; guest RAM, which all of them map, is in none', async () => {
    expect(await turn()).toBe(Outcome.ok);
    expect(cells()).toEqual([40 * MIB + VMM_OWN, 30 * MIB, VMM_OWN, 10 * MIB, GUEST_RAM_BYTES]);
  });

  it('walks no page', async () => {
    rmSync(join(proc.root, `${VMM}/smaps`));
    await turn();
    expect(await walk()).toBe(Outcome.ok);
    expect(await turn()).toBe(Outcome.ok);
  });

  it('counts guest RAM on hugetlbfs as backed', async () => {
    const status = kernelSample('qemu-7.2-memfd/status');
    proc.write(
      `${VMM}/status`,
      status.replace(/^RssShmem:.*$/m, 'RssShmem:\t 0 kB').replace(/^HugetlbPages:.*$/m, 'HugetlbPages:\t 65536 kB'),
    );
    await turn();
    expect(cells().slice(2)).toEqual([VMM_OWN, 10 * MIB, 64 * MIB]);
    proc.write(`${VMM}/status`, status.replace(/^HugetlbPages:.*\n/m, ''));
    await turn();
    expect(cells()[4]).toBe(GUEST_RAM_BYTES);
  });

  it('has no component virtiofsd where there is none', async () => {
    house.told.records = [sandboxRecord({ companions: [{ role: 'shim', pid: SHIM, startTicks: START_TICKS }] })];
    await turn();
    expect(cells()).toEqual([30 * MIB + VMM_OWN, 30 * MIB, VMM_OWN, NONE, GUEST_RAM_BYTES]);
  });

  it('gives everything to the shim where the VMM is in it', async () => {
    house.told.records = [{ ...dragonballRecord() }];
    await turn();
    expect(cells()).toEqual([VMM_OWN, VMM_OWN, NONE, NONE, GUEST_RAM_BYTES]);
  });
});

describe('pod_overhead_memory with private guest RAM', () => {
  beforeEach(() => proc.guestRam('anonymous'));

  it('has nothing until the pages were walked, off the sweep', async () => {
    expect([await turn(), cells()]).toEqual([Outcome.busy, ALL_EMPTY]);
    expect(await walk()).toBe(Outcome.ok);
    expect(await turn()).toBe(Outcome.ok);
    expect(cells()).toEqual([40 * MIB + VMM_WALKED, 30 * MIB, VMM_WALKED, 10 * MIB, GUEST_RAM_BYTES]);
  });

  it('is of the VMM that was walked, not of the next', async () => {
    await turn();
    await walk();
    await turn();
    proc.process(VMM, { user: 0, startTicks: START_TICKS + 9 });
    await house.registry.rescan();
    house.told.records = [sandboxRecord({ process: { pid: VMM, startTicks: START_TICKS + 9 } })];
    expect([await turn(), cells()]).toEqual([Outcome.busy, ALL_EMPTY]);
  });

  it('is not given to a VM that got the row while the pages were being walked', async () => {
    await turn();
    const [instance] = house.registry.all();
    const late = walk();
    house.sampler.detach(instance);
    instance.row = -1;
    await late;
    instance.row = house.collection.order.rows[0];
    expect(await turn()).toBe(Outcome.busy);
  });

  it.each([
    ['is malformed', () => proc.write(`${VMM}/smaps`, 'x\n'), Outcome.malformed],
    ['is gone', () => rmSync(join(proc.root, `${VMM}/smaps`)), Outcome.gone],
    ['is too large', () => proc.write(`${VMM}/smaps`, kernelSample('qemu-7.2-anonymous/smaps').repeat(80)), Outcome.tooLarge],
  ])('says that smaps %s', async (_, happen, outcome) => {
    await turn();
    happen();
    expect(await walk()).toBe(outcome);
    expect([await turn(), cells()]).toEqual([outcome, ALL_EMPTY]);
    proc.guestRam('anonymous');
    await walk();
    expect(await turn()).toBe(Outcome.ok);
  });

  it('walks a VMM in its shim, too', async () => {
    house.told.records = [dragonballRecord()];
    await turn();
    await walk();
    expect(await turn()).toBe(Outcome.ok);
    expect(cells()).toEqual([VMM_WALKED, VMM_WALKED, NONE, NONE, GUEST_RAM_BYTES]);
  });
});

describe('pod_overhead_memory', () => {
  it('is unsupported where no mapping is guest RAM', async () => {
    proc.write(`${VMM}/maps`, kernelSample('qemu-7.2-memfd/maps').replace(/^.*memfd.*\n/m, ''));
    expect([await turn(), cells()]).toEqual([Outcome.unsupported, ALL_EMPTY]);
  });

  it('is unsupported where guest RAM is a file that virtiofsd has mapped, too', async () => {
    proc.write(`${VMM}/maps`, kernelSample('qemu-7.2-memfd/maps').replace('/memfd:memory-backend-memfd (deleted)', '/var/lib/ram'));
    await turn();
    await walk();
    expect(await turn()).toBe(Outcome.unsupported);
    house.told.records = [sandboxRecord({ companions: [{ role: 'shim', pid: SHIM, startTicks: START_TICKS }] })];
    await turn();
    await walk();
    expect(await turn()).toBe(Outcome.ok);
  });

  it.each([
    ['the shim is gone', () => (house.told.records = [sandboxRecord({ companions: [] })]), Outcome.gone],
    ['the shim has no memory any more', () => proc.write(`${SHIM}/status`, withoutMemory()), Outcome.gone],
    ['the VMM has no memory any more', () => proc.write(`${VMM}/status`, withoutMemory()), Outcome.gone],
    ['the status of virtiofsd is garbage', () => proc.write(`${VIRTIOFSD}/status`, 'x\n'), Outcome.malformed],
    ['the status of its child is garbage', () => proc.write(`${SERVANT}/status`, 'x\n'), Outcome.malformed],
  ])('has no number where %s', async (_, happen, outcome) => {
    await turn();
    happen();
    expect([await turn(), cells()]).toEqual([outcome, ALL_EMPTY]);
  });

  it.each([
    ['is garbage', 'x\n', Outcome.malformed],
    ['has no end', kernelSample('qemu-7.2-memfd/maps').repeat(700), Outcome.tooLarge],
  ])('has no number where maps %s, and comes back', async (_, maps, outcome) => {
    proc.write(`${VMM}/maps`, maps);
    expect([await turn(), cells()]).toEqual([outcome, ALL_EMPTY]);
    proc.guestRam('memfd');
    expect(await turn()).toBe(Outcome.ok);
  });

  it('looks again now and then how guest RAM is mapped', async () => {
    await turn();
    proc.guestRam('anonymous');
    const outcomes: number[] = [];
    for (let i = 0; i < 12; i++) outcomes.push(await turn());
    expect([outcomes[0], outcomes.at(-1)]).toEqual([Outcome.ok, Outcome.busy]);
  });

  it('does without a child of virtiofsd that ended', async () => {
    await turn();
    proc.removeProcess(SERVANT);
    expect(await turn()).toBe(Outcome.ok);
    expect(cells()[3]).toBe(3 * MIB);
  });
});

function withoutMemory(): string {
  return kernelSample('qemu-7.2-memfd/status').replace(/^(Vm|Rss|Huge).*\n/gm, '');
}

describe('cgroups', () => {
  it.each([
    ['v2, all of the sandbox in one', true, '0::/kubepods/pod1/kata_pod-1\n'],
    ['v2, all but vCPUs in the overhead cgroup', false, '0::/kata_overhead/pod-1\n'],
    ['v1, all of the sandbox in one', true, '4:memory:/kubepods/pod1/kata_pod-1\n3:cpu,cpuacct:/kubepods/pod1/kata_pod-1\n'],
    ['v1, all but vCPUs in the overhead cgroup', false, '4:memory:/kata_overhead/pod-1\n3:cpu,cpuacct:/kata_overhead/pod-1\n'],
  ])('make no difference: %s', async (_, sandboxOnly, text) => {
    for (const pid of [SHIM, VMM, VIRTIOFSD, SERVANT]) proc.write(`${pid}/cgroup`, text);
    house.told.records = [sandboxRecord({}, { cgroup: { sandboxOnly } })];
    expect(await turn()).toBe(Outcome.ok);
    expect(cells()).toEqual([40 * MIB + VMM_OWN, 30 * MIB, VMM_OWN, 10 * MIB, GUEST_RAM_BYTES]);
  });
});
