import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { FakeSubject } from '../../../test/subject.js';
import { descriptorsHeld, type HeldFile } from '../../host/held.js';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ThrottlingCollector } from './throttling.collector.js';

const ROOT = 'sys/fs/cgroup';
const NEXT_LOOK_MS = 60_000;

/** cpu.stat of version 2 in seconds of throttling, with as many periods. */
const stat = (seconds: number): string =>
  `usage_usec 5\nnr_periods ${seconds * 2}\nnr_throttled ${seconds}\nthrottled_usec ${seconds * 1e6}\n`;
const local = (seconds: number): string => `throttled_usec ${seconds * 1e6}\n`;

/** On which a cgroup can be removed while its files are held. */
class RemovingHost extends Host {
  private readonly files: { readonly path: string; isRemoved: boolean }[] = [];

  removed(path: string): void {
    for (const file of this.files) if (file.path === path) file.isRemoved = true;
  }

  override holdFile(path: string): HeldFile {
    const held = super.holdFile(path);
    const file = { path, isRemoved: false };
    this.files.push(file);
    const read = held.read.bind(held);
    held.read = (into) => {
      if (file.isRemoved) throw errno('ENODEV');
      return read(into);
    };
    return held;
  }
}

let proc: FakeProc;
let host: RemovingHost;
let tables: Tables;
let collector: ThrottlingCollector;
let process: FakeProcess;
let subject: FakeSubject;
let heldBefore: number;
beforeEach(() => {
  heldBefore = descriptorsHeld();
  proc = new FakeProc();
  tables = new Tables();
  host = new RemovingHost(proc.host().roots, proc.clock);
  collector = new ThrottlingCollector(tables, host);
  process = new FakeProcess();
  subject = new FakeSubject(process);
  subject.row = tables.instances.add(subject);
  write('cgroup.controllers', 'cpu memory\n');
  collector.attach(subject);
});
afterEach(() => {
  collector.detach(subject);
  expect(descriptorsHeld()).toBe(heldBefore);
  proc.close();
});

const write = (path: string, text: string): void => proc.write(`${ROOT}/${path}`, text);
const remove = (path: string): void => rmSync(join(proc.root, ROOT, path), { recursive: true });
const stand = (path: string): unknown => process.files.set('cgroup', `0::${path}\n`);

function sweep(one = subject): Outcome {
  collector.begin();
  return collector.collect(one);
}

/** Seconds of throttling, throttled periods, periods. */
function told({ row } = subject): (number | undefined)[] {
  const cell = (json: string): number | undefined => tables.instances.columns.find(({ metric }) => metric.json === json)?.back[row];
  return [(cell('cpu.throttled_seconds') ?? Number.NaN) / 1e6, cell('cpu.throttled_periods'), cell('cpu.quota_periods')];
}

function expectTold(seconds: number, throttled: number, periods: number): void {
  expect(sweep()).toBe(Outcome.ok);
  expect(told()).toEqual([seconds, throttled, periods]);
}

