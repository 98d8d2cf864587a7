import { beforeEach, describe, expect, it, vi } from 'vitest';
import { statLine } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { FakeSubject } from '../../../test/subject.js';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { parseSchedstat } from '../procfs/schedstat.js';
import type { VmmAnswer } from './answer.js';
import { VmmAsker } from './asker.js';
import { VcpusCollector } from './vcpus.collector.js';

const MAIN = 4242;
const NO = Outcome.unsupported;
const SILENT: VmmAnswer = {
  ...{ state: NO, vcpus: NO, memory: NO, guest: NO, balloon: NO, disks: NO },
  ...{ vnics: NO, exits: NO, kvm: NO, migration: NO, events: NO },
};
const NOWHERE = { proc: '/nowhere', sys: '/nowhere', run: '/nowhere' };

let process: FakeProcess;
let subject: FakeSubject;
let tables: Tables;
let collector: VcpusCollector;
beforeEach(() => {
  process = new FakeProcess(new Map([['stat', kernelSample('qemu-7.2-kvm/stat')]]));
  thread(MAIN, 'qemu-system-x86', 5_000_000);
  subject = new FakeSubject(process);
  attach();
});

function attach(): void {
  tables = new Tables();
  collector = new VcpusCollector(tables, new Host(NOWHERE));
  tables.begin();
  subject.row = tables.instances.add(subject);
  collector.attach(subject);
  tables.publish();
}

/** @param run microseconds */
function thread(id: number, comm: string, run: number, startTicks = 500): void {
  process.files.set(`task/${id}/stat`, statLine({ pid: id, comm, startTicks, userTicks: Math.floor(run / 10_000), systemTicks: 0 }));
  process.files.set(`task/${id}/schedstat`, `${run}999 ${Math.floor(run / 2)}000 ${Math.floor(run / 1000)}\n`);
}
function remove(id: number): void {
  for (const file of ['stat', 'schedstat']) process.files.delete(`task/${id}/${file}`);
}
/** One turn as the runner gives it. */
function turn(): Outcome {
  tables.begin();
  const outcome = collector.collect(subject);
  if (outcome !== Outcome.ok) collector.clear(subject);
  tables.publish();
  return outcome;
}
const cells = (json: string): Record<string, number> => {
  const column = tables.vcpus.columns.find(({ metric }) => metric.json === json) ?? expect.fail(`no column ${json}`);
  return Object.fromEntries(tables.vcpus.order.keys.map(({ name }, at) => [name, column.front[tables.vcpus.order.rows[at]]]));
};

