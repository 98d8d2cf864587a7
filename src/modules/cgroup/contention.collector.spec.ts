import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { CGROUP, errno, FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import type { Collector, CollectorClass } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { Sampler } from '../collection/sampler.js';
import { WaitCollector } from '../procfs/wait.collector.js';
import { ContentionCollector } from './contention.collector.js';
import { ThrottlingCollector } from './throttling.collector.js';

let proc: FakeProc;
let process: FakeProcess;
let tables: Tables;
let subject: FakeSubject;
let sampler: Sampler;
const disabled = new Set<string>();
beforeEach(() => {
  proc = new FakeProc();
  disabled.clear();
  begin();
});
afterEach(() => proc.close());

/** Another agent, that finds the same VM. The order of the constructors is not that of the turns. */
function begin(): void {
  tables = new Tables();
  const host = proc.host();
  const contention = new ContentionCollector(tables);
  const throttling = new ThrottlingCollector(tables, host);
  const collectors: readonly Collector[] = [new WaitCollector(tables), throttling, contention];
  const intervals = () => ({ slow: 0, threads: 0 });
  const report = (_: string, error: unknown): void => {
    throw error;
  };
  sampler = new Sampler(tables, collectors, (name) => !disabled.has(name), intervals, host.clock, report);
  proc.write('sys/fs/cgroup/cgroup.controllers', 'cpu\n');
  process = new FakeProcess();
  for (const path of process.files.keys()) if (path.endsWith('/schedstat')) process.files.delete(path);
  has(0, 0);
  attach();
}

function attach(): void {
  subject = new FakeSubject(process);
  tables.begin();
  subject.row = tables.instances.add(subject);
  sampler.attach(subject);
  tables.publish();
}

const throttled = (seconds: number): void =>
  proc.write(`sys/fs/cgroup${CGROUP}/cpu.stat`, `nr_periods 9\nnr_throttled 9\nthrottled_usec ${seconds * 1e6}\n`);
const waited = (seconds: number): unknown => process.files.set('task/4242/schedstat', `5000 ${seconds * 1e9} 7\n`);
function has(wait: number, throttling: number): void {
  waited(wait);
  throttled(throttling);
}

/** One sweep. @returns seconds of contention, or the outcome */
function sweep(): number | string {
  tables.begin();
  for (const _ of sampler.shared());
  sampler.sample(subject, 1e12);
  tables.publish();
  const front = (json: string): number =>
    tables.instances.columns.find(({ metric }) => metric.json === json)?.front[subject.row] ?? Number.NaN;
  const outcome = front('collectors.contention.outcome');
  const microseconds = front('cpu.contention_seconds');
  if (outcome === Outcome.ok) return microseconds / 1e6;
  expect(microseconds).toBeNaN();
  return `outcome ${outcome}`;
}

describe('contention', () => {
  it('is all of the wait where nothing is throttled', () => {
    has(3, 0);
    expect(sweep()).toBe(3);
    has(4.5, 0);
    expect(sweep()).toBe(4.5);
  });

  it('is what the wait grew by more than the throttled time between two readings', () => {
    has(3, 1);
    expect(sweep()).toBe(2);
    has(10, 6);
    expect(sweep()).toBe(4);
    has(10, 6);
    expect(sweep()).toBe(4);
  });

  it('never goes back when more is throttled than waited, and does not pay that back later', () => {
    has(3, 1);
    expect(sweep()).toBe(2);
    has(4, 8);
    expect(sweep()).toBe(2);
    has(6, 9);
    expect(sweep()).toBe(3);
  });

  it('starts at the difference of what is found: an agent that is started again goes on where it was, at most', () => {
    has(10, 4);
    expect(sweep()).toBe(6);
    has(10, 14);
    begin();
    has(10, 14);
    expect(sweep()).toBe(0);
  });

  it('starts anew with another process', () => {
    has(10, 4);
    expect(sweep()).toBe(6);
    tables.begin();
    sampler.detach(subject);
    tables.instances.remove(subject.row);
    tables.publish();
    process = new FakeProcess();
    has(1, 0);
    attach();
    throttled(0);
    expect(sweep()).toBe(1);
  });

  it.each([
    ['wait', () => process.files.set('task/4242/schedstat', errno('EACCES')), Outcome.notPermitted],
    ['wait', () => process.files.set('task/4242/schedstat', 'x\n'), Outcome.malformed],
    ['throttling', () => proc.write(`sys/fs/cgroup${CGROUP}/cpu.stat`, 'x\n'), Outcome.malformed],
    ['throttling', () => proc.write(`sys/fs/cgroup${CGROUP}/cpu.stat`, 'usage_usec 1\n'), Outcome.notConfigured],
  ] as const)('says what became of %s where that cannot be read, and loses nothing', (_, damage, outcome) => {
    has(3, 1);
    expect(sweep()).toBe(2);
    damage();
    expect(sweep()).toBe(`outcome ${outcome}`);
    has(6, 2);
    expect(sweep()).toBe(4);
  });

  it.each<CollectorClass>([WaitCollector, ThrottlingCollector])('is not configured without $about.name', ({ about }) => {
    disabled.add(about.name);
    begin();
    has(3, 1);
    expect(sweep()).toBe(`outcome ${Outcome.notConfigured}`);
  });
});
