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
import { PressureCollector } from './pressure.collector.js';

const ROOT = 'sys/fs/cgroup';
const NEXT_LOOK_MS = 60_000;
const RESOURCES = ['cpu', 'memory', 'io'] as const;

/** On which reading a held file can fail. */
class BreakingHost extends Host {
  private readonly files: { readonly path: string; error: Error | null }[] = [];

  /** Of those that are held now; what is opened at these paths later is another file. */
  spoil(part: string, error: Error | null): void {
    for (const file of this.files) if (file.path.includes(part)) file.error = error;
  }

  override holdFile(path: string): HeldFile {
    const held = super.holdFile(path);
    const file: { path: string; error: Error | null } = { path, error: null };
    this.files.push(file);
    const read = held.read.bind(held);
    held.read = (into) => {
      if (file.error) throw file.error;
      return read(into);
    };
    return held;
  }
}

let proc: FakeProc;
let host: BreakingHost;
let tables: Tables;
let collector: PressureCollector;
let process: FakeProcess;
let subject: FakeSubject;
let heldBefore: number;
beforeEach(() => {
  heldBefore = descriptorsHeld();
  proc = new FakeProc();
  tables = new Tables();
  host = new BreakingHost(proc.host().roots, proc.clock);
  collector = new PressureCollector(tables, host);
  process = new FakeProcess();
  subject = new FakeSubject(process);
  subject.row = tables.instances.add(subject);
  write('cgroup.controllers', 'cpu memory\n');
  proc.write('pressure/cpu', stalls(9_999));
  collector.attach(subject);
});
afterEach(() => {
  collector.detach(subject);
  expect(descriptorsHeld()).toBe(heldBefore);
  proc.close();
});

const write = (path: string, text: string): void => proc.write(`${ROOT}/${path}`, text);
const remove = (path: string): void => rmSync(join(proc.root, ROOT, path), { recursive: true });
const stalls = (seconds: number): string =>
  ['some', 'full'].map((word, i) => `${word} avg10=12.34 avg60=5.00 avg300=0.01 total=${(seconds - i) * 1e6}\n`).join('');

/** A cgroup with such pressure of all, in which there is nobody but these. */
function group(name: string, seconds: number, pids: readonly number[] = [process.pid]): void {
  write(`${name}/cgroup.procs`, pids.map((pid) => `${pid}\n`).join(''));
  for (const resource of RESOURCES) write(`${name}/${resource}.pressure`, stalls(seconds));
}
function stand(name: string): void {
  process.files.set('cgroup', `0::/${name}\n`);
}
function sweep(): Outcome {
  const outcome = collector.collect(subject);
  // As the runner does.
  if (outcome !== Outcome.ok) for (const { back } of tables.instances.columns) back[subject.row] = Number.NaN;
  return outcome;
}
const cell = (json: string): number =>
  tables.instances.columns.find(({ metric }) => metric.json === `pressure.${json}`)?.back[subject.row] ?? expect.fail(json);
const seconds = (resource: (typeof RESOURCES)[number] = 'cpu'): number => cell(`${resource}.some.total_seconds`) / 1e6;
const filled = (): readonly string[] =>
  tables.instances.columns.filter(({ back }) => !Number.isNaN(back[subject.row])).map(({ metric }) => metric.json);

function expectSeconds(expected: number): void {
  expect(sweep()).toBe(Outcome.ok);
  expect(RESOURCES.map(seconds)).toEqual([expected, expected, expected]);
}

