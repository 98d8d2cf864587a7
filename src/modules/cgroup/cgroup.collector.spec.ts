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
import { CgroupCollector } from './cgroup.collector.js';
import { CGROUP_METRICS } from './cgroup-metrics.js';
import { LIMIT_WORDS } from './limits.js';

const ROOT = 'sys/fs/cgroup';
const VM = 'machine.slice/vm.scope';
const NEXT_LOOK_MS = 60_000;
const THOROUGH_MS = 15_000;

/** On which reading a held file fails as the test says. */
class FailingHost extends Host {
  readonly failures = new Map<string, Error>();
  private readonly open: { readonly path: string; isRemoved: boolean }[] = [];
  reads = 0;

  /** The cgroup of this directory: what is held of it answers ENODEV from now on. */
  removed(directory: string): void {
    for (const file of this.open) if (file.path.startsWith(`${directory}/`)) file.isRemoved = true;
  }

  override holdFile(path: string): HeldFile {
    const held = super.holdFile(path);
    const read = held.read.bind(held);
    const file = { path, isRemoved: false };
    this.open.push(file);
    held.read = (into) => {
      this.reads++;
      const failure = file.isRemoved ? errno('ENODEV') : this.failures.get(path);
      if (failure) throw failure;
      return read(into);
    };
    return held;
  }
}

let proc: FakeProc;
let host: FailingHost;
let tables: Tables;
let collector: CgroupCollector;
let process: FakeProcess;
let subject: FakeSubject;
let heldBefore: number;
beforeEach(() => {
  heldBefore = descriptorsHeld();
  proc = new FakeProc();
  tables = new Tables();
  host = new FailingHost(proc.host().roots, proc.clock);
  collector = new CgroupCollector(tables, host);
  process = new FakeProcess();
  subject = new FakeSubject(process);
  subject.row = tables.instances.add(subject);
  write('cgroup.controllers', 'cpu memory pids\n');
  stand(VM);
  collector.attach(subject);
});
afterEach(() => {
  collector.detach(subject);
  expect(descriptorsHeld()).toBe(heldBefore);
  proc.close();
});

const write = (path: string, text: string): void => proc.write(`${ROOT}/${path}`, text);
const remove = (path: string): void => rmSync(join(proc.root, ROOT, path), { recursive: true });
const pathOf = (file: string): string => join(proc.root, ROOT, file);
const fail = (file: string, code: string): unknown => host.failures.set(pathOf(file), errno(code));

function stand(path: string): void {
  process.files.set('cgroup', `0::/${path}\n`);
  write(`${path}/cgroup.procs`, '4242\n');
}

function sweep(one = subject): Outcome {
  collector.begin();
  for (const { metric, back } of tables.instances.columns) if (collector.metrics.includes(metric)) back[one.row] = Number.NaN;
  return collector.collect(one);
}

/** What the document would say, in its units; what is unknown is left out. */
function told({ row } = subject): Record<string, number> {
  const cells = tables.instances.columns.flatMap(({ metric: { json, decimals }, back }): [string, number][] =>
    Number.isNaN(back[row]) ? [] : [[json.replace('limits.', ''), decimals > 0 ? back[row] / 10 ** decimals : back[row]]],
  );
  return Object.fromEntries(cells);
}

function expectTold(expected: Record<string, number>): void {
  expect(sweep()).toBe(Outcome.ok);
  expect(told()).toMatchObject(expected);
}

const V2_FILES = [
  ...['cpu.max', 'cpu.max.burst', 'cpu.weight', 'cpu.stat', 'memory.max', 'memory.high', 'memory.low', 'memory.min', 'memory.current'],
  ...['memory.peak', 'memory.swap.max', 'memory.swap.current', 'memory.events', 'memory.stat', 'pids.current', 'pids.max', 'pids.peak'],
];
function record(): void {
  for (const name of V2_FILES) write(`${VM}/${name}`, kernelSample(`cgroup-v2-6.1/scope/${name}`));
  for (const name of ['cpu.max', 'cpu.max.burst', 'memory.max', 'memory.high', 'memory.swap.max', 'pids.max'])
    write(`machine.slice/${name}`, kernelSample(`cgroup-v2-6.1/slice/${name}`));
}

