import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { descriptorsHeld } from '../../host/held.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { VhostCollector } from './vhost.collector.js';

let proc: FakeProc;
let tables: Tables;
let collector: VhostCollector;
let subject: FakeSubject;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
  tables = new Tables();
  collector = new VhostCollector(tables, proc.host());
  subject = new FakeSubject(new FakeProcess());
  subject.row = tables.instances.add(subject);
  for (const pid of [90, 91]) proc.addProcess(pid, { comm: 'vhost-4242', userTicks: pid });
});
afterEach(() => {
  collector.detach(subject);
  expect(descriptorsHeld()).toBe(before);
  proc.close();
});

function attach(...threads: number[]): void {
  subject.vhostThreads = threads;
  collector.attach(subject);
}
const ticks = (): number => tables.instances.columns[0].back[subject.row];

describe('vhost', () => {
  it('adds up user and system ticks of all its threads', () => {
    attach(90, 91);
    expect(collector.collect(subject)).toBe(Outcome.ok);
    expect(ticks()).toBe(90 + 91 + 2 * 230);
    proc.write('90/stat', statLine({ pid: 90, userTicks: 100 }));
    collector.collect(subject);
    expect(ticks()).toBe(100 + 91 + 2 * 230);
  });

  it('is not configured without threads, and without those that ended since they were listed', () => {
    attach();
    expect(collector.collect(subject)).toBe(Outcome.notConfigured);
    attach(4_000_000);
    expect(collector.collect(subject)).toBe(Outcome.notConfigured);
  });

  it('says why it has no number when a thread cannot be held, and that the devices are to be looked at again', () => {
    proc.write('91/stat', 'garbage');
    attach(90, 91);
    expect(collector.collect(subject)).toBe(Outcome.ioError);
    expect(subject.devicesSuspect).toBe(1);
    proc.write('91/stat', statLine({ pid: 91 }));
    collector.devices(subject);
    expect(collector.collect(subject)).toBe(Outcome.ok);
  });

  it('gives no partial sum when a thread no longer parses', () => {
    attach(90, 91);
    proc.write('91/stat', '91 (x) S 1');
    expect(collector.collect(subject)).toBe(Outcome.malformed);
  });
});
