import { linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BOOT_SECONDS, statLine } from '../../../test/fake-proc.js';
import { House, ownCollectors } from '../../../test/house.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import {
  dragonballRecord,
  SandboxProc,
  SandboxTrial,
  SandboxView,
  SHIM,
  START_TICKS,
  sandboxRecord,
  VIRTIOFSD,
  VMM,
} from '../../../test/sandbox-proc.js';
import { Outcome } from '../../model/outcome.js';

const IO = [...kernelSample('qemu-7.2-kvm/io').matchAll(/: (\d+)/g)].map(([, value]) => Number(value));
const STATUS = kernelSample('qemu-7.2-kvm/status');
const IO_WORDS = 'rchar_bytes wchar_bytes read_syscalls write_syscalls read_bytes write_bytes cancelled_write_bytes'.split(' ');
const kib = (word: string): number => Number(new RegExp(`^${word}:\\s+(\\d+) kB$`, 'm').exec(STATUS)?.[1]) * 1024;

let trial: SandboxTrial;
let proc: SandboxProc;
let house: House;
let view: SandboxView;
beforeEach(() => {
  trial = new SandboxTrial(ownCollectors);
  ({ proc, house, view } = trial);
  house.settings.slowIntervalMs = 0;
});
afterEach(() => trial.close());

async function turn(): Promise<void> {
  proc.clock.ms += 60_000;
  await house.turn();
}

const PROCESSES = [
  ['shim', 'shim', 'shim', SHIM],
  ['VMM', 'shim.hypervisor', 'kata_vmm', VMM],
  ['virtiofsd', 'shim.virtiofsd', 'virtiofsd', VIRTIOFSD],
] as const;

describe.each(PROCESSES)('of the %s', (_, place, collector, pid) => {
  const cell = (word: string): number => view.cell(`${place}.${word}`);

  it('stat gives threads and four kinds of CPU time in clock ticks', async () => {
    const fields = statLine({ pid, userTicks: 31, systemTicks: 41, startTicks: START_TICKS }).split(' ');
    fields.splice(15, 2, '59', '26');
    proc.write(`${pid}/stat`, fields.join(' '));
    await turn();
    expect(['threads', 'cpu.user_seconds', 'cpu.system_seconds', 'cpu.child_user_seconds', 'cpu.child_system_seconds'].map(cell)).toEqual([
      7, 31, 41, 59, 26,
    ]);
  });

  it('io gives its seven numbers, and fd the number of descriptors', async () => {
    proc.write(`${pid}/fd/3`, '');
    proc.write(`${pid}/fd/4`, '');
    await turn();
    expect(IO_WORDS.map((word) => cell(`io.${word}`))).toEqual(IO);
    expect(cell('open_fds')).toBe(2);
  });

  it('status gives memory in bytes, and nothing for a line that the kernel does not print', async () => {
    proc.write(`${pid}/status`, STATUS);
    await turn();
    expect(cell('status.rss_bytes')).toBe(kib('VmRSS'));
    expect(cell('status.virtual_peak_bytes')).toBe(kib('VmPeak'));
    expect([cell('status.voluntary_switches'), cell('status.involuntary_switches')]).toEqual([68, 51]);
    expect(cell('status.pmd_bytes')).toBeNaN();
    expect(view.outcome(`${collector}_status`)).toBe(Outcome.ok);
  });

  it('is read anew in every sweep', async () => {
    await turn();
    proc.process(pid, { user: 12 });
    await house.collection.sweep();
    expect(cell('cpu.user_seconds')).toBe(12);
  });

  it.each(['io', 'status'])('%s that is garbage costs its own collector alone', async (file) => {
    await turn();
    proc.write(`${pid}/${file}`, 'garbage\n');
    await turn();
    for (const suffix of ['', '_io', '_status'])
      expect(view.outcome(collector + suffix)).toBe(suffix === `_${file}` ? Outcome.malformed : Outcome.ok);
  });
});

