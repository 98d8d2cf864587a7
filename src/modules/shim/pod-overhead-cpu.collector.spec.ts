import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { statLine } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import {
  dragonballRecord,
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
import { PodOverheadCpuCollector } from './pod-overhead-cpu.collector.js';

const NAME = 'pod_overhead_cpu';
const PARTS = ['shim', 'vmm', 'virtiofsd', 'vcpu'] as const;
const NONE = Number.NaN;

let trial: SandboxTrial;
let proc: SandboxProc;
let house: House;
let view: SandboxView;
function begin(discover = false): void {
  trial = new SandboxTrial((tables, host) => [new PodOverheadCpuCollector(tables, host)], discover);
  ({ proc, house, view } = trial);
  house.settings.waitIntervalMs = 0;
}
beforeEach(() => begin());
afterEach(() => trial.close());

/** A turn so many seconds after the last one. @returns its outcome */
async function turn(seconds = 10): Promise<number> {
  proc.clock.ms += seconds * 1000;
  await house.turn();
  return view.outcome(NAME);
}
/** Percent of one CPU. */
const percent = (place: string): number => view.cell(`shim.overhead.${place}`) / 10 ** 4;
const shares = (): number[] => PARTS.map((part) => percent(`${part}_cpu_percent`));
/** Clock ticks. */
const sums = (): number[] => PARTS.map((part) => view.cell(`shim.overhead.${part}_cpu_seconds`));

describe('pod_overhead_cpu', () => {
  it('has nothing in its first turn, and says so', async () => {
    proc.process(SHIM, { user: 500 });
    expect(await turn()).toBe(Outcome.busy);
    expect(Object.values(view.cells()).every(Number.isNaN)).toBe(true);
  });

  it('is the CPU of shim, virtiofsd, its child and the VMM without vCPUs, in percent of one CPU over the window', async () => {
    await turn();
    proc.process(SHIM, { user: 30, system: 20 });
    proc.process(VIRTIOFSD, { user: 1 });
    proc.process(SERVANT, { user: 99, system: 100 });
    proc.thread(VMM, VMM, 'qemu-system-x86', { user: 10, system: 5 });
    proc.thread(VMM, 71, 'worker', { user: 0, system: 10 });
    proc.thread(VMM, 72, 'CPU 0/KVM', { user: 800, system: 200, guest: 700 });
    expect(await turn(10)).toBe(Outcome.ok);
    expect(shares()).toEqual([5, 2.5, 20, 100]);
    expect(percent('cpu_percent')).toBe(27.5);
    expect(sums()).toEqual([50, 25, 200, 1000]);
    expect(view.cell('shim.overhead.cpu_window_seconds')).toBe(10_000);
    expect(await turn(20)).toBe(Outcome.ok);
    expect([shares(), sums()]).toEqual([
      [0, 0, 0, 0],
      [50, 25, 200, 1000],
    ]);
  });

  it('has both processes of virtiofsd, whichever is known', async () => {
    proc.write(`${SERVANT}/stat`, statLine({ pid: SERVANT, comm: 'virtiofsd', parent: VIRTIOFSD, userTicks: 30, systemTicks: 0 }));
    proc.write(`${VIRTIOFSD}/comm`, 'virtiofsd\n');
    proc.process(VIRTIOFSD, { user: 4 });
    const companions = [
      { role: 'shim' as const, pid: SHIM, startTicks: START_TICKS },
      { role: 'virtiofsd' as const, pid: SERVANT, startTicks: START_TICKS },
    ];
    house.told.records = [sandboxRecord({ companions })];
    await turn();
    await turn();
    expect(sums()[2]).toBe(34);
  });

  it('can pass 100 on several CPUs', async () => {
    await turn();
    proc.process(SHIM, { user: 2500 });
    await turn(10);
    expect(percent('cpu_percent')).toBe(250);
  });

  it('does not spike when vCPU threads come and go', async () => {
    proc.thread(VMM, 72, 'CPU 0/KVM', { user: 90_000 });
    proc.thread(VMM, 73, 'CPU 1/KVM', { user: 90_000 });
    await turn();
    proc.thread(VMM, 74, 'CPU 2/KVM', { user: 300 });
    proc.thread(VMM, 72, 'CPU 0/KVM', { user: 90_200 });
    rmSync(join(proc.root, `${VMM}/task/73`), { recursive: true });
    proc.process(VMM, { user: 181_500 });
    await turn(10);
    expect([percent('vmm_cpu_percent'), percent('cpu_percent'), percent('vcpu_cpu_percent')]).toEqual([0, 0, 50]);
  });

  it('measures over the time that has really passed, and not over less than a second', async () => {
    await turn();
    proc.process(SHIM, { user: 100 });
    expect(await turn(0.2)).toBe(Outcome.busy);
    expect(await turn(4.8)).toBe(Outcome.ok);
    expect(percent('shim_cpu_percent')).toBe(20);
    proc.process(SHIM, { user: 500 });
    expect(await turn(0.9)).toBe(Outcome.ok);
    expect(percent('shim_cpu_percent')).toBe(20);
  });

  it('begins a new window with another shim, and no sum goes back', async () => {
    proc.process(SHIM, { user: 1000 });
    await turn();
    proc.process(SHIM, { user: 1100 });
    await turn();
    expect(sums()[0]).toBe(1100);
    proc.process(SHIM, { user: 7, startTicks: START_TICKS + 50 });
    const companions = [{ role: 'shim' as const, pid: SHIM, startTicks: START_TICKS + 50 }];
    house.told.records = [sandboxRecord({ companions })];
    expect(await turn()).toBe(Outcome.busy);
    expect(percent('cpu_percent')).toBeNaN();
    proc.process(SHIM, { user: 57, startTicks: START_TICKS + 50 });
    expect(await turn(10)).toBe(Outcome.ok);
    expect([sums()[0], percent('shim_cpu_percent')]).toEqual([1157, 5]);
  });

  it('has no component virtiofsd where there never was one', async () => {
    const companions = [{ role: 'shim' as const, pid: SHIM, startTicks: START_TICKS }];
    house.told.records = [sandboxRecord({ companions })];
    await turn();
    expect(await turn()).toBe(Outcome.ok);
    expect([shares(), sums()]).toEqual([
      [0, 0, NONE, 0],
      [0, 0, NONE, 0],
    ]);
    expect(percent('cpu_percent')).toBe(0);
  });

  it('keeps the sum of a virtiofsd that ended, and has no share of it', async () => {
    proc.process(VIRTIOFSD, { user: 40 });
    await turn();
    await turn();
    house.told.records = [sandboxRecord({ companions: [{ role: 'shim', pid: SHIM, startTicks: START_TICKS }] })];
    expect(await turn()).toBe(Outcome.busy);
    expect(await turn()).toBe(Outcome.ok);
    expect([percent('virtiofsd_cpu_percent'), sums()[2]]).toEqual([NONE, 40]);
  });

  it('gives all threads of a VMM in its shim that are no vCPU to the shim', async () => {
    house.told.records = [dragonballRecord()];
    proc.thread(VMM, 72, 'db_vcpu0', { user: 0 });
    proc.thread(VMM, 73, 'db_vcpu1', { user: 0 });
    await turn();
    proc.process(VMM, { user: 100_000 });
    proc.thread(VMM, VMM, 'containerd-shim', { user: 10 });
    proc.thread(VMM, 71, 'vmm_master', { user: 20 });
    proc.thread(VMM, 72, 'db_vcpu0', { user: 500 });
    expect(await turn(10)).toBe(Outcome.ok);
    expect([shares(), sums()]).toEqual([
      [3, NONE, NONE, 50],
      [30, NONE, NONE, 500],
    ]);
    expect(percent('cpu_percent')).toBe(3);
  });

  it('is unsupported where no vCPU thread can be told', async () => {
    proc.thread(VMM, 72, 'qemu-system-x86', { user: 0 });
    proc.thread(VMM, 73, 'qemu-system-x86', { user: 0 });
    expect([await turn(), await turn()]).toEqual([Outcome.unsupported, Outcome.unsupported]);
    proc.thread(VMM, 72, 'qemu-system-x86', { user: 300, guest: 250 });
    await turn();
    proc.thread(VMM, 72, 'qemu-system-x86', { user: 800, guest: 750 });
    expect(await turn(10)).toBe(Outcome.ok);
    expect([percent('vcpu_cpu_percent'), percent('vmm_cpu_percent')]).toEqual([50, 0]);
  });

  it.each([
    ['without its shim', () => (house.told.records = [sandboxRecord({ companions: [] })]), Outcome.gone],
    ['with a shim that is dead', () => proc.write(`${SHIM}/stat`, statLine({ pid: SHIM, state: 'Z' })), Outcome.gone],
    ['with a virtiofsd whose stat is garbage', () => proc.write(`${VIRTIOFSD}/stat`, 'x\n'), Outcome.malformed],
    ['with a child of virtiofsd whose stat is garbage', () => proc.write(`${SERVANT}/stat`, 'x\n'), Outcome.malformed],
    ['with a thread whose stat is garbage', () => proc.write(`${VMM}/task/71/stat`, 'x\n'), Outcome.malformed],
  ])('has no number of a sandbox %s', async (_, happen, outcome) => {
    await turn();
    await turn();
    happen();
    expect(await turn()).toBe(outcome);
    expect(Object.values(view.cells()).every(Number.isNaN)).toBe(true);
  });

  it('leaves out a child of virtiofsd that ended, and one that is none any more', async () => {
    await turn();
    proc.removeProcess(SERVANT);
    expect(await turn()).toBe(Outcome.ok);
    expect(percent('virtiofsd_cpu_percent')).toBe(0);
  });
});

describe('the CPU of a sandbox’s vhost threads', () => {
  it('is the VMM’s, unless the kernel thread has another VMM', async () => {
    await trial.close();
    begin(true);
    for (const [pid, comm] of [
      [90, `vhost-${VMM}`],
      [91, `vhost-${VMM}`],
    ] as const)
      proc.write(`${pid}/stat`, statLine({ pid, comm, vsize: 0, userTicks: 0, systemTicks: 0 }));
    await turn();
    proc.write('90/stat', statLine({ pid: 90, comm: `vhost-${VMM}`, vsize: 0, userTicks: 0, systemTicks: 100 }));
    proc.write('91/stat', statLine({ pid: 91, comm: 'vhost-5', vsize: 0, userTicks: 0, systemTicks: 900 }));
    expect(await turn(10)).toBe(Outcome.ok);
    expect(percent('vmm_cpu_percent')).toBe(10);
  });
});

describe('cgroups', () => {
  const LAYOUTS = [
    ['v2, all of the sandbox in one', { sandboxOnly: true }, (pid: number) => `0::/kubepods/pod1/${pid === 1 ? 'x' : 'kata_pod-1'}\n`],
    [
      'v2, all but vCPUs in the overhead cgroup',
      { sandboxOnly: false },
      (pid: number) => `0::/${pid === VMM ? 'kubepods/pod1/kata_pod-1' : 'kata_overhead/pod-1'}\n`,
    ],
    [
      'v1, all of the sandbox in one',
      { sandboxOnly: true },
      () => '4:memory:/kubepods/pod1/kata_pod-1\n3:cpu,cpuacct:/kubepods/pod1/kata_pod-1\n',
    ],
    [
      'v1, all but vCPUs in the overhead cgroup',
      { sandboxOnly: false },
      () => '4:memory:/kata_overhead/pod-1\n3:cpu,cpuacct:/kata_overhead/pod-1\n',
    ],
  ] as const;

  it.each(LAYOUTS)('make no difference: %s', async (_, cgroup, file) => {
    for (const pid of [SHIM, VMM, VIRTIOFSD, SERVANT]) proc.write(`${pid}/cgroup`, file(pid));
    house.told.records = [sandboxRecord({}, { cgroup })];
    await turn();
    proc.process(SHIM, { user: 50 });
    proc.thread(VMM, 72, 'CPU 0/KVM', { user: 1000 });
    expect(await turn(10)).toBe(Outcome.ok);
    expect([percent('cpu_percent'), shares()]).toEqual([5, [5, 0, 0, 100]]);
  });
});
