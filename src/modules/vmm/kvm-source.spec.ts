import { beforeEach, describe, expect, it } from 'vitest';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { answering, EMPTY_ANSWER, KVM } from '../../../test/vmm-answer.js';
import { Outcome } from '../../model/outcome.js';
import type { KvmStatistics, Told, VmmAnswer } from './answer.js';
import { KvmSource } from './kvm-source.js';
import { VmmContact } from './vmm-contact.js';

const OTHER: KvmStatistics = { ...KVM, counters: new Map([['exits', 1]]) };

let subject: FakeSubject;
let contact: VmmContact;
let answer: VmmAnswer | null;
let file: Told<KvmStatistics>;
let source: KvmSource;
beforeEach(() => {
  subject = new FakeSubject(new FakeProcess());
  contact = new VmmContact(subject, 0);
  contact.begin(
    subject.process,
    answering('qemu', () => EMPTY_ANSWER),
  );
  answer = null;
  file = Outcome.notConfigured;
  source = new KvmSource({ answer: () => answer, known: () => contact }, { known: () => file });
});

/** One turn. @returns null where it has none */
const turn = (): Told<KvmStatistics> | null => (source.concerns(subject) ? source.read(subject) : null);
const says = (kvm: Told<KvmStatistics>): void => {
  answer = { ...EMPTY_ANSWER, kvm };
  contact.answered(answer, 0, 0);
};

describe('KVM’s counts', () => {
  it('come from the VMM where it tells them', () => {
    file = OTHER;
    says(KVM);
    expect(turn()).toBe(KVM);
  });

  it('come from debugfs where the VMM answers and does not tell them', () => {
    file = OTHER;
    says(Outcome.unsupported);
    expect(turn()).toBe(OTHER);
  });

  it('are nobody’s where QEMU has none to tell and debugfs gives none either: it runs without KVM', () => {
    subject.record = { id: 'vm-1', hypervisor: 'qemu' };
    says(Outcome.unsupported);
    expect(turn()).toBe(Outcome.unsupported);
    // A VMM that never tells them may well have KVM.
    subject.record = { id: 'vm-1', hypervisor: 'cloud-hypervisor' };
    expect(turn()).toBe(Outcome.notConfigured);
  });

  it('come from debugfs where the VMM cannot be asked, or does not answer', () => {
    file = OTHER;
    contact.rest(Outcome.notConfigured);
    expect(turn()).toBe(OTHER);
    subject = new FakeSubject(new FakeProcess());
    contact = new VmmContact(subject, 0);
    contact.begin(subject.process, null);
    expect(turn()).toBe(OTHER);
    contact.failed(Outcome.timeout);
    expect(turn()).toBe(OTHER);
  });

  it('wait for a VMM that is asked for the first time: it may tell them', () => {
    file = OTHER;
    expect(turn()).toBeNull();
    says(KVM);
    expect(turn()).toBe(KVM);
  });

  it('stay with the VMM for the life of the process, also while it does not tell them', () => {
    file = OTHER;
    says(KVM);
    turn();
    says(Outcome.timeout);
    expect(turn()).toBe(Outcome.timeout);
    answer = null;
    expect(turn()).toBeNull();
    says(KVM);
    expect(turn()).toBe(KVM);
  });

  it('stay with debugfs for the life of the process, also when the VMM begins to tell them', () => {
    file = OTHER;
    says(Outcome.timeout);
    turn();
    says(KVM);
    expect(turn()).toBe(OTHER);
    file = Outcome.lockdown;
    expect(turn()).toBe(Outcome.lockdown);
  });

  it('choose anew with another process', () => {
    file = OTHER;
    says(Outcome.timeout);
    turn();
    subject.process = new FakeProcess();
    says(KVM);
    expect(turn()).toBe(KVM);
  });

  it('choose no door that gave nothing', () => {
    file = Outcome.busy;
    says(Outcome.unsupported);
    expect(turn()).toBe(Outcome.busy);
    says(KVM);
    expect(turn()).toBe(KVM);
  });

  it('have no outcome at all for a VM that nobody asks on a host that tells nothing', () => {
    contact.rest(Outcome.notConfigured);
    for (const why of [Outcome.notConfigured, Outcome.lockdown, Outcome.busy, Outcome.unsupported]) {
      file = why;
      expect(turn()).toBeNull();
    }
  });

  it('need no asker', () => {
    file = OTHER;
    source = new KvmSource(undefined, { known: () => file });
    expect(turn()).toBe(OTHER);
  });

  it('are gone with the process', () => {
    file = OTHER;
    says(KVM);
    turn();
    subject.process = null;
    expect(source.read(subject)).toBe(Outcome.gone);
  });
});
