import { describe, expect, it } from 'vitest';
import { statLine } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import type { Hypervisor } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import { SilentVmm } from './silent-vmm.js';
import { VmmContact } from './vmm-contact.js';

const THREADS = { 4242: 'cloud-hypervisor', 4243: 'http-server', 4244: 'vmm', 4245: 'vcpu0' };

class Silence {
  readonly process = new FakeProcess(new Map([['stat', statLine({ pid: 4242 })]]));
  readonly contact = new VmmContact(new FakeSubject(this.process), 0);
  readonly vmm: SilentVmm;

  constructor(hypervisor: Hypervisor | undefined) {
    for (const [thread, comm] of Object.entries(THREADS)) {
      this.process.files.set(`task/${thread}/comm`, `${comm}\n`).set(`task/${thread}/stat`, statLine({ pid: Number(thread), comm }));
      this.runs(thread, 1);
    }
    this.vmm = new SilentVmm(this.process, hypervisor);
  }

  runs(thread: string, timeslices: number): void {
    this.process.files.set(`task/${thread}/schedstat`, `100 200 ${timeslices}\n`);
  }

  /** A question that begins now and was not answered a second later. */
  question(now: number): void {
    this.contact.askedAt = now;
    this.contact.failed(Outcome.timeout);
  }
}

describe('a silent VMM', () => {
  it.each<[Hypervisor, string]>([
    ['qemu', '4242'],
    ['stratovirt', '4242'],
    ['firecracker', '4242'],
    ['cloud-hypervisor', '4244'],
  ])('of kind %s is judged by thread %s alone', (hypervisor, answering) => {
    for (const thread of Object.keys(THREADS)) {
      const silence = new Silence(hypervisor);
      silence.question(1000);
      expect(silence.vmm.look(silence.contact, 2000)).toBe(true);
      silence.question(3000);
      silence.runs(thread, 2);
      silence.vmm.look(silence.contact, 4000);
      expect(silence.vmm.isProven).toBe(thread !== answering);
    }
  });

  it.each<Hypervisor | undefined>(['dragonball', 'kvm', 'unknown', undefined])('of kind %s is not judged', (hypervisor) => {
    const silence = new Silence(hypervisor);
    for (const now of [1000, 3000, 5000]) {
      silence.question(now);
      expect(silence.vmm.look(silence.contact, now + 1000)).toBe(false);
    }
    expect(silence.vmm.isProven).toBe(false);
  });

  it('of Cloud Hypervisor is not judged as long as the thread is not there', () => {
    const silence = new Silence('cloud-hypervisor');
    silence.process.files.set('task/4244/comm', 'other\n');
    silence.question(1000);
    expect(silence.vmm.look(silence.contact, 2000)).toBe(false);
    silence.process.files.set('task/4244/comm', 'vmm\n');
    expect(silence.vmm.look(silence.contact, 2000)).toBe(true);
  });

  it('is not judged by a question that is still under way, nor by one that began before the first look', () => {
    const silence = new Silence('qemu');
    silence.question(1000);
    silence.vmm.look(silence.contact, 2000);
    silence.contact.failed(Outcome.timeout);
    silence.vmm.look(silence.contact, 2500);
    expect(silence.vmm.isProven).toBe(false);
    silence.contact.pending = Promise.resolve();
    silence.question(3000);
    silence.vmm.look(silence.contact, 3500);
    expect(silence.vmm.isProven).toBe(false);
    silence.contact.pending = null;
    silence.vmm.look(silence.contact, 4000);
    expect(silence.vmm.isProven).toBe(true);
    // The next question does not take the proof of the last one away.
    silence.contact.pending = Promise.resolve();
    silence.question(5000);
    silence.vmm.look(silence.contact, 5500);
    expect([silence.vmm.isProven, silence.vmm.idleMs]).toEqual([true, 3500]);
  });
});