const RECORDED = {
  'cpu.limit_cores': 0.2,
  'cpu.quota_seconds': 0.02,
  'cpu.period_seconds': 0.1,
  'cpu.burst_seconds': 0,
  'cpu.weight': 100,
  'cpu.usage_seconds': 1.428102,
  'memory.limit_bytes': 33_554_432,
  'memory.high_bytes': 25_165_824,
  'memory.low_bytes': 16_777_216,
  'memory.min_bytes': 0,
  'memory.usage_bytes': 21_200_896,
  'memory.working_set_bytes': 21_200_896,
  'memory.peak_bytes': 22_372_352,
  'memory.swap_usage_bytes': 0,
  'memory.events.low': 0,
  'memory.events.high': 0,
  'memory.events.max': 0,
  'memory.events.oom': 0,
  'memory.events.oom_kill': 0,
  'memory.events.oom_group_kill': 0,
  'pids.limit': 64,
  'pids.usage': 1,
  'pids.peak': 2,
};

it('has a number for each of its metrics', () => {
  expect([...LIMIT_WORDS].sort()).toEqual(Object.keys(CGROUP_METRICS).sort());
});

describe('version 2', () => {
  it('reads a recorded tree, in which swap has no limit', () => {
    record();
    expect(sweep()).toBe(Outcome.ok);
    expect(told()).toEqual(RECORDED);
  });

  it('has the least limit of all levels, as it is now', () => {
    record();
    expectTold({ 'memory.limit_bytes': 33_554_432, 'pids.limit': 64, 'cpu.limit_cores': 0.2 });
    write('machine.slice/memory.max', '1048576\n');
    write('machine.slice/pids.max', '9\n');
    write('machine.slice/cpu.max', '5000 50000\n');
    write('machine.slice/cpu.max.burst', '700\n');
    write('machine.slice/memory.swap.max', '4096\n');
    proc.clock.ms += THOROUGH_MS;
    expectTold({
      'memory.limit_bytes': 1_048_576,
      'pids.limit': 9,
      'cpu.limit_cores': 0.1,
      'cpu.quota_seconds': 0.005,
      'cpu.period_seconds': 0.05,
      'cpu.burst_seconds': 0.0007,
      'memory.swap_limit_bytes': 4096,
    });
    for (const file of ['memory.max', 'pids.max', 'memory.swap.max']) write(`machine.slice/${file}`, 'max\n');
    write('machine.slice/cpu.max', 'max 100000\n');
    expect(sweep()).toBe(Outcome.ok);
    expect(told()).toEqual(RECORDED);
  });

  it('says nothing of a limit that nobody set', () => {
    record();
    for (const file of ['memory.max', 'memory.high', 'memory.low', 'pids.max']) write(`${VM}/${file}`, 'max\n');
    write(`${VM}/cpu.max`, 'max 100000\n');
    expect(sweep()).toBe(Outcome.ok);
    const words = Object.keys(told());
    for (const word of ['cpu.limit_cores', 'cpu.quota_seconds', 'cpu.period_seconds', 'cpu.burst_seconds'])
      expect(words).not.toContain(word);
    for (const word of ['memory.limit_bytes', 'memory.high_bytes', 'memory.low_bytes', 'pids.limit']) expect(words).not.toContain(word);
    expect(told()).toMatchObject({ 'memory.usage_bytes': 21_200_896, 'cpu.usage_seconds': 1.428102, 'pids.usage': 1 });
  });

  it('has what there is where a controller is off, and a limit from above', () => {
    write(`${VM}/cpu.stat`, 'usage_usec 5\nuser_usec 3\nsystem_usec 2\n');
    write('machine.slice/memory.max', '1048576\n');
    expect(sweep()).toBe(Outcome.ok);
    expect(told()).toEqual({ 'cpu.usage_seconds': 0.000005, 'memory.limit_bytes': 1_048_576 });
  });

  it('finds a controller that was switched on at the next look', () => {
    write(`${VM}/cpu.stat`, 'usage_usec 5\n');
    expect(sweep()).toBe(Outcome.ok);
    write(`${VM}/memory.max`, '4096\n');
    proc.clock.ms += NEXT_LOOK_MS;
    expectTold({ 'memory.limit_bytes': 4096 });
  });

  it('adds up the working set at its own pace, and never below nothing', () => {
    record();
    write(`${VM}/memory.stat`, 'anon 1\ninactive_file 1200896\n');
    expectTold({ 'memory.working_set_bytes': 20_000_000 });
    proc.clock.ms += THOROUGH_MS;
    write(`${VM}/memory.stat`, 'inactive_file 200896\n');
    expectTold({ 'memory.working_set_bytes': 21_000_000 });
    write(`${VM}/memory.stat`, 'inactive_file 99999999\n');
    expectTold({ 'memory.working_set_bytes': 21_000_000 });
    proc.clock.ms += THOROUGH_MS;
    expectTold({ 'memory.working_set_bytes': 0 });
  });
});