describe('vcpus', () => {
  it('gives each vCPU the time of its thread, in the order of their numbers', () => {
    for (const [id, vcpu] of [
      [30, 10],
      [31, 2],
      [32, 0],
    ])
      thread(id, `CPU ${vcpu}/KVM`, id * 1000);
    expect(turn()).toBe(Outcome.ok);
    expect(Object.entries(cells('seconds'))).toEqual([
      ['0', 32_000],
      ['2', 31_000],
      ['10', 30_000],
    ]);
    expect(cells('wait_seconds')).toEqual({ 0: 16_000, 2: 15_500, 10: 15_000 });
    expect(cells('timeslices')).toEqual({ 0: 32, 2: 31, 10: 30 });
    expect(tables.vcpus.order.keys.map(({ parent }) => parent)).toEqual([subject, subject, subject]);
  });

  it('takes a name apart from the numbers behind it, whatever other threads are called', () => {
    thread(30, 'fc_vcpu 0', 7000);
    thread(31, ') R 1 (', 9000);
    thread(32, 'CPU 1/KVM) S 9 ', 9000);
    expect([turn(), cells('seconds')]).toEqual([Outcome.ok, { 0: 7000 }]);
  });

  it('is unsupported where nobody tells vCPUs, and has no rows', () => {
    thread(30, 'qemu-system-x86', 1000);
    expect(turn()).toBe(Outcome.unsupported);
    thread(30, 'CPU 0/KVM', 1000);
    expect(turn()).toBe(Outcome.ok);
    thread(30, 'qemu-system-x86', 1000);
    expect([turn(), cells('seconds')]).toEqual([Outcome.unsupported, {}]);
  });

  it('looks for vCPUs at each turn until it found none twice, then only when a thread came or some turns went by', () => {
    const look = (times: number): Outcome[] => Array.from({ length: times }, turn);
    thread(30, 'qemu-system-x86', 1000);
    expect(look(2)).toEqual([Outcome.unsupported, Outcome.unsupported]);
    thread(30, 'CPU 0/KVM', 1000);
    expect(look(5)).toEqual([...Array<Outcome>(4).fill(Outcome.unsupported), Outcome.ok]);
    thread(30, 'qemu-system-x86', 1000);
    look(2);
    thread(31, 'CPU 1/KVM', 2000);
    expect([turn(), cells('seconds')]).toEqual([Outcome.ok, { 1: 2000 }]);
  });

  it('has no row of a vCPU that is unplugged, and goes on with it when it is plugged in again', () => {
    thread(30, 'CPU 0/KVM', 4000);
    thread(31, 'CPU 1/KVM', 6000);
    turn();
    remove(31);
    turn();
    expect(cells('seconds')).toEqual({ 0: 4000 });
    thread(31, 'CPU 1/KVM', 1000, 900);
    turn();
    expect(cells('seconds')).toEqual({ 0: 4000, 1: 7000 });
  });

  it('goes on with a vCPU that was unplugged and plugged in again between two turns', () => {
    thread(31, 'CPU 1/KVM', 6000);
    turn();
    remove(31);
    thread(40, 'CPU 1/KVM', 1000, 900);
    turn();
    expect([cells('seconds'), cells('timeslices')]).toEqual([{ 1: 7000 }, { 1: 7 }]);
  });

  it('takes a thread with the id of the last one for another', () => {
    thread(31, 'CPU 1/KVM', 6000);
    turn();
    thread(31, 'CPU 1/KVM', 9000, 900);
    turn();
    expect(cells('seconds')).toEqual({ 1: 15_000 });
  });

  it('keeps what it counted over a turn that failed', () => {
    thread(31, 'CPU 1/KVM', 6000);
    turn();
    process.files.set('task/31/schedstat', errno('EIO'));
    expect([turn(), cells('seconds')]).toEqual([Outcome.ioError, {}]);
    thread(31, 'CPU 1/KVM', 6500);
    expect([turn(), cells('seconds')]).toEqual([Outcome.ok, { 1: 6500 }]);
  });

  it('begins anew with another process', () => {
    thread(31, 'CPU 1/KVM', 6000);
    turn();
    collector.detach(subject);
    subject.process = process = new FakeProcess(new Map([['stat', kernelSample('qemu-7.2-kvm/stat')]]));
    thread(31, 'CPU 1/KVM', 10, 900);
    expect(turn()).toBe(Outcome.gone);
    collector.attach(subject);
    expect([turn(), cells('seconds')]).toEqual([Outcome.ok, { 1: 10 }]);
  });

  it('has CPU time alone on a kernel without schedules', () => {
    process.files.set('task/31/stat', statLine({ pid: 31, comm: 'CPU 1/KVM', userTicks: 7, systemTicks: 3, guestTicks: 0 }));
    expect(turn()).toBe(Outcome.ok);
    expect([cells('seconds'), cells('wait_seconds'), cells('timeslices')]).toEqual([{ 1: 100_000 }, { 1: Number.NaN }, { 1: Number.NaN }]);
  });

  it('is gone with the process, and when only its corpse is left', () => {
    thread(31, 'CPU 1/KVM', 6000);
    turn();
    process.stateCode = 'Z'.charCodeAt(0);
    expect(turn()).toBe(Outcome.gone);
    subject.process = null;
    expect(turn()).toBe(Outcome.gone);
    expect(tables.vcpus.size).toBe(0);
  });

  it('goes on while the VM is stopped by a signal', () => {
    thread(31, 'CPU 1/KVM', 6000);
    process.stateCode = 'T'.charCodeAt(0);
    expect([turn(), cells('seconds')]).toEqual([Outcome.ok, { 1: 6000 }]);
  });

  it('is gone where all vCPUs ended between two looks', () => {
    thread(31, 'CPU 1/KVM', 6000);
    turn();
    process.files.set('task/31/schedstat', errno('ESRCH'));
    expect([turn(), cells('seconds')]).toEqual([Outcome.gone, {}]);
  });
});

