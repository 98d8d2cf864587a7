import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { FakeSubject } from '../../../test/subject.js';
import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import { isTold, type KvmStatistics } from './answer.js';
import { kvmDebugfsAccess } from './kvm-access.js';
import { KvmDebugfs } from './kvm-debugfs.js';

const KVM = 'sys/kernel/debug/kvm';
const PID = 4242;
const VM = `${KVM}/${PID}-11`;
const names = kernelSample('linux-6.18-kvm-debugfs/statistics')
  .trimEnd()
  .split('\n')
  .map((line) => line.split(' ')[1]);

let proc: FakeProc;
let host: Host;
let process: ProcfsProcess;
let subject: FakeSubject;
let debugfs: KvmDebugfs;

beforeEach(() => {
  proc = new FakeProc();
  proc.link('1/ns/pid', 'pid:[4026531836]');
  proc.addProcess(PID);
  thread(4250);
  thread(4251);
  proc.link(`${PID}/fd/11`, 'anon_inode:kvm-vm');
  for (const name of names) proc.write(`${KVM}/${name}`, '999\n');
  vm(VM, [4250, 4251]);
  host = proc.host();
  process = holdProcess(host, PID);
  subject = new FakeSubject(process);
  debugfs = KvmDebugfs.of(host);
});
afterEach(() => {
  process.close();
  proc.close();
});

const thread = (id: number): void => proc.write(`${PID}/task/${id}/schedstat`, '1 2 3\n');
/** A VM's directory: each statistic is its place among the names. */
function vm(path: string, vcpus: readonly (number | null)[]): void {
  names.forEach((name, place) => void proc.write(`${path}/${name}`, name.endsWith('_hist') ? '0 1 2\n' : `${place}\n`));
  proc.write(`${path}/mmu_rmaps_stat`, 'Rmap_Count:\t0\t1\n');
  vcpus.forEach((id, number) => {
    mkdirSync(join(proc.root, path, `vcpu${number}`), { recursive: true });
    if (id !== null) proc.write(`${path}/vcpu${number}/pid`, `${id}\n`);
  });
}
const remove = (path: string): void => rmSync(join(proc.root, path), { recursive: true });
const read = async () => {
  await debugfs.refresh(subject);
  return debugfs.known(subject);
};
async function statistics(): Promise<KvmStatistics> {
  const found = await read();
  return isTold(found) ? found : expect.fail(`outcome ${found}`);
}
/** The door with these paths broken. */
const refuse = (path: RegExp, code: string): void => {
  const readInto = host.readInto.bind(host);
  vi.spyOn(host, 'readInto').mockImplementation((file, buffer) => {
    if (path.test(file)) throw errno(code);
    return readInto(file, buffer);
  });
};