it('reads what hardly changes at that pace, and a peak that was passed since is that of the usage', () => {
  record();
  expectTold({ 'memory.peak_bytes': 22_372_352, 'pids.peak': 2, 'cpu.weight': 100 });
  write(`${VM}/memory.peak`, '30000000\n');
  write(`${VM}/pids.peak`, '9\n');
  write(`${VM}/cpu.weight`, '50\n');
  write(`${VM}/pids.current`, '7\n');
  host.reads = 0;
  expectTold({ 'memory.peak_bytes': 22_372_352, 'pids.usage': 7, 'pids.peak': 7, 'cpu.weight': 100 });
  const often = host.reads;
  proc.clock.ms += THOROUGH_MS;
  expectTold({ 'memory.peak_bytes': 30_000_000, 'pids.peak': 9, 'cpu.weight': 50 });
  // weight, low, min, both peaks, memory.stat, and the burst of two levels
  expect(host.reads - 2 * often).toBe(8);
});

it.each(['memory.max', 'cpu.max', 'memory.events'])('%s that is empty from the start is malformed, not without a limit', (name) => {
  record();
  write(`${VM}/${name}`, '');
  for (let turn = 0; turn < 3; turn++) expect(sweep()).toBe(Outcome.malformed);
});

describe('version 1', () => {
  const NAMES = ['cpu', 'cpuacct', 'memory', 'pids'];
  const file = (name: string): string => `${name.slice(0, name.indexOf('.'))}/vm/${name}`;
  beforeEach(() => {
    remove('cgroup.controllers');
    process.files.set('cgroup', NAMES.map((name, i) => `${i + 1}:${name}:/vm\n`).join(''));
    for (const name of NAMES) write(`${name}/vm/cgroup.procs`, '4242\n');
    for (const name of ['cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpu.cfs_burst_us', 'cpu.shares', 'cpuacct.usage', 'pids.current'])
      write(file(name), kernelSample(`cgroup-v1-6.18/limited/${name}`));
    for (const name of ['limit_in_bytes', 'usage_in_bytes', 'max_usage_in_bytes', 'failcnt', 'oom_control', 'stat'])
      write(file(`memory.${name}`), kernelSample(`cgroup-v1-6.18/limited/memory.${name}`));
    for (const name of ['pids.max', 'pids.peak']) write(file(name), kernelSample(`cgroup-v1-6.18/limited/${name}`));
  });

  it('reads recorded cgroups', () => {
    expect(sweep()).toBe(Outcome.ok);
    expect(told()).toEqual({
      'cpu.limit_cores': 0.5,
      'cpu.quota_seconds': 0.05,
      'cpu.period_seconds': 0.1,
      'cpu.burst_seconds': 0,
      'cpu.weight': 100,
      'cpu.usage_seconds': 0.092086,
      'memory.limit_bytes': 512 * 2 ** 20,
      'memory.usage_bytes': 26_509_312,
      'memory.working_set_bytes': 26_509_312 - 3_276_800,
      'memory.peak_bytes': 33_165_312,
      'memory.events.max': 0,
      'memory.events.oom_kill': 0,
      'pids.limit': 128,
      'pids.usage': 3,
      'pids.peak': 3,
    });
  });

  it('knows no limit by its numbers', () => {
    write(file('cpu.cfs_quota_us'), '-1\n');
    write(file('memory.limit_in_bytes'), '9223372036854771712\n');
    write(file('cpu.shares'), '512\n');
    expect(sweep()).toBe(Outcome.ok);
    expect(Object.keys(told())).not.toContain('memory.limit_bytes');
    expect(Object.keys(told())).not.toContain('cpu.quota_seconds');
    expect(told()).toMatchObject({ 'cpu.weight': 50 });
  });

  it('has those hierarchies in which the cgroup is its own', () => {
    process.files.set('cgroup', '1:cpu:/\n2:memory:/vm\n3:pids:/\n');
    expect(sweep()).toBe(Outcome.ok);
    expect(Object.keys(told()).every((word) => word.startsWith('memory.'))).toBe(true);
    expect(told()).toMatchObject({ 'memory.limit_bytes': 512 * 2 ** 20 });
  });
});

