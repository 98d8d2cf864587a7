import { beforeEach, describe, expect, it } from 'vitest';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { Host } from '../../host/host.js';
import type { Metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { LatencyCollector } from './latency.collector.js';
import { GUEST_DNS, SOURCE, SOURCES, TIMINGS } from './latency-metrics.js';
import { emptyMeasure, type Measure, Timing } from './measure.js';
import { allOff } from './trace-source.js';
import { TracedInstance } from './traced-instance.js';
import { TracedProcesses, type TracedReading } from './traced-processes.js';
import { TOTALS } from './traffic-metrics.js';
import { type Amount, type BlockStates, BOUND_COUNT, LATENCIES, type Latency } from './words.js';

/** What is known of all instances, as a test says. */
class Told extends TracedProcesses {
  reading: TracedReading | Outcome = Outcome.busy;
  readonly uncounted = new Set<Latency | Amount>();
  /** Of the life; null before the first. */
  on: BlockStates | null = null;

  constructor() {
    super(new Host(), new Settings(), () => Outcome.busy, null);
  }

  override get blocks(): BlockStates | null {
    return this.on;
  }

  override of(): TracedReading | Outcome {
    return this.reading;
  }

  override counts(what: Latency | Amount): boolean {
    return !this.uncounted.has(what);
  }
}

let tables: Tables;
let traced: Told;
let collector: LatencyCollector;
let subject: FakeSubject;
let instance: TracedInstance;
beforeEach(() => {
  tables = new Tables();
  traced = new Told();
  collector = new LatencyCollector(tables, new Host(), traced);
  subject = new FakeSubject(new FakeProcess());
  tables.begin();
  subject.row = tables.instances.add(subject);
  tables.publish();
  instance = new TracedInstance(subject, 8);
  traced.reading = { instance, source: 'ebpf' };
});

const named = (name: string): Measure => {
  const measure = instance.names.get(name) ?? emptyMeasure();
  instance.names.set(name, measure);
  return measure;
};
/** So many within the first bound and beyond the last one. */
function timing(within: number, beyond: number, sumNanoseconds = 5, lastNanoseconds = 1): Timing {
  const made = Object.assign(new Timing(), { count: within + beyond, sumNanoseconds, lastNanoseconds });
  made.buckets[0] = within;
  made.buckets[BOUND_COUNT] = beyond;
  return made;
}
function sweep(): Outcome {
  instance.version++;
  tables.begin();
  const outcome = collector.collect(subject);
  if (outcome !== Outcome.ok) collector.clear(subject);
  tables.publish();
  return outcome;
}
const cell = (metric: Metric, name: string): number => {
  const { rows, keys } = tables.tracedProcesses.order;
  const place = keys.findIndex((key) => key.name === name);
  return tables.tracedProcesses.columns.find((column) => column.metric === metric)?.front[rows[place]] ?? expect.fail('no cell');
};
const own = (metric: Metric): number =>
  tables.instances.columns.find((column) => column.metric === metric)?.front[subject.row] ?? Number.NaN;
const names = (): string[] => tables.tracedProcesses.order.keys.map(({ name }) => name);
const awake = (): number => tables.tracedProcesses.columns.filter(({ isAsleep }) => !isAsleep).length;
const histogram = (latency: Latency, name: string): number[] => {
  const { buckets, sum, count } = TIMINGS[latency];
  return [cell(buckets[0], name), cell(buckets[BOUND_COUNT], name), cell(sum, name), cell(count, name)];
};
const NONE = [Number.NaN, Number.NaN, Number.NaN, Number.NaN];

describe('a row', () => {
  it('is of each name, and has what was observed', () => {
    named('qemu').timings.set('rtt', timing(3, 2, 700, 90));
    named('qemu').amounts.set('send_bytes', 12);
    named('virtiofsd');
    expect(sweep()).toBe(Outcome.ok);
    expect([names(), own(SOURCE)]).toEqual([['qemu', 'virtiofsd'], SOURCES.indexOf('ebpf')]);
    expect([...histogram('rtt', 'qemu'), cell(TIMINGS.rtt.last, 'qemu')]).toEqual([3, 5, 700, 5, 90]);
    expect([cell(TOTALS.send_bytes, 'qemu'), cell(TOTALS.read_bytes, 'qemu')]).toEqual([12, Number.NaN]);
    expect(histogram('rtt', 'virtiofsd')).toEqual(NONE);
    expect(histogram('dns', 'qemu')).toEqual(NONE);
  });

  it('has as many in its last bucket as in all, at every moment of growing', () => {
    const rtt = timing(0, 0);
    named('qemu').timings.set('rtt', rtt);
    for (let i = 0; i < 100; i++) {
      const bound = (i * 7) % (BOUND_COUNT + 1);
      rtt.buckets[bound] += i;
      rtt.count += i;
      rtt.sumNanoseconds += i;
      sweep();
      const values = TIMINGS.rtt.buckets.map((metric) => cell(metric, 'qemu'));
      if (i > 0) expect([values.at(-1), values]).toEqual([cell(TIMINGS.rtt.count, 'qemu'), [...values].sort((a, b) => a - b)]);
    }
  });

  it('has no distribution while its sum was not told, and none of nothing', () => {
    named('qemu')
      .timings.set('rtt', timing(3, 0, 0, 90))
      .set('dns', timing(0, 0, 5, Number.NaN));
    sweep();
    expect([histogram('rtt', 'qemu'), histogram('dns', 'qemu')]).toEqual([NONE, NONE]);
    expect([cell(TIMINGS.rtt.last, 'qemu'), cell(TIMINGS.dns.last, 'qemu')]).toEqual([90, Number.NaN]);
    expect(awake()).toBe(LATENCIES.length + Object.keys(TOTALS).length);
    named('qemu').timings.set('rtt', timing(3, 0, 8, 90));
    sweep();
    expect(histogram('rtt', 'qemu')).toEqual([3, 3, 8, 3]);
  });

  it('stays what it is while nothing changed', () => {
    named('qemu').timings.set('rtt', timing(3, 0));
    sweep();
    const [before] = tables.tracedProcesses.order.keys;
    tables.begin();
    collector.collect(subject);
    tables.publish();
    sweep();
    expect(tables.tracedProcesses.order.keys[0]).toBe(before);
    expect(histogram('rtt', 'qemu')).toEqual([3, 3, 5, 3]);
  });
});

describe('of a source that counts nothing', () => {
  it('the latest is known, the distribution is empty, and the totals go on', () => {
    named('qemu')
      .timings.set('rtt', timing(3, 2, 700, 90))
      .set('cpu_block', timing(1, 0));
    named('qemu').amounts.set('send_bytes', 12);
    sweep();
    traced.reading = { instance, source: 'proc' };
    named('qemu').amounts.set('send_bytes', 13);
    sweep();
    expect([histogram('rtt', 'qemu'), histogram('cpu_block', 'qemu')]).toEqual([NONE, NONE]);
    expect([cell(TIMINGS.rtt.last, 'qemu'), cell(TOTALS.send_bytes, 'qemu'), own(SOURCE)]).toEqual([90, 13, SOURCES.indexOf('proc')]);
    traced.reading = { instance, source: 'ebpf' };
    sweep();
    expect(histogram('rtt', 'qemu')).toEqual([3, 5, 700, 5]);
  });

  it('as far as it counts nothing', () => {
    traced.uncounted.add('rtt');
    named('qemu')
      .timings.set('rtt', timing(3, 2, 700, 90))
      .set('dns', timing(1, 0));
    sweep();
    expect([histogram('rtt', 'qemu'), cell(TIMINGS.rtt.last, 'qemu'), cell(TIMINGS.dns.count, 'qemu')]).toEqual([NONE, 90, 1]);
  });

  it('columns of distributions cost nothing', () => {
    const instances = tables.instances.columns.filter(({ isAsleep }) => !isAsleep).length;
    traced.reading = { instance, source: 'proc' };
    named('qemu').timings.set('rtt', timing(0, 0, 0, 90));
    sweep();
    expect([awake(), instances]).toEqual([LATENCIES.length + Object.keys(TOTALS).length, 1]);
    traced.reading = { instance, source: 'ebpf' };
    named('qemu').timings.set('dns', timing(1, 0));
    sweep();
    expect([awake(), histogram('dns', 'qemu'), histogram('rtt', 'qemu')]).toEqual([
      LATENCIES.length + Object.keys(TOTALS).length + BOUND_COUNT + 3,
      [1, 1, 5, 1],
      NONE,
    ]);
  });
});

describe('of an instance', () => {
  it('the guest’s lookups are its own', () => {
    instance.guest.timings.set('dns', timing(4, 1, 9, 2));
    sweep();
    const { buckets, sum, count, last } = GUEST_DNS;
    expect([buckets[0], buckets[BOUND_COUNT], sum, count, last].map(own)).toEqual([4, 5, 9, 5, 2]);
    traced.reading = { instance, source: 'proc' };
    sweep();
    expect([buckets[0], sum, count, last].map(own)).toEqual(NONE);
  });

  it('that has another process nothing of the one before is left', () => {
    named('qemu').amounts.set('send_bytes', 12);
    named('old').amounts.set('send_bytes', 1);
    sweep();
    instance = new TracedInstance(subject, 8);
    traced.reading = { instance, source: 'ebpf' };
    named('qemu');
    sweep();
    expect([names(), cell(TOTALS.send_bytes, 'qemu')]).toEqual([['qemu'], Number.NaN]);
  });

  it('of which nothing is known there is no row, and why is said', () => {
    named('qemu').amounts.set('send_bytes', 12);
    sweep();
    traced.reading = Outcome.notPermitted;
    expect([sweep(), names()]).toEqual([Outcome.notPermitted, []]);
    traced.reading = { instance, source: 'ebpf' };
    expect([sweep(), names(), cell(TOTALS.send_bytes, 'qemu')]).toEqual([Outcome.ok, ['qemu'], 12]);
    subject.process = null;
    expect(sweep()).toBe(Outcome.gone);
  });

  it('another name or another life makes its rows anew', () => {
    named('qemu').timings.set('dns', timing(1, 0));
    sweep();
    named('virtiofsd').amounts.set('read_bytes', 4);
    sweep();
    expect([names(), cell(TOTALS.read_bytes, 'virtiofsd')]).toEqual([['qemu', 'virtiofsd'], 4]);
    traced.uncounted.add('dns');
    traced.on = null;
    sweep();
    expect(histogram('dns', 'qemu')).toEqual([1, 1, 5, 1]);
    traced.on = allOff([], 'not_wanted');
    sweep();
    expect(histogram('dns', 'qemu')).toEqual(NONE);
  });
});

it('without anybody who traces it says so', () => {
  const alone = new LatencyCollector(new Tables(), new Host());
  expect(alone.collect(subject)).toBe(Outcome.notConfigured);
});