describe('a process that lies about its threads', () => {
  const total = (): number => Object.values(cells('seconds')).reduce((sum, value) => sum + value, 0);

  it('of 600 vCPUs has as many as a VM may have', () => {
    for (let vcpu = 0; vcpu < 600; vcpu++) thread(1000 + vcpu, `CPU ${vcpu}/KVM`, 1000);
    expect(turn()).toBe(Outcome.ok);
    expect(tables.vcpus.order.keys.map(({ name }) => name)).toEqual(Array.from({ length: 512 }, (_, vcpu) => String(vcpu)));
    expect(tables.instances.columns.map(({ metric, front }) => [metric.json, front[subject.row]])).toEqual([['cpu.dropped_vcpus', 88]]);
  });

  it('of 600 threads of one vCPU has that one', () => {
    for (let n = 0; n < 600; n++) thread(1000 + n, 'CPU 7/KVM', 1000 + n);
    expect([turn(), cells('seconds')]).toEqual([Outcome.ok, { 7: 1000 }]);
  });

  it('of more threads than any VMM has is refused', () => {
    for (let n = 0; n < 2100; n++) thread(10_000 + n, 'CPU 7/KVM', 1000);
    expect([turn(), tables.vcpus.size]).toEqual([Outcome.tooLarge, 0]);
  });

  it('by exchanging their names makes no counter go back and no time of nothing', () => {
    for (let n = 0; n < 6; n++) {
      const before = cells('seconds');
      for (let id = 0; id < 4; id++) thread(30 + id, `CPU ${(id + n) % 4}/KVM`, 1000 * (n + 1) * (id + 1));
      turn();
      for (const [vcpu, value] of Object.entries(before)) expect(cells('seconds')[vcpu]).toBeGreaterThanOrEqual(value);
      expect(total()).toBe([1, 2, 3, 4].reduce((sum, share) => sum + 1000 * (n + 1) * share, 0));
    }
  });
});

describe('the VMM’s word', () => {
  it('is taken where threads have no names', () => {
    thread(31, 'qemu-system-x86', 6000);
    process.files.set('status', kernelSample('qemu-7.2-kvm/status'));
    const asker = new VmmAsker(new Host(NOWHERE), new Settings(), []);
    const answer = vi.spyOn(asker, 'answer').mockReturnValue({ ...SILENT, vcpus: [{ index: 3, threadId: 31 }] });
    tables = new Tables();
    collector = new VcpusCollector(tables, new Host(NOWHERE), asker);
    tables.begin();
    subject.row = tables.instances.add(subject);
    collector.attach(subject);
    tables.publish();
    expect([turn(), cells('seconds')]).toEqual([Outcome.ok, { 3: 6000 }]);
    expect(answer).toHaveBeenCalledWith(subject);
  });
});

it('reads the recorded line of a real thread', () => {
  process.files.set('task/31/stat', statLine({ pid: 31, comm: 'CPU 0/KVM' }));
  const line = kernelSample('qemu-7.2-kvm/schedstat');
  process.files.set('task/31/schedstat', line);
  turn();
  expect(cells('seconds')).toEqual({ 0: parseSchedstat(line)?.runMicroseconds });
});