// The VMM's end is the end of the sandbox: the sweep sees to it.
describe.each(PROCESSES.filter(([, , , pid]) => pid !== VMM))('the end of the %s', (_, place, collector, pid) => {
  const own = (json: string): boolean =>
    json.startsWith(`${place}.`) && (place !== 'shim' || !/^shim\.(hypervisor|virtiofsd|overhead|interfaces)/.test(json));
  const cells = (): number[] =>
    Object.entries(view.cells())
      .filter(([json]) => own(json))
      .map(([, value]) => value);

  it('leaves no cell, and says that it is gone for as long as the sandbox lives', async () => {
    await turn();
    expect(cells().every(Number.isNaN)).toBe(false);
    house.told.records = [sandboxRecord({ companions: sandboxRecord().companions?.filter((one) => one.pid !== pid) ?? [] })];
    for (let i = 0; i < 3; i++) {
      await turn();
      for (const suffix of ['', '_io', '_status']) expect(view.outcome(collector + suffix)).toBe(Outcome.gone);
      expect(cells().every(Number.isNaN)).toBe(true);
    }
  });

  it.each([
    ['is a zombie', { state: 'Z' }],
    ['has given back its memory', { vsize: 0 }],
  ])('is seen when it %s', async (_, change) => {
    await turn();
    proc.write(`${pid}/stat`, statLine({ pid, ...change }));
    await turn();
    expect(view.outcome(collector)).toBe(Outcome.gone);
  });

  it('is not taken for a stat that is garbage', async () => {
    await turn();
    proc.write(`${pid}/stat`, 'garbage\n');
    await turn();
    expect([view.outcome(collector), view.outcome(`${collector}_io`)]).toEqual([Outcome.malformed, Outcome.ok]);
  });
});

describe('the shim', () => {
  it('has what client libraries call process_*', async () => {
    proc.process(SHIM, { user: 31, system: 41 });
    await turn();
    expect(view.cell('shim.cpu.total_seconds')).toBe(72);
    expect(view.cell('shim.start_time_seconds')).toBe(BOOT_SECONDS * 100 + START_TICKS);
    expect(view.cell('shim.memory.virtual_bytes')).toBe(604131328);
    expect(view.cell('shim.memory.rss_bytes')).toBe(13922 * house.host.pageBytes);
    expect([view.cell('shim.max_fds'), view.cell('shim.memory.virtual_max_bytes')]).toEqual([20000, 2 ** 64]);
  });

  it('has a limit of its address space where there is one, and none where the kernel does not say', async () => {
    const limits = kernelSample('qemu-7.2-kvm/limits');
    proc.write(`${SHIM}/limits`, limits.replace(/^(Max address space +)unlimited/m, '$18589934592'));
    await turn();
    expect(view.cell('shim.memory.virtual_max_bytes')).toBe(2 ** 33);
    proc.write(`${SHIM}/limits`, limits.replace(/^Max address space.*\n/m, ''));
    await turn();
    expect([view.cell('shim.memory.virtual_max_bytes'), view.cell('shim.max_fds')]).toEqual([Number.NaN, 20000]);
    proc.write(`${SHIM}/limits`, 'garbage\n');
    await turn();
    expect([view.outcome('shim_status'), view.cell('shim.max_fds')]).toEqual([Outcome.malformed, Number.NaN]);
  });

  it('that contains its VMM is read once, and its VMM is no process of its own', async () => {
    rmSync(join(proc.root, `${VMM}/net/dev`));
    linkSync(join(proc.root, '1/net/dev'), join(proc.root, `${VMM}/net/dev`));
    proc.process(VMM, { user: 5 });
    house.told.records = [dragonballRecord()];
    await turn();
    expect([view.outcome('shim'), view.cell('shim.cpu.user_seconds')]).toEqual([Outcome.ok, 5]);
    for (const name of ['kata_vmm', 'kata_vmm_io', 'kata_vmm_status', 'virtiofsd', 'virtiofsd_io', 'virtiofsd_status'])
      expect(view.outcome(name), name).toBeNaN();
    const cells = Object.entries(view.cells()).filter(([json]) => /^shim\.(hypervisor|virtiofsd)\./.test(json));
    expect(cells.length).toBeGreaterThan(50);
    expect(cells.every(([, value]) => Number.isNaN(value))).toBe(true);
  });
});

describe('virtiofsd', () => {
  it('concerns nobody where there never was one', async () => {
    house.told.records = [sandboxRecord({ companions: [{ role: 'shim', pid: SHIM, startTicks: START_TICKS }] })];
    await turn();
    expect(view.outcome('virtiofsd')).toBeNaN();
  });
});

it('costs no VM that is no sandbox anything', async () => {
  house.told.records = [{ id: 'vm-1', process: { pid: VMM } }];
  await turn();
  expect([house.tables.sandboxes.size, house.tables.sandboxInterfaces.size]).toEqual([0, 0]);
  for (const { collector, outcome } of house.sampler.states)
    if (collector.concerns) expect(outcome.front[house.collection.order.rows[0]], collector.about.name).toBeNaN();
});
