import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import type { Host } from '../../host/host.js';
import type { Collector } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { ContextSwitchesCollector } from './context-switches.collector.js';
import { CpuCollector } from './cpu.collector.js';
import { DescriptorsCollector } from './descriptors.collector.js';
import { IoCollector } from './io.collector.js';
import { LimitsCollector } from './limits.collector.js';
import { MemoryCollector } from './memory.collector.js';
import { MemoryDetailCollector } from './memory-detail.collector.js';
import { ProcessCollector } from './process.collector.js';
import { PssCollector } from './pss.collector.js';
import { WaitCollector } from './wait.collector.js';

let proc: FakeProc;
let tables: Tables;
let process: FakeProcess;
let subject: FakeSubject;
beforeEach(() => {
  proc = new FakeProc();
  tables = new Tables();
  process = new FakeProcess();
  subject = new FakeSubject(process, 'vm-1', 'one', { id: 'vm-1', memoryBytes: 268435456 });
});
afterEach(() => proc.close());

/** What a collector says of the recorded QEMU: raw cells by their place in the document. */
function collected(Collected: new (tables: Tables, host: Host) => Collector): Record<string, number> {
  const collector = new Collected(tables, proc.host());
  subject.row = tables.instances.add(subject);
  collector.attach?.(subject);
  expect(collector.collect(subject)).toBe(Outcome.ok);
  return Object.fromEntries(tables.instances.columns.map(({ metric, back }) => [metric.json, back[subject.row]]));
}

const KIB = 1024;

describe('of a recorded QEMU', () => {
  it('cpu gives ticks: user and system, their sum, guest, faults', () => {
    expect(collected(CpuCollector)).toEqual({
      cpu_seconds: 231,
      'cpu.user_seconds': 1,
      'cpu.system_seconds': 230,
      'cpu.guest_seconds': 0,
      'memory.minor_faults': 9320,
      'memory.major_faults': 12,
    });
  });

  it('memory gives bytes of pages and the share of what was given to the VM', () => {
    const page = proc.host().pageBytes;
    expect(collected(MemoryCollector)).toEqual({
      memory_rss_bytes: 13894 * page,
      memory_vms_bytes: 147493 * page,
      'memory.shared_bytes': 5537 * page,
      memory_utilization_ratio: (13894 * page) / 268435456,
    });
  });

  it.each([undefined, 0])('memory gives no share of an allocation of %s', (memoryBytes) => {
    subject.record = { id: 'vm-1', ...(memoryBytes === undefined ? {} : { memoryBytes }) };
    expect(collected(MemoryCollector).memory_utilization_ratio).toBeNaN();
  });

  it('memory_detail gives bytes by kind, and their sum', () => {
    expect(collected(MemoryDetailCollector)).toEqual({
      'memory.resident_bytes': (33428 + 22148) * KIB,
      'memory.anon_bytes': 33428 * KIB,
      'memory.file_bytes': 22148 * KIB,
      'memory.shmem_bytes': 0,
      'memory.hugetlb_bytes': 0,
      'memory.swap_bytes': 0,
      'memory.peak_rss_bytes': 58032 * KIB,
      'memory.page_tables_bytes': 272 * KIB,
      'memory.locked_bytes': 0,
    });
  });

  it('memory_detail gives no sum of which a part is unknown', () => {
    const status = process.files.get('status');
    process.files.set('status', String(status).replace(/^HugetlbPages.*\n/m, ''));
    const cells = collected(MemoryDetailCollector);
    expect([cells['memory.hugetlb_bytes'], cells['memory.resident_bytes']]).toEqual([Number.NaN, Number.NaN]);
    expect(cells['memory.anon_bytes']).toBe(33428 * KIB);
  });

  it('descriptors gives their number', () => {
    expect(collected(DescriptorsCollector)).toEqual({ 'process.fds': 27 });
  });

  it('process gives threads and the start in ticks since 1970', () => {
    expect(collected(ProcessCollector)).toEqual({
      'process.threads': 7,
      'process.start_time_seconds': 170_000_000_000 + 271_431,
    });
  });

  it('limits gives the soft limit, and none where it is unlimited', () => {
    expect(collected(LimitsCollector)).toEqual({ 'process.max_fds': 20000 });
    tables = new Tables();
    process.files.set(
      'limits',
      String(process.files.get('limits')).replace('20000                20000', 'unlimited            unlimited'),
    );
    expect(collected(LimitsCollector)['process.max_fds']).toBeNaN();
  });

  it('io gives its seven numbers', () => {
    expect(Object.values(collected(IoCollector))).toEqual([14522740, 438, 135, 41, 5965312, 24576, 0]);
  });

  it('context_switches and wait give sums over all threads', () => {
    process.files.set('task/4243/status', String(process.files.get('status')));
    process.files.set('task/4243/schedstat', '1 1000 1\n');
    expect(collected(ContextSwitchesCollector)).toEqual({
      'process.context_switches.voluntary': 136,
      'process.context_switches.involuntary': 102,
    });
    tables = new Tables();
    expect(collected(WaitCollector)).toEqual({ 'cpu.wait_seconds': 86029 + 1, 'cpu.timeslices': 119 + 1 });
  });
});