describe('pressure of the cgroup that is the VM’s own', () => {
  it('is told in microseconds, and as shares', () => {
    group('vm', 0);
    for (const resource of RESOURCES) write(`vm/${resource}.pressure`, kernelSample(`linux-6.18-pressure/cgroup/${resource}.pressure`));
    stand('vm');
    expect(sweep()).toBe(Outcome.ok);
    expect([cell('cpu.some.total_seconds'), cell('cpu.full.total_seconds'), cell('io.full.total_seconds')]).toEqual([
      7_864_929, 93_040, 706_748,
    ]);
    expect([cell('cpu.some.avg10_ratio'), cell('cpu.full.avg60_ratio'), cell('io.some.avg300_ratio')]).toEqual([4720, 8, 22]);
    expect(cell('memory.full.total_seconds')).toBe(0);
    expect(filled().filter((json) => json.startsWith('pressure.irq'))).toEqual([]);
  });

  it('has interrupts where the kernel counts them', () => {
    group('vm', 1);
    write('vm/irq.pressure', kernelSample('linux-6.18-pressure/cgroup/irq.pressure'));
    stand('vm');
    expectSeconds(1);
    expect([cell('irq.full.avg10_ratio'), cell('irq.full.total_seconds')]).toEqual([12, 48_213]);
  });

  it('has no full of cpu before Linux 5.13', () => {
    group('vm', 3);
    write('vm/cpu.pressure', stalls(3).replace(/full.*\n/, ''));
    stand('vm');
    expectSeconds(3);
    expect(filled()).not.toContain('pressure.cpu.full.total_seconds');
    expect(cell('io.full.total_seconds')).toBe(2e6);
  });

  it('is read anew each time, without another descriptor', () => {
    group('vm', 1);
    stand('vm');
    expectSeconds(1);
    const held = descriptorsHeld();
    expect(held).toBe(heldBefore + RESOURCES.length);
    for (const resource of RESOURCES) write(`vm/${resource}.pressure`, stalls(4));
    proc.clock.ms += NEXT_LOOK_MS;
    expectSeconds(4);
    expect(descriptorsHeld()).toBe(held);
  });

  it('is that of version 2, beside controllers of version 1', () => {
    remove('cgroup.controllers');
    write('unified/cgroup.controllers', '\n');
    group('unified/vm', 5);
    process.files.set('cgroup', '2:cpu:/other\n1:name=systemd:/\n0::/vm\n');
    expectSeconds(5);
  });
});

describe('there is none', () => {
  const nothing = (outcome: Outcome): void => {
    expect(sweep()).toBe(outcome);
    expect(filled()).toEqual([]);
    expect(descriptorsHeld()).toBe(heldBefore);
  };

  it('in the root: the host’s is never shown as a VM’s', () => {
    for (const resource of RESOURCES) write(`${resource}.pressure`, stalls(7));
    write('cgroup.procs', `${process.pid}\n`);
    process.files.set('cgroup', '0::/\n');
    nothing(Outcome.notConfigured);
  });

  it('in a cgroup that others are in too, until they are not', () => {
    proc.addProcess(77);
    group('pod', 7, [process.pid, 77]);
    stand('pod');
    nothing(Outcome.notConfigured);
    write('pod/cgroup.procs', `${process.pid}\n`);
    nothing(Outcome.notConfigured);
    proc.clock.ms += NEXT_LOOK_MS;
    expectSeconds(7);
  });

  it('with version 1 alone', () => {
    process.files.set('cgroup', '2:cpu:/vm\n1:name=systemd:/\n');
    nothing(Outcome.unsupported);
  });

  it('where cgroups have no such files: not configured with a host that has, unsupported with one that has not', () => {
    group('vm', 1);
    for (const resource of RESOURCES) remove(`vm/${resource}.pressure`);
    stand('vm');
    nothing(Outcome.notConfigured);
    rmSync(join(proc.root, 'pressure'), { recursive: true });
    collector.devices(subject);
    nothing(Outcome.unsupported);
  });

  it('where the kernel was booted without', () => {
    group('vm', 1);
    stand('vm');
    expectSeconds(1);
    host.spoil('pressure', errno('EOPNOTSUPP'));
    expect(sweep()).toBe(Outcome.notConfigured);
    expect(filled()).toEqual([]);
  });

  it('while the cgroup is told not to count, and again when it is', () => {
    group('vm', 5);
    stand('vm');
    expectSeconds(5);
    // A 0 in cgroup.pressure hides the files, and held ones answer as if the cgroup had been removed.
    host.spoil('vm/', errno('ENODEV'));
    for (const resource of RESOURCES) remove(`vm/${resource}.pressure`);
    nothing(Outcome.notConfigured);
    group('vm', 6);
    proc.clock.ms += NEXT_LOOK_MS;
    expectSeconds(5);
    group('vm', 8);
    expectSeconds(7);
  });
});