describe('version 2', () => {
  it('reads a recorded tree', () => {
    stand('/machine.slice/vm-1.scope');
    write('cpu.stat', kernelSample('cgroup-v2-6.1/cpu.stat'));
    write('machine.slice/cpu.stat', kernelSample('cgroup-v2-6.1/slice/cpu.stat'));
    write('machine.slice/vm-1.scope/cpu.stat', kernelSample('cgroup-v2-6.1/scope/cpu.stat'));
    expectTold(5.388392, 68, 87);
  });

  it('adds up all levels where the kernel does not tell the time of the cgroup itself', () => {
    stand('/a/b');
    write('cpu.stat', stat(0));
    write('a/cpu.stat', stat(10));
    write('a/b/cpu.stat', stat(3));
    expectTold(13, 13, 26);
  });

  it('takes the time of the cgroup itself where the kernel tells it, and the periods of all levels', () => {
    stand('/a/b');
    write('cpu.stat', stat(0));
    write('a/cpu.stat', stat(10));
    write('a/cpu.stat.local', local(10));
    write('a/b/cpu.stat', stat(3));
    write('a/b/cpu.stat.local', local(11));
    expectTold(11, 13, 26);
  });

  it('goes up to where the controller is on', () => {
    stand('/a/b');
    write('a/cpu.stat', stat(10));
    write('a/cpu.stat.local', local(9));
    write('a/b/cpu.stat', 'usage_usec 5\n');
    write('a/b/cpu.stat.local', '');
    expectTold(9, 10, 20);
  });

  it('is not configured where no level has the controller, and says no number', () => {
    stand('/a');
    write('a/cpu.stat', 'usage_usec 5\n');
    write('cpu.stat', 'usage_usec 5\n');
    expect(sweep()).toBe(Outcome.notConfigured);
    expect(told()).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it('is 0 by the word of the kernel where nothing ever was throttled', () => {
    stand('/');
    write('cpu.stat', stat(0));
    expectTold(0, 0, 0);
  });

  it('adds up the cgroups of the threads where they may have several', () => {
    stand('/vm/emulator');
    process.files.set('task/4242/cgroup', '0::/vm/emulator\n').set('task/4243/cgroup', '0::/vm/vcpu0\n');
    process.files.set('task/4244/stat', 'ended since');
    write('vm/cpu.stat', stat(5));
    for (const [name, seconds] of [
      ['emulator', 1],
      ['vcpu0', 2],
    ] as const) {
      write(`vm/${name}/cgroup.type`, 'threaded\n');
      write(`vm/${name}/cpu.stat`, stat(seconds));
    }
    expectTold(8, 8, 16);
    collector.devices(subject);
    for (const name of ['emulator', 'vcpu0']) remove(`vm/${name}/cgroup.type`);
    // It stands in one only, so the other thread is not asked; what was counted stays.
    write('vm/emulator/cpu.stat', stat(2));
    write('vm/vcpu0/cpu.stat', stat(200));
    expectTold(9, 9, 18);
  });

  it('beside version 1, where that has not taken the controller', () => {
    remove('cgroup.controllers');
    write('unified/cgroup.controllers', 'cpu\n');
    write('unified/vm/cpu.stat', stat(4));
    process.files.set('cgroup', '2:memory:/other\n1:name=systemd:/\n0::/vm\n');
    expectTold(4, 4, 8);
  });
});

describe('version 1', () => {
  const layouts = [
    ['cpu,cpuacct', 'cpu,cpuacct'],
    ['cpu', 'cpu,cpuacct'],
    ['cpu', 'cpu'],
  ] as const;
  it.each(layouts)('mounted at %s, with %s, is read thread by thread', (directory, controllers) => {
    remove('cgroup.controllers');
    write('unified/cgroup.controllers', '\n');
    const line = (path: string): string => `4:${controllers}:${path}\n0::/\n`;
    process.files.set('cgroup', line('/slice/child'));
    process.files.set('task/4242/cgroup', line('/slice/child')).set('task/4243/cgroup', line('/slice/vcpu0'));
    for (const name of ['cpu.stat', 'cpu.stat.local', 'child/cpu.stat', 'child/cpu.stat.local'])
      write(`${directory}/slice/${name}`, kernelSample(`cgroup-v1-6.18/${name}`));
    write(`${directory}/slice/vcpu0/cpu.stat`, 'nr_periods 1\nnr_throttled 1\nthrottled_time 7000\n');
    write(`${directory}/slice/vcpu0/cpu.stat.local`, 'throttled_time 8000\n');
    expect(sweep()).toBe(Outcome.ok);
    const [, own] = /(\d+)\d{3}\n/.exec(kernelSample('cgroup-v1-6.18/child/cpu.stat.local')) ?? expect.fail('no time');
    expect(told()[0]).toBeCloseTo((Number(own) + 8) / 1e6, 9);
  });
});

describe('what cannot be seen', () => {
  it('a cgroup outside of our own cgroup namespace is not permitted', () => {
    stand('/../../machine.slice/vm.scope');
    write('cpu.stat', stat(3));
    expect(sweep()).toBe(Outcome.notPermitted);
  });

  it('a cgroup that is not below our root is not configured', () => {
    stand('/elsewhere');
    write('cpu.stat', stat(3));
    expect(sweep()).toBe(Outcome.notConfigured);
    remove('cgroup.controllers');
    collector.devices(subject);
    expect(sweep()).toBe(Outcome.notConfigured);
  });

  it('a process in no hierarchy with the controller is unsupported', () => {
    process.files.set('cgroup', '1:name=systemd:/\n');
    expect(sweep()).toBe(Outcome.unsupported);
  });

  it('a cgroup deeper than any is too large, and costs no descriptors', () => {
    const before = descriptorsHeld();
    stand('/a'.repeat(64));
    expect(sweep()).toBe(Outcome.tooLarge);
    expect(descriptorsHeld()).toBe(before);
  });

  it.each(['', 'x\n', 'nr_periods 1\nthrottled_usec', stat(1).replace(/throttled_usec .*/, 'throttled_usec 18446744073709551615')])(
    'a cpu.stat that holds %j is malformed, and costs no later one its numbers',
    (text) => {
      stand('/vm');
      write('vm/cpu.stat', stat(1));
      expectTold(1, 1, 2);
      write('vm/cpu.stat', text);
      expect(sweep()).toBe(Outcome.malformed);
      write('vm/cpu.stat', stat(4));
      expectTold(4, 4, 8);
    },
  );
});

describe('a counter never goes back', () => {
  it('when the VM is moved: the other cgroup adds what it counts from then on', () => {
    stand('/vm');
    write('vm/cpu.stat', stat(5));
    write('new/cpu.stat', stat(100));
    expectTold(5, 5, 10);
    stand('/new');
    write('vm/cpu.stat', stat(6));
    expectTold(6, 6, 12);
    proc.clock.ms += NEXT_LOOK_MS;
    expectTold(6, 6, 12);
    write('new/cpu.stat', stat(101));
    expectTold(7, 7, 14);
  });

  it('when the cgroup is made anew or counts less', () => {
    stand('/vm');
    write('vm/cpu.stat', stat(5));
    expectTold(5, 5, 10);
    write('vm/cpu.stat', stat(2));
    expectTold(5, 5, 10);
    write('vm/cpu.stat', stat(3));
    expectTold(6, 6, 12);
  });

  it('when a removed cgroup answers ENODEV: where the process stands is looked up at once', () => {
    stand('/vm');
    write('vm/cpu.stat', stat(5));
    write('new/cpu.stat', stat(100));
    expectTold(5, 5, 10);
    host.removed(join(proc.root, ROOT, 'vm/cpu.stat'));
    stand('/new');
    expectTold(5, 5, 10);
    write('new/cpu.stat', stat(102));
    expectTold(7, 7, 14);
  });

  it('when the removed cgroup is where the process is said to be still: a new one of that name is another', () => {
    stand('/vm');
    write('vm/cpu.stat', stat(5));
    expectTold(5, 5, 10);
    host.removed(join(proc.root, ROOT, 'vm/cpu.stat'));
    write('vm/cpu.stat', stat(1));
    expectTold(5, 5, 10);
    write('vm/cpu.stat', stat(2));
    expectTold(6, 6, 12);
  });
});

it('reads a cgroup that two VMs lie in once a sweep, and holds it until the last has gone', () => {
  const other = new FakeSubject(new FakeProcess(), 'vm-2');
  other.row = tables.instances.add(other);
  collector.attach(other);
  stand('/pod');
  other.process = process;
  write('pod/cpu.stat', stat(5));
  expectTold(5, 5, 10);
  const held = descriptorsHeld();
  write('pod/cpu.stat', stat(9));
  expect(collector.collect(other)).toBe(Outcome.ok);
  expect(told(other)).toEqual([5, 5, 10]);
  expect(descriptorsHeld()).toBe(held);
  collector.detach(subject);
  expect(descriptorsHeld()).toBe(held);
  expect(sweep(other)).toBe(Outcome.ok);
  expect(told(other)).toEqual([9, 9, 18]);
  collector.detach(other);
});