describe('what KVM counts of a VM', () => {
  it('is read from the directory that its process made, sorted into what it is', async () => {
    const { counters, durations, gauges } = await statistics();
    expect(counters.get('exits')).toBe(names.indexOf('exits'));
    expect(durations.get('halt_wait_ns')).toBe(names.indexOf('halt_wait_ns'));
    expect(gauges.get('pages_4k')).toBe(names.indexOf('pages_4k'));
    expect(counters.size + durations.size + gauges.size).toBe(names.length - 3);
  });

  it('is not known before it was read, and is read off the sweep once somebody wants to know', async () => {
    expect(debugfs.known(subject)).toBe(Outcome.busy);
    await vi.waitFor(() => expect(isTold(debugfs.known(subject))).toBe(true));
  });

  it('is read again when it is old, and kept until then', async () => {
    await statistics();
    proc.write(`${VM}/exits`, '5000\n');
    const exits = (): unknown => {
      const known = debugfs.known(subject);
      return isTold(known) ? known.counters.get('exits') : known;
    };
    expect(exits()).toBe(names.indexOf('exits'));
    proc.clock.ms += 31_000;
    expect(exits()).toBe(names.indexOf('exits'));
    await vi.waitFor(() => expect(exits()).toBe(5000));
  });

  it('costs no look into files that are no statistics: some of them stop the VM', async () => {
    const readInto = vi.spyOn(host, 'readInto');
    await statistics();
    const files = readInto.mock.calls.map(([path]) => path);
    expect(files.length).toBeGreaterThan(names.length / 2);
    expect(files.filter((path) => /rmaps|_hist$/.test(path))).toEqual([]);
    expect(files.every((path) => path.startsWith(join(proc.root, VM)))).toBe(true);
  });

  it('has no number that this VM does not have, and none of 2^63 and above', async () => {
    remove(`${VM}/exits`);
    proc.write(`${VM}/io_exits`, '18446744073709551615\n');
    const { counters } = await statistics();
    expect([counters.has('exits'), counters.has('io_exits'), counters.has('mmio_exits')]).toEqual([false, false, true]);
  });

  it.each([
    ['EPERM', Outcome.lockdown],
    ['EACCES', Outcome.notPermitted],
    ['EIO', Outcome.ioError],
  ])('is nothing where a counter gives %s', async (code, outcome) => {
    refuse(/4242-11\/exits$/, code);
    expect(await read()).toBe(outcome);
  });

  it.each(['', '12', 'x\n', '1 2 3\n'])('is nothing where a counter reads %j', async (text) => {
    proc.write(`${VM}/exits`, text);
    expect(await read()).toBe(Outcome.malformed);
  });

  it('is gone with the process', async () => {
    await statistics();
    subject.process = null;
    expect(await read()).toBe(Outcome.gone);
  });

  it('is gone where the process ended while it was read', async () => {
    vi.spyOn(process, 'readStat').mockReturnValue(Outcome.gone);
    expect(await read()).toBe(Outcome.gone);
  });

  it('is not the last process’s for the next one in the same instance', async () => {
    await statistics();
    proc.addProcess(5000);
    subject.process = holdProcess(host, 5000);
    expect(debugfs.known(subject)).toBe(Outcome.busy);
    expect(await read()).toBe(Outcome.unsupported);
  });

  it('is one reading, however many want it at once', async () => {
    const readInto = vi.spyOn(host, 'readInto');
    await Promise.all([debugfs.refresh(subject), debugfs.refresh(subject), debugfs.refresh(subject)]);
    expect(readInto.mock.calls.filter(([path]) => path.endsWith('/exits'))).toHaveLength(1);
  });

  it('is read by one object per host', () => {
    expect(KvmDebugfs.of(host)).toBe(debugfs);
    expect(KvmDebugfs.of(proc.host())).not.toBe(debugfs);
  });
});

describe('the directory of a VM', () => {
  const vcpus = () => debugfs.vcpuThreads(process);

  it('names the thread of each vCPU', () => {
    expect(vcpus()).toEqual([
      { index: 0, threadId: 4250 },
      { index: 1, threadId: 4251 },
    ]);
  });

  it('may bear the number of any thread of the process', () => {
    remove(VM);
    vm(`${KVM}/4251-7`, [4250]);
    expect(vcpus()).toEqual([{ index: 0, threadId: 4250 }]);
  });

  it('numbers vCPUs by APIC id, of which the order is taken', () => {
    remove(VM);
    vm(VM, []);
    for (const [number, id] of [
      [10, 4251],
      [2, 4250],
    ])
      proc.write(`${VM}/vcpu${number}/pid`, `${id}\n`);
    expect(vcpus()).toEqual([
      { index: 0, threadId: 4250 },
      { index: 1, threadId: 4251 },
    ]);
  });

  it('leaves out a vCPU that has not run, and one whose last thread is not there any more', () => {
    vm(VM, [0, 4251, 77]);
    expect(vcpus()).toEqual([{ index: 1, threadId: 4251 }]);
  });

  it.each(['', '42', 'x\n', '4250\n1\n'])('tells no thread where its pid reads %j', (text) => {
    proc.write(`${VM}/vcpu0/pid`, text);
    expect(vcpus()).toEqual([{ index: 1, threadId: 4251 }]);
  });

  it('is another’s where none of the vCPUs’ threads is the process’s: its number has a new owner', async () => {
    vm(VM, [77, 78]);
    expect(vcpus()).toBe(Outcome.unsupported);
    expect(await read()).toBe(Outcome.unsupported);
  });

  it('is the process’s although no vCPU ran, where its descriptor is a VM; nobody tells vCPUs then', async () => {
    remove(VM);
    vm(VM, [0, null]);
    expect(vcpus()).toBe(Outcome.unsupported);
    expect((await statistics()).counters.has('exits')).toBe(true);
  });

  it('is nobody’s where no vCPU ran and the descriptor is something else', async () => {
    vm(VM, [0, 0]);
    rmSync(join(proc.root, `${PID}/fd/11`));
    proc.link(`${PID}/fd/11`, '/dev/null');
    expect(await read()).toBe(Outcome.unsupported);
  });

  it('is none where a process has two', async () => {
    vm(`${KVM}/${PID}-30`, [4250]);
    expect(await read()).toBe(Outcome.unsupported);
    remove(`${KVM}/${PID}-30`);
    proc.clock.ms += 2000;
    expect(isTold(await read())).toBe(true);
  });

  it('is found again when the VM is another, and is gone with it', () => {
    vcpus();
    remove(VM);
    expect(vcpus()).toBe(Outcome.unsupported);
    vm(`${KVM}/${PID}-12`, [4251]);
    proc.clock.ms += 2000;
    expect(vcpus()).toEqual([{ index: 0, threadId: 4251 }]);
  });

  it('is looked for at most once a second', () => {
    remove(VM);
    const list = vi.spyOn(host, 'list');
    for (let i = 0; i < 10; i++) vcpus();
    expect(list.mock.calls.filter(([path]) => path.endsWith('/kvm'))).toHaveLength(1);
  });

  it('is nobody’s where pids are not those of the initial namespace', () => {
    for (const [link, expected] of [
      ['1/ns/pid', Outcome.unsupported],
      ['self/ns/pid', 'told'],
    ] as const) {
      rmSync(join(proc.root, '1'), { recursive: true, force: true });
      proc.link(link, link.startsWith('1') ? 'pid:[4026532000]' : 'pid:[4026531836]');
      const found = KvmDebugfs.of(proc.host()).vcpuThreads(process);
      expect(isTold(found) ? 'told' : found).toBe(expected);
    }
  });

  it('gives the reason where its files are refused', () => {
    refuse(/vcpu0\/pid$/, 'EACCES');
    expect(vcpus()).toBe(Outcome.notPermitted);
  });
});