describe('what is not there', () => {
  it('is not configured where the VM has no cgroup of its own', () => {
    stand('machine.slice');
    record();
    expect(sweep()).toBe(Outcome.notConfigured);
    expect(told()).toEqual({});
  });

  it('is unsupported where there is no such hierarchy', () => {
    process.files.set('cgroup', '1:name=systemd:/vm\n');
    expect(sweep()).toBe(Outcome.unsupported);
  });

  it('is not configured in a cgroup without any of the files, until there are', () => {
    expect(sweep()).toBe(Outcome.notConfigured);
    record();
    expectTold(RECORDED);
  });

  it.each(V2_FILES)('garbage in %s is malformed, and costs no later sweep anything', (name) => {
    record();
    expect(sweep()).toBe(Outcome.ok);
    for (const text of ['', 'x\n', '1', '1\n2\n\n', '-7\n']) {
      write(`${VM}/${name}`, text);
      proc.clock.ms += THOROUGH_MS;
      expect(sweep(), text).toBe(Outcome.malformed);
    }
    write(`${VM}/${name}`, kernelSample(`cgroup-v2-6.1/scope/${name}`));
    expect(sweep()).toBe(Outcome.ok);
    expect(told()).toEqual(RECORDED);
  });

  it.each(['cpu.stat', 'memory.current', 'pids.peak'])('2^64-1 in %s is no number, and no other is lost', (name) => {
    record();
    write(`${VM}/${name}`, name === 'cpu.stat' ? 'usage_usec 18446744073709551615\n' : '18446744073709551615\n');
    expect(sweep()).toBe(Outcome.ok);
    const lost = { 'cpu.stat': 'cpu.usage_seconds', 'memory.current': 'memory.usage_bytes', 'pids.peak': 'pids.peak' }[name] ?? '';
    expect(Object.keys(told())).not.toContain(lost);
    expect(told()).toMatchObject({ 'memory.limit_bytes': 33_554_432 });
  });

  it.each([
    ['EACCES', Outcome.notPermitted],
    ['EMFILE', Outcome.busy],
    ['EIO', Outcome.ioError],
  ] as const)('%s of one file is said, and goes by', (code, outcome) => {
    record();
    expect(sweep()).toBe(Outcome.ok);
    fail(`${VM}/memory.current`, code);
    expect(sweep()).toBe(outcome);
    host.failures.clear();
    expectTold(RECORDED);
  });

  it('EOPNOTSUPP of one file leaves that one out', () => {
    record();
    fail(`${VM}/memory.peak`, 'EOPNOTSUPP');
    expect(sweep()).toBe(Outcome.ok);
    const { 'memory.peak_bytes': _, ...rest } = RECORDED;
    expect(told()).toEqual(rest);
  });
});

