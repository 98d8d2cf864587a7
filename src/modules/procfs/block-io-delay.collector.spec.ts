import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { BlockIoDelayCollector } from './block-io-delay.collector.js';

let proc: FakeProc;
let tables: Tables;
let collector: BlockIoDelayCollector;
let process: FakeProcess;
let subject: FakeSubject;
beforeEach(() => {
  proc = new FakeProc();
  tables = new Tables();
  collector = new BlockIoDelayCollector(tables, proc.host());
  process = new FakeProcess(new Map());
  subject = new FakeSubject(process);
  subject.row = tables.instances.add(subject);
  collector.attach(subject);
  accounting('1\n');
});
afterEach(() => proc.close());

const accounting = (text: string): void => proc.write('sys/kernel/task_delayacct', text);
function thread(id: number, ticks: number | string): void {
  const fields = statLine({ pid: id, comm: 'worker' }).split(' ');
  fields[41] = String(ticks);
  process.files.set(`task/${id}/stat`, fields.join(' '));
}
function sweep(): Outcome {
  collector.begin();
  return collector.collect(subject);
}
function expectTicks(expected: number): void {
  expect(sweep()).toBe(Outcome.ok);
  expect(tables.instances.columns[0].back[subject.row]).toBe(expected);
}

describe('delay of block I/O', () => {
  it('is that of all threads, and of none is 0 by the word of the kernel', () => {
    thread(4242, 0);
    expectTicks(0);
    thread(4242, 3);
    thread(4243, 40);
    expectTicks(43);
  });

  it('of a thread that has ended stays', () => {
    thread(4242, 3);
    thread(4243, 40);
    expectTicks(43);
    process.files.delete('task/4243/stat');
    expectTicks(43);
    thread(4242, 4);
    thread(4243, 1);
    expectTicks(45);
  });

  it('of one thread that is no number is that of nobody', () => {
    thread(4242, 3);
    thread(4243, `${2 ** 64 - 1}`);
    expect(sweep()).toBe(Outcome.malformed);
    thread(4243, 5);
    expectTicks(8);
  });
});

describe('without accounting', () => {
  it('it is not known, and is not 0', () => {
    thread(4242, 0);
    accounting('0\n');
    expect(sweep()).toBe(Outcome.notConfigured);
  });

  it('a VM that lives by then never has any: its threads are not counted when it is switched on', () => {
    thread(4242, 0);
    accounting('0\n');
    sweep();
    accounting('1\n');
    expect(sweep()).toBe(Outcome.notConfigured);
    // The next one in the row began later.
    collector.detach(subject);
    collector.attach(subject);
    expectTicks(0);
  });

  it('nobody can tell on a kernel that has no such switch, and nothing is lost when it cannot be read', () => {
    thread(4242, 2);
    accounting('what');
    expect(sweep()).toBe(Outcome.malformed);
    accounting('1\n');
    expectTicks(2);
    const old = new FakeProc();
    const other = new BlockIoDelayCollector(new Tables(), old.host());
    other.attach(subject);
    expect(other.collect(subject)).toBe(Outcome.unsupported);
    old.close();
  });
});

it('reads the switch once a sweep', () => {
  thread(4242, 1);
  const host = proc.host();
  let read = 0;
  const { readText } = host;
  host.readText = (path, limit) => {
    read++;
    return readText.call(host, path, limit);
  };
  const counted = new BlockIoDelayCollector(new Tables(), host);
  counted.attach(subject);
  for (let sweeps = 1; sweeps < 4; sweeps++) {
    counted.begin();
    for (let vms = 0; vms < 5; vms++) counted.collect(subject);
    expect(read).toBe(sweeps);
  }
});