describe('the way to what KVM counts', () => {
  const access = () => kvmDebugfsAccess(host);

  it('is open where a counter can be opened', () => {
    expect(access()).toBe(Outcome.ok);
  });

  it('is not configured where debugfs is not mounted', () => {
    remove('sys/kernel/debug');
    mkdirSync(join(proc.root, 'sys/kernel/debug'));
    expect([access(), debugfs.known(subject)]).toEqual([Outcome.notConfigured, Outcome.notConfigured]);
  });

  it('is unsupported without debugfs, without KVM and where KVM counts nothing', () => {
    for (const name of names) remove(`${KVM}/${name}`);
    expect(access()).toBe(Outcome.unsupported);
    remove(KVM);
    proc.write('sys/kernel/debug/clear_warn_once', '');
    expect(access()).toBe(Outcome.unsupported);
    remove('sys/kernel/debug');
    expect(access()).toBe(Outcome.unsupported);
  });

  it.each([
    ['EPERM', Outcome.lockdown],
    ['EACCES', Outcome.notPermitted],
  ])('is shut where opening a counter gives %s', (code, outcome) => {
    vi.spyOn(host, 'holdFile').mockImplementation(() => {
      throw errno(code);
    });
    expect([access(), debugfs.known(subject)]).toEqual([outcome, outcome]);
  });

  it.each(['EPERM', 'EACCES'])('is not permitted where debugfs itself gives %s', (code) => {
    vi.spyOn(host, 'list').mockImplementation(() => {
      throw errno(code);
    });
    expect(access()).toBe(Outcome.notPermitted);
  });

  it('is looked at again, though not each time', () => {
    const list = vi.spyOn(host, 'list');
    for (let i = 0; i < 5; i++) debugfs.known(subject);
    const once = list.mock.calls.length;
    proc.clock.ms += 60_000;
    debugfs.known(subject);
    expect(once).toBe(2);
    expect(list.mock.calls.length).toBeGreaterThan(once);
  });

  it('tells counters that only the mode shows to be none', async () => {
    proc.write(`${KVM}/news_of_2030`, '1\n');
    proc.write(`${VM}/news_of_2030`, '5\n');
    chmodSync(join(proc.root, KVM, 'news_of_2030'), 0o444);
    expect((await statistics()).gauges.get('news_of_2030')).toBe(5);
  });
});