describe('a cgroup that goes', () => {
  it('is looked for again at once, and counters go on', () => {
    record();
    expectTold({ 'cpu.usage_seconds': 1.428102 });
    for (const name of V2_FILES) write(`new.slice/vm.scope/${name}`, kernelSample(`cgroup-v2-6.1/scope/${name}`));
    write('new.slice/vm.scope/cpu.stat', 'usage_usec 100\n');
    write('new.slice/vm.scope/memory.events', 'low 0\nhigh 9\nmax 7\noom 0\noom_kill 0\n');
    stand('new.slice/vm.scope');
    fail(`${VM}/memory.current`, 'ENODEV');
    expectTold({ 'cpu.usage_seconds': 1.428102, 'memory.events.max': 0 });
    write('new.slice/vm.scope/cpu.stat', 'usage_usec 300\n');
    write('new.slice/vm.scope/memory.events', 'low 0\nhigh 9\nmax 9\noom 0\noom_kill 0\n');
    expectTold({ 'cpu.usage_seconds': 1.428302, 'memory.events.max': 2, 'memory.events.high': 0 });
    write('new.slice/vm.scope/cpu.stat', 'usage_usec 5\n');
    expectTold({ 'cpu.usage_seconds': 1.428302 });
  });

  it('and comes again by its name is another, read at once', () => {
    record();
    expectTold({ 'cpu.usage_seconds': 1.428102 });
    host.removed(pathOf(VM));
    write(`${VM}/cpu.stat`, 'usage_usec 7\n');
    expectTold({ 'cpu.usage_seconds': 1.428102, 'memory.limit_bytes': 33_554_432 });
    write(`${VM}/cpu.stat`, 'usage_usec 9\n');
    expectTold({ 'cpu.usage_seconds': 1.428104 });
  });

  it('again and again is busy, not gone: its process lives', () => {
    record();
    expect(sweep()).toBe(Outcome.ok);
    fail(`${VM}/memory.current`, 'ENODEV');
    expect(sweep()).toBe(Outcome.busy);
    host.failures.clear();
    expectTold(RECORDED);
  });

  it('is not its own any more once a stranger stands in it', () => {
    record();
    expect(sweep()).toBe(Outcome.ok);
    proc.addProcess(99, { parent: 1, comm: 'nginx' });
    write(`${VM}/cgroup.procs`, '4242\n99\n');
    collector.devices(subject);
    expect(sweep()).toBe(Outcome.notConfigured);
    expect(descriptorsHeld()).toBe(heldBefore);
  });
});

it('reads the slice that VMs lie in once a sweep, and holds it until the last has gone', () => {
  record();
  const other = new FakeSubject(new FakeProcess(), 'vm-2');
  other.process = Object.assign(new FakeProcess(), { pid: 77 });
  other.row = tables.instances.add(other);
  collector.attach(other);
  write('machine.slice/other.scope/cgroup.procs', '77\n');
  write('machine.slice/other.scope/memory.current', '7\n');
  Object(other.process).files.set('cgroup', '0::/machine.slice/other.scope\n');
  expect(sweep()).toBe(Outcome.ok);
  expect(collector.collect(other)).toBe(Outcome.ok);
  const held = descriptorsHeld();
  host.reads = 0;
  expect(sweep()).toBe(Outcome.ok);
  const alone = host.reads;
  expect(collector.collect(other)).toBe(Outcome.ok);
  expect(host.reads).toBe(alone + 1);
  collector.detach(subject);
  // The other's one file, and those of the slice but the burst, which is there as well.
  expect(descriptorsHeld()).toBeLessThan(held);
  write('machine.slice/memory.max', '4096\n');
  expect(sweep(other)).toBe(Outcome.ok);
  expect(told(other)).toMatchObject({ 'memory.limit_bytes': 4096, 'memory.usage_bytes': 7 });
  collector.detach(other);
});