describe('cpu and process', () => {
  it.each([CpuCollector, ProcessCollector])('give nothing of a stat that was not read: %o', (Collected) => {
    const collector = new Collected(tables, proc.host());
    subject.row = tables.instances.add(subject);
    process.files.set('stat', '4242 (x) S 1 2 3 4');
    process.readStat();
    expect(collector.collect(subject)).toBe(Outcome.malformed);
    process.files.set('stat', errno('EACCES'));
    process.readStat();
    expect(collector.collect(subject)).toBe(Outcome.notPermitted);
  });
});

describe('descriptors, where they must be counted one by one', () => {
  it('counts them in the first of twelve sweeps and keeps the number in between', () => {
    const collector = new DescriptorsCollector(tables);
    subject.row = tables.instances.add(subject);
    let counted = 0;
    process.descriptorCount = () => -1;
    process.countDescriptors = () => 100 + counted++;
    const seen: number[] = [];
    for (let sweep = 0; sweep < 25; sweep++) {
      tables.instances.begin();
      expect(collector.collect(subject)).toBe(Outcome.ok);
      tables.instances.publish();
      seen.push(tables.instances.columns[0].front[subject.row]);
    }
    expect(counted).toBe(3);
    expect(seen).toEqual([...Array(12).fill(100), ...Array(12).fill(101), 102]);
  });
});

describe('pss', () => {
  it('has nothing until it was read, then keeps it', async () => {
    const collector = new PssCollector(tables);
    subject.row = tables.instances.add(subject);
    expect(collector.collect(subject)).toBe(Outcome.busy);
    expect(await collector.collectDetached(subject)).toBe(Outcome.ok);
    expect(collector.collect(subject)).toBe(Outcome.ok);
    expect(tables.instances.columns[0].back[subject.row]).toBe(53407 * KIB);
    collector.detach(subject);
    expect(collector.collect(subject)).toBe(Outcome.busy);
  });

  it('never gives one VM the size of another that had its row while it was being read', async () => {
    const collector = new PssCollector(tables);
    subject.row = tables.instances.add(subject);
    const { row } = subject;
    let answer: (text: string) => void = () => undefined;
    process.readAsync = () => new Promise((resolve) => (answer = resolve));
    const reading = collector.collectDetached(subject);
    collector.detach(subject);
    subject.row = -1;
    const next = new FakeSubject(new FakeProcess(), 'vm-2');
    next.row = row;
    answer(String(process.files.get('smaps_rollup')));
    expect(await reading).toBe(Outcome.gone);
    expect(collector.collect(next)).toBe(Outcome.busy);
  });
});
