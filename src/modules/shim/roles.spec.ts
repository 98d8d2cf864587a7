import { beforeEach, describe, expect, it } from 'vitest';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { isVmmInShim } from '../../model/vmm-in-shim.js';
import { SHIM, VIRTIOFSD, VMM } from './roles.js';

let subject: FakeSubject;
beforeEach(() => {
  subject = new FakeSubject(new FakeProcess());
  subject.sandboxRow = 0;
  subject.record = { id: 'pod-1', sandbox: { vmmInShim: false } };
});
const concerned = (): boolean[] => [SHIM, VMM, VIRTIOFSD].map((role) => role.concerns(subject));

describe('roles', () => {
  it('concern no VM that is no sandbox', () => {
    subject.sandboxRow = -1;
    subject.companions.set('shim', new FakeProcess()).set('virtiofsd', new FakeProcess());
    expect(concerned()).toEqual([false, false, false]);
  });

  it('are a shim and a VMM for every sandbox, and a virtiofsd for those that have one', () => {
    expect(concerned()).toEqual([true, true, false]);
    subject.record = { ...subject.record, companions: [{ role: 'virtiofsd', pid: 9, startTicks: 1 }] };
    expect(concerned()).toEqual([true, true, true]);
  });

  it('keep a virtiofsd that ended for as long as the VMM lives', () => {
    subject.companions.set('virtiofsd', new FakeProcess());
    expect(VIRTIOFSD.concerns(subject)).toBe(true);
    subject.companions.clear();
    expect(VIRTIOFSD.concerns(subject)).toBe(true);
    subject.process = new FakeProcess();
    expect(VIRTIOFSD.concerns(subject)).toBe(false);
  });

  it('have no VMM of its own where it is in the shim, and do not forget that when Kata’s files go first', () => {
    subject.record = { id: 'pod-1', sandbox: { vmmInShim: true } };
    expect([isVmmInShim(subject), VMM.concerns(subject)]).toEqual([true, false]);
    subject.record = { id: 'pod-1' };
    expect([isVmmInShim(subject), VMM.concerns(subject)]).toEqual([true, false]);
    subject.process = new FakeProcess();
    expect(isVmmInShim(subject)).toBe(false);
    subject.record = { id: 'pod-1', hypervisor: 'dragonball' };
    expect(isVmmInShim(subject)).toBe(true);
  });
});
