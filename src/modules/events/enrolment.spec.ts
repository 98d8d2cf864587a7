import { describe, expect, it } from 'vitest';
import { statLine } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { FakeSession } from '../../../test/telling.js';
import { enrolDevice, enrolProcess, MAX_KEY, withdrawDevice, withdrawProcess } from './doorbell.js';
import { Enrolment } from './enrolment.js';
import { TracedInstance, type TracedProcess } from './traced-instance.js';

class Vmm extends FakeProcess {
  override readonly pid: number;

  constructor(pid: number) {
    super(new Map([['stat', statLine({ pid })]]));
    this.pid = pid;
  }

  end(): void {
    this.files.set('stat', errno('ESRCH'));
  }
}

function house() {
  const session = new FakeSession();
  const instance = new TracedInstance(new FakeSubject(null), 8);
  const vmm = new Vmm(100);
  return { session, enrolment: new Enrolment(session), instance, vmm, traced: instance.add(vmm) };
}
/** A telling that has the processes with these keys. */
function tell(enrolment: Enrolment, ...keys: readonly number[]): number {
  for (const key of keys) enrolment.has(key);
  return enrolment.turn();
}

describe('a key', () => {
  it('is used once, also for one that comes back', () => {
    const { enrolment, session, traced } = house();
    enrolment.enrol(traced);
    enrolment.withdraw(traced);
    expect([traced.key, enrolment.of(1)]).toEqual([0, undefined]);
    enrolment.enrol(traced);
    expect([traced.key, enrolment.of(1), enrolment.of(2)]).toEqual([2, undefined, traced]);
    expect(session.rung).toEqual([enrolProcess(100, 1), withdrawProcess(100), enrolProcess(100, 2)]);
  });

  it('is nobody’s who has none', () => {
    const { enrolment, session, traced } = house();
    enrolment.withdraw(traced);
    expect(session.rung).toEqual([]);
    expect([enrolment.of(0), enrolment.of(Number.NaN), enrolment.isTold(traced)]).toEqual([undefined, undefined, false]);
  });

  it('may be the last one: then another life begins', () => {
    const { enrolment, session, instance, traced } = house();
    Object.assign(enrolment, { lastKey: MAX_KEY - 1 });
    enrolment.enrol(traced);
    const next = instance.add(new Vmm(200));
    enrolment.enrol(next);
    expect([traced.key, next.key, session.rung.length, session.renewals]).toEqual([MAX_KEY, 0, 1, 1]);
  });
});

describe('a process', () => {
  it('that ends before it is rung for, or while it is, has no key, and its pid is nobody’s', () => {
    const { enrolment, session, instance, vmm, traced } = house();
    vmm.end();
    enrolment.enrol(traced);
    expect([traced.key, session.rung]).toEqual([0, []]);
    const ending = new Vmm(200);
    session.heard = ([word]) => word % 2 ** 28 > 0 && ending.end();
    const other = instance.add(ending);
    enrolment.enrol(other);
    expect([other.key, session.rung]).toEqual([0, [enrolProcess(200, 1), withdrawProcess(200)]]);
  });

  it('that ends while it is rung for again is taken back as well', () => {
    const { enrolment, session, vmm, traced } = house();
    enrolment.enrol(traced);
    tell(enrolment, 1);
    tell(enrolment, 1);
    session.heard = ([word]) => word % 2 ** 28 > 0 && vmm.end();
    tell(enrolment);
    expect([traced.key, session.rung.slice(1)]).toEqual([0, [enrolProcess(100, 1), withdrawProcess(100)]]);
    tell(enrolment);
    expect(session.rung).toHaveLength(3);
  });

  it('that had ended when a helper rang leaves no key to the next owner of its pid', () => {
    const { enrolment, session, vmm, traced } = house();
    enrolment.enrol(traced);
    tell(enrolment, 1);
    vmm.end();
    tell(enrolment, 1);
    expect([traced.key, enrolment.of(1), session.rung.at(-1)]).toEqual([0, undefined, withdrawProcess(100)]);
  });

  it('is told once a telling began after it was enrolled, and rung for again when that has it not', () => {
    const { enrolment, session, traced } = house();
    tell(enrolment, 7);
    enrolment.enrol(traced);
    expect([tell(enrolment), enrolment.isTold(traced), session.rung.length]).toEqual([0, false, 1]);
    expect([tell(enrolment), enrolment.isTold(traced), session.rung.length]).toEqual([0, true, 2]);
    expect([tell(enrolment, 1), session.rung.length]).toEqual([1, 2]);
  });

  it('keeps its key when another that had its pid is taken back, unless it has ended too', () => {
    const { enrolment, session, instance, traced } = house();
    const [next, last] = [new Vmm(100), new Vmm(100)];
    const [second, third] = [instance.add(next), instance.add(last)];
    for (const one of [traced, second, third]) enrolment.enrol(one);
    next.end();
    enrolment.withdraw(traced);
    expect(session.rung.slice(3)).toEqual([withdrawProcess(100), enrolProcess(100, 3)]);
    session.heard = ([word]) => word % 2 ** 28 > 0 && last.end();
    enrolment.withdraw(second);
    expect([third.key, session.rung.slice(5)]).toEqual([0, [withdrawProcess(100), enrolProcess(100, 3), withdrawProcess(100)]]);
  });
});

describe('a device', () => {
  const TAP = { namespace: 4_026_532_000, index: 7 };

  it('has a key that is no process’s', () => {
    const { enrolment, session, instance, traced } = house();
    const device = instance.addDevice(TAP);
    enrolment.enrol(traced);
    enrolment.enrolDevice(device);
    expect([device.key, enrolment.of(2)]).toEqual([2, device]);
    expect([tell(enrolment, 1), tell(enrolment, 1), session.rung.length]).toEqual([1, 1, 2]);
    enrolment.withdrawDevice(device);
    enrolment.withdrawDevice(device);
    expect(session.rung.slice(1)).toEqual([enrolDevice(TAP.namespace, 7, 2), withdrawDevice(TAP.namespace, 7)]);
  });

  it('stays that of the VM that has it now when the one before goes', () => {
    const { enrolment, session, instance } = house();
    const [before, now, other] = [TAP, { ...TAP }, { ...TAP, namespace: 5 }].map((device) => instance.addDevice(device));
    for (const device of [before, now, other]) enrolment.enrolDevice(device);
    enrolment.withdrawDevice(before);
    expect(session.rung.slice(3)).toEqual([withdrawDevice(TAP.namespace, 7), enrolDevice(TAP.namespace, 7, now.key)]);
  });
});

it('a thousand that come and go leave nothing behind', () => {
  const { enrolment, instance } = house();
  const crowd: TracedProcess[] = Array.from({ length: 1000 }, (_, i) => instance.add(new Vmm(1000 + i)));
  for (const traced of crowd) enrolment.enrol(traced);
  expect(enrolment.of(1000)).toBe(crowd[999]);
  for (const traced of crowd) enrolment.withdraw(traced);
  expect(Array.from({ length: 1000 }, (_, i) => enrolment.of(i + 1)).some((traced) => traced !== undefined)).toBe(false);
});
