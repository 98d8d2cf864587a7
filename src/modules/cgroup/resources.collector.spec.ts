import { beforeEach, describe, expect, it } from 'vitest';
import { StoppedClock } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { Host } from '../../host/host.js';
import { metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import type { Column } from '../../model/table.js';
import { Tables } from '../../model/tables.js';
import { CgroupCollector } from './cgroup.collector.js';
import { CgroupIoCollector } from './cgroup-io.collector.js';
import { deviceRowsOf } from './device-rows.js';
import { IO_LIMITS, type IoLimit } from './io-stat.js';
import { ResourcesCollector } from './resources.collector.js';

const LOOK_MS = 5000;
const clock = new StoppedClock();
const host = new Host({}, clock);
let tables: Tables;
let settings: Settings;
let collector: ResourcesCollector;
let subject: FakeSubject;
/** What other collectors write. */
let cells: Record<'quota' | 'period' | 'cpu' | 'limit' | 'memory' | 'read' | 'write', Column>;
let turns: Record<'cgroup' | 'cgroup_io', { readonly outcome: Column; readonly at: Column }>;
let ofDevice: { readonly counters: readonly Column[]; readonly limits: readonly Column[] };

beforeEach(() => {
  tables = new Tables();
  settings = new Settings();
  collector = new ResourcesCollector(tables, host, settings);
  const { instances, cgroupDevices } = tables;
  const own = (word: 'quota' | 'period' | 'usage' | 'memoryLimit' | 'memoryUsage'): Column => instances.column(CgroupCollector[word]);
  cells = {
    ...{ quota: own('quota'), period: own('period'), cpu: own('usage'), limit: own('memoryLimit'), memory: own('memoryUsage') },
    ...{ read: instances.column(CgroupIoCollector.readBytes), write: instances.column(CgroupIoCollector.writeBytes) },
  };
  const house = (name: string, word: string): Column => instances.column(metric({ json: `collectors.${name}.${word}` }));
  const turn = (name: string) => ({ outcome: house(name, 'outcome'), at: house(name, 'at') });
  turns = { cgroup: turn('cgroup'), cgroup_io: turn('cgroup_io') };
  ofDevice = {
    counters: IO_LIMITS.map((word) => cgroupDevices.column(CgroupIoCollector.counters[word])),
    limits: IO_LIMITS.map((word) => cgroupDevices.column(CgroupIoCollector.limits[word])),
  };
  subject = new FakeSubject(new FakeProcess());
  subject.row = instances.add(subject);
  collector.attach(subject);
  said = { cgroup: Outcome.ok, io: Outcome.ok, numbers: {} };
});

interface Words {
  readonly cgroup?: Outcome;
  readonly io?: Outcome;
  readonly numbers?: Partial<Record<keyof typeof cells, number>>;
}
let said: { cgroup: Outcome; io: Outcome; numbers: Partial<Record<keyof typeof cells, number>> };
/** What the other collectors will have said in the next sweep. */
function sets({ cgroup = said.cgroup, io = said.io, numbers = {} }: Words): void {
  said = { cgroup, io, numbers: { ...said.numbers, ...numbers } };
}

/** A sweep, after so much time. */
function sweep(afterMs = LOOK_MS): Outcome {
  clock.ms += afterMs;
  tables.begin();
  const { row } = subject;
  for (const [word, column] of Object.entries(cells)) column.back[row] = Reflect.get(said.numbers, word) ?? Number.NaN;
  turns.cgroup.outcome.back[row] = said.cgroup;
  turns.cgroup_io.outcome.back[row] = said.io;
  turns.cgroup.at.back[row] = turns.cgroup_io.at.back[row] = clock.ms;
  const outcome = collector.collect(subject);
  tables.publish();
  return outcome;
}

const cell = (question: (column: Column) => boolean): number => tables.instances.columns.find(question)?.front[subject.row] ?? Number.NaN;
const at = (json: string): number => cell(({ metric }) => metric.json === json);
const ratio = (resource: string): number => at(`limits.${resource}.utilization_ratio`) / 1e6;
const level = (resource: string): number => at(`limits.${resource}.alert_level`);
const pod = (name: string, type: string): number =>
  cell(({ metric }) =>
    metric.families.some(({ family, labels }) => family.name === `podtrace_resource_${name}_bytes` && labels?.resource_type === type),
  );

const none = Number.NaN;
const CPU = { quota: 20_000, period: 100_000, cpu: 1_000_000 };

describe('cpu', () => {
  it('is the time used by the time that the quota allows, of two looks, and may be above 1', () => {
    sets({ numbers: CPU });
    expect(sweep()).toBe(Outcome.ok);
    expect([ratio('cpu'), level('cpu'), pod('limit', 'cpu'), pod('usage', 'cpu')]).toEqual([none, none, 20_000, 1_000_000]);
    sets({ numbers: { cpu: 1_500_000 } });
    sweep();
    expect([ratio('cpu'), level('cpu')]).toEqual([0.5, 0]);
    sets({ numbers: { cpu: 2_512_345 } });
    sweep();
    expect(ratio('cpu')).toBe(1.012345);
  });

  it('has usage and no utilization without a quota', () => {
    sets({ numbers: { cpu: 7 } });
    sweep();
    sweep();
    expect([ratio('cpu'), level('cpu'), pod('limit', 'cpu'), pod('usage', 'cpu')]).toEqual([none, none, none, 7]);
  });

  it('has none of a counter that went back, that was not read before, and of another process', () => {
    sets({ numbers: CPU });
    sweep();
    sets({ numbers: { cpu: 5 } });
    sweep();
    expect([ratio('cpu'), level('cpu')]).toEqual([none, none]);
    sets({ cgroup: Outcome.ioError });
    sweep();
    sets({ cgroup: Outcome.ok, numbers: { cpu: 900 } });
    sweep();
    expect(ratio('cpu')).toBeNaN();
    collector.detach(subject);
    collector.attach(subject);
    sets({ numbers: { cpu: 1000 } });
    sweep();
    expect(ratio('cpu')).toBeNaN();
  });

  it('follows a quota that is changed', () => {
    sets({ numbers: CPU });
    sweep();
    sets({ numbers: { cpu: 2_000_000, quota: 40_000 } });
    sweep();
    expect([ratio('cpu'), pod('limit', 'cpu')]).toEqual([0.5, 40_000]);
  });
});

describe('memory', () => {
  const uses = (bytes: number): void => sets({ numbers: { limit: 1000, memory: bytes } });

  it('is usage by limit at once; the level takes two looks', () => {
    const seen: number[][] = [];
    for (const bytes of [850, 850, 1200, 1200, 899, 0]) {
      uses(bytes);
      sweep();
      seen.push([ratio('memory'), level('memory')]);
    }
    expect(seen).toEqual([
      [0.85, 0],
      [0.85, 1],
      [1.2, 1],
      [1.2, 3],
      [0.899, 2],
      [0, 0],
    ]);
    expect([pod('limit', 'memory'), pod('usage', 'memory')]).toEqual([1000, 0]);
  });

  it('has a level of its own thresholds, as they are now', () => {
    uses(600);
    settings.limitsThresholds = [50, 60, 70];
    sweep();
    sweep();
    expect(level('memory')).toBe(2);
    settings.limitsThresholds = [80, 90, 95];
    sweep();
    expect(level('memory')).toBe(0);
  });

  it('has none without a limit, and the level of an earlier limit ends with that', () => {
    uses(990);
    sweep();
    sweep();
    expect(level('memory')).toBe(3);
    sets({ numbers: { limit: Number.NaN } });
    sweep();
    expect([ratio('memory'), level('memory'), pod('usage', 'memory')]).toEqual([none, none, 990]);
    uses(940);
    sweep();
    expect(level('memory')).toBe(0);
  });

  it('has nothing while it cannot be read, and its level goes on afterwards', () => {
    uses(990);
    sweep();
    sweep();
    sets({ cgroup: Outcome.malformed });
    expect(sweep()).toBe(Outcome.ok);
    expect([level('memory'), pod('limit', 'memory'), pod('usage', 'memory')]).toEqual([none, none, none]);
    sets({ cgroup: Outcome.ok });
    uses(940);
    sweep();
    expect(level('memory')).toBe(3);
  });
});

describe('io', () => {
  /** A device of the VM, as `cgroup_io` makes it. */
  function device(name: string): {
    set: (numbers: Partial<Record<IoLimit, number>>, limits?: Partial<Record<IoLimit, number>>) => void;
    row: number;
  } {
    tables.begin();
    const row = tables.cgroupDevices.add({ parent: subject, place: 0, name });
    const known = deviceRowsOf(tables);
    known.set(subject, [...(known.get(subject) ?? []), row]);
    tables.publish();
    const put = (columns: readonly Column[], numbers: Partial<Record<IoLimit, number>>): void => {
      IO_LIMITS.forEach((word, i) => {
        columns[i].front[row] = columns[i].back[row] = numbers[word] ?? Number.NaN;
      });
    };
    let limited: Partial<Record<IoLimit, number>> = {};
    return {
      row,
      set: (numbers, limits = limited) => {
        limited = limits;
        put(ofDevice.counters, numbers);
        put(ofDevice.limits, limits);
      },
    };
  }
  const tightest = (): unknown[] => [
    ratio('io'),
    at('limits.io.utilization_of'),
    tables.cgroupDevices.key(at('limits.io.utilization_device'))?.name,
    at('limits.io.limit_bytes_per_second'),
  ];

  it('is that of the device and the limit that is used up most, and usage is all that was moved', () => {
    const [sda, sdb] = [device('sda'), device('sdb')];
    sets({ numbers: { read: 10, write: 20 } });
    sda.set({ readBytes: 0, writeBytes: 0 }, { readBytes: 1000, writeBytes: 400 });
    sdb.set({ writeBytes: 0, readOperations: 0 }, { readOperations: 10 });
    sweep();
    expect(tightest()).toEqual([none, none, undefined, 400]);
    expect([pod('limit', 'io'), pod('usage', 'io')]).toEqual([400, 30]);
    sda.set({ readBytes: 4000, writeBytes: 200 });
    sdb.set({ writeBytes: 1e9, readOperations: 10 });
    sweep();
    expect(tightest()).toEqual([0.8, 0, 'sda', 1000]);
    sda.set({ readBytes: 4000, writeBytes: 200 });
    sdb.set({ writeBytes: 1e9, readOperations: 90 });
    sweep();
    expect(tightest()).toEqual([1.6, 2, 'sdb', 400]);
    expect(level('io')).toBe(1);
  });

  it('of requests alone keeps its level while its use is not known', () => {
    const sda = device('sda');
    let done = 0;
    for (let looks = 0; looks < 3; looks++) {
      sda.set({ readOperations: done }, { readOperations: 10 });
      sweep();
      done += 50;
    }
    const before = level('io');
    expect(before).toBeGreaterThan(0);
    sda.set({});
    sweep();
    expect(level('io')).toBe(none);
    sda.set({ readOperations: done });
    sweep();
    sda.set({ readOperations: done + 50 });
    sweep();
    expect(level('io')).toBe(before);
    sda.set({}, {});
    sweep();
    sda.set({ readOperations: done }, { readOperations: 10 });
    sweep();
    sda.set({ readOperations: done + 50 });
    sweep();
    expect(level('io')).toBe(0);
  });

  it('names no other device when that has gone', () => {
    const sda = device('sda');
    sda.set({ readBytes: 0 }, { readBytes: 1000 });
    sweep();
    sda.set({ readBytes: 100 });
    sweep();
    expect(tightest()[2]).toBe('sda');
    tables.begin();
    tables.cgroupDevices.remove(sda.row);
    deviceRowsOf(tables).delete(subject);
    tables.publish();
    expect(device('sdz').row).toBe(sda.row);
    sweep(1);
    expect(tightest().slice(0, 3)).toEqual([0.02, 0, undefined]);
  });

  it('has usage alone without limits, and is there where cgroup is not', () => {
    device('sda').set({ readBytes: 3 });
    sets({ cgroup: Outcome.notConfigured, numbers: { read: 3, write: 0 } });
    expect(sweep()).toBe(Outcome.ok);
    expect([pod('limit', 'io'), pod('usage', 'io'), pod('usage', 'cpu')]).toEqual([none, 3, none]);
  });
});

describe('a look', () => {
  it('comes every interval and a little before that; between two nothing moves', () => {
    sets({ numbers: { limit: 1000, memory: 100 } });
    sweep();
    sets({ numbers: { memory: 200 } });
    sweep(4000);
    expect([ratio('memory'), pod('usage', 'memory')]).toEqual([0.1, 100]);
    sweep(600);
    expect([ratio('memory'), pod('usage', 'memory')]).toEqual([0.2, 200]);
    settings.limitsIntervalMs = 60_000;
    sets({ numbers: { memory: 300 } });
    sweep(50_000);
    expect(ratio('memory')).toBe(0.2);
    sweep(10_000);
    expect(ratio('memory')).toBe(0.3);
  });

  it.each([Outcome.notConfigured, Outcome.gone, Outcome.notPermitted, Outcome.malformed])(
    'has the outcome %i of the others where neither read anything',
    (outcome) => {
      sets({ cgroup: outcome, io: Outcome.notConfigured });
      expect(sweep()).toBe(outcome);
      expect(sweep(1)).toBe(outcome);
    },
  );

  it('is busy where the others had no turn yet, and gone without a process', () => {
    sets({ cgroup: none as Outcome, io: none as Outcome });
    expect(sweep()).toBe(Outcome.busy);
    subject.process = null;
    expect(sweep()).toBe(Outcome.gone);
  });
});