describe('what cannot be read', () => {
  const failures = [
    ['EACCES', Outcome.notPermitted],
    ['EIO', Outcome.ioError],
    ['EMFILE', Outcome.busy],
  ] as const;
  it.each(failures)('for %s is an outcome, and costs no later number', (code, expected) => {
    group('vm', 1);
    stand('vm');
    expectSeconds(1);
    host.spoil('io.pressure', errno(code));
    expect(sweep()).toBe(expected);
    expect(filled()).toEqual([]);
    host.spoil('io.pressure', null);
    for (const resource of RESOURCES) write(`vm/${resource}.pressure`, stalls(4));
    expectSeconds(4);
  });

  it.each(failures)('for %s at its opening holds no descriptor', (code, expected) => {
    group('vm', 1);
    stand('vm');
    const { holdFile } = host;
    host.holdFile = (path) => {
      if (path.endsWith('io.pressure')) throw errno(code);
      return holdFile.call(host, path);
    };
    expect(sweep()).toBe(expected);
    expect(descriptorsHeld()).toBe(heldBefore);
    host.holdFile = holdFile;
    collector.devices(subject);
    expectSeconds(1);
  });

  it.each(['', 'x\n', 'some avg10=0.00', stalls(1).replace(/total=.*/, 'total=18446744073709551615')])(
    'because it is %j is malformed',
    (text) => {
      group('vm', 1);
      stand('vm');
      expectSeconds(1);
      write('vm/memory.pressure', text);
      expect(sweep()).toBe(Outcome.malformed);
      expect(filled()).toEqual([]);
      group('vm', 4);
      expectSeconds(4);
    },
  );

  it('because the process has ended is gone', () => {
    group('vm', 1);
    stand('vm');
    expectSeconds(1);
    host.spoil('vm/', errno('ENODEV'));
    process.breakAll(errno('ESRCH'));
    expect(sweep()).toBe(Outcome.gone);
    expect(descriptorsHeld()).toBe(heldBefore);
  });
});

describe('a counter never goes back', () => {
  it('when the VM is moved: the other cgroup adds what it counts from then on', () => {
    group('vm', 5);
    group('new', 100);
    stand('vm');
    expectSeconds(5);
    stand('new');
    group('vm', 6);
    expectSeconds(6);
    proc.clock.ms += NEXT_LOOK_MS;
    expectSeconds(6);
    group('new', 101);
    expectSeconds(7);
  });

  it('when its cgroup was removed: where the VM is now is looked up at once', () => {
    group('vm', 5);
    group('new', 100);
    stand('vm');
    expectSeconds(5);
    host.spoil('vm/', errno('ENODEV'));
    stand('new');
    expectSeconds(5);
    group('new', 102);
    expectSeconds(7);
  });

  it('when the removed cgroup is where the VM is said to be still: a new one of that name is another', () => {
    group('vm', 5);
    stand('vm');
    expectSeconds(5);
    host.spoil('vm/', errno('ENODEV'));
    group('vm', 1);
    expectSeconds(5);
    group('vm', 2);
    expectSeconds(6);
  });

  it('when the VM was in a cgroup of others for a while', () => {
    proc.addProcess(77);
    group('vm', 5);
    group('pod', 50, [process.pid, 77]);
    stand('vm');
    expectSeconds(5);
    stand('pod');
    collector.devices(subject);
    expect(sweep()).toBe(Outcome.notConfigured);
    stand('vm');
    group('vm', 9);
    collector.devices(subject);
    expectSeconds(5);
    group('vm', 10);
    expectSeconds(6);
  });
});

it('begins anew with the next instance in the row', () => {
  group('vm', 5);
  stand('vm');
  expectSeconds(5);
  collector.detach(subject);
  expect(descriptorsHeld()).toBe(heldBefore);
  expect(collector.collect(subject)).toBe(Outcome.gone);
  collector.attach(subject);
  group('vm', 1);
  expectSeconds(1);
});
