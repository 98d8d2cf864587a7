import { beforeEach, describe, expect, it } from 'vitest';
import { Outcome } from '../../model/outcome.js';
import type { Thread } from '../shim/threads.js';
import type { Told, VcpuThread } from './answer.js';
import { VcpuFinder, type Witnesses } from './vcpu-sources.js';

let kvm: Told<readonly VcpuThread[]>;
let vmm: Told<readonly VcpuThread[]>;
let heard: string[];
let translate: (threadId: number) => number | undefined;
let finder: VcpuFinder;
beforeEach(() => {
  kvm = vmm = Outcome.unsupported;
  heard = [];
  translate = (id) => id;
  finder = new VcpuFinder();
});
const witnesses: Witnesses = {
  kvm: () => {
    heard.push('kvm');
    return kvm;
  },
  vmm: () => {
    heard.push('vmm');
    return vmm;
  },
  translator: () => (id) => translate(id),
};
const said = (...ids: number[]): VcpuThread[] => ids.map((threadId, index) => ({ index, threadId }));
const thread = (id: number, name = 'qemu', start = 500): Thread => ({ key: `${id}@${start}`, name, ticks: 1, guestTicks: 0 });
/** Thread ids by vCPU. */
const find = (...threads: Thread[]): Record<number, number> =>
  Object.fromEntries([...finder.find(threads, witnesses)].map(([index, { key }]) => [index, Number.parseInt(key, 10)]));

const NAMED = [thread(10), thread(11, 'CPU 0/KVM'), thread(12, 'CPU 1/KVM')];
const BARE = [thread(10), thread(11), thread(12)];

describe('which thread is which vCPU', () => {
  it('is told by names where nobody else tells', () => {
    expect(find(...NAMED)).toEqual({ 0: 11, 1: 12 });
  });

  it('is told by nobody where names say nothing either', () => {
    expect(find(...BARE)).toEqual({});
    expect(find(thread(10), thread(11, 'ALL CPUs/TCG'))).toEqual({});
  });

  it('is told by the VMM rather than by names', () => {
    vmm = said(12, 10);
    expect(find(...NAMED)).toEqual({ 0: 12, 1: 10 });
  });

  it('is told by the VMM in its own numbers, without those that are nobody’s', () => {
    vmm = said(2, 3, 99);
    translate = (id) =>
      new Map([
        [2, 11],
        [3, 12],
        [99, 4000],
      ]).get(id);
    expect(find(...BARE)).toEqual({ 0: 11, 1: 12 });
    finder = new VcpuFinder();
    translate = () => undefined;
    expect(find(...BARE)).toEqual({});
  });

  it('is told by nobody for vCPUs that share a thread', () => {
    vmm = said(11, 11, 12, 11);
    expect(find(...BARE)).toEqual({ 2: 12 });
    vmm = said(11, 11);
    finder = new VcpuFinder();
    expect(find(...BARE)).toEqual({});
  });

  it('is told by KVM, under the numbers that names give', () => {
    kvm = said(12, 11);
    expect(find(...NAMED, thread(13, 'CPU 7/KVM'))).toEqual({ 0: 11, 1: 12 });
  });

  it('is told by KVM, under the numbers that the VMM gives', () => {
    kvm = said(11, 12);
    vmm = [
      { index: 4, threadId: 12 },
      { index: 2, threadId: 11 },
    ];
    expect(find(...BARE)).toEqual({ 2: 11, 4: 12 });
  });

  it('is told by KVM in its own order where names and the VMM do not know each of its threads', () => {
    kvm = said(11, 10);
    vmm = said(12, 11);
    expect(find(...NAMED)).toEqual({ 0: 11, 1: 10 });
  });

  it('is not told by KVM for what is no thread of the process', () => {
    kvm = said(4000, 4001);
    expect(find(...NAMED)).toEqual({ 0: 11, 1: 12 });
  });
});

describe('names', () => {
  it('belong to the oldest thread that bears them: a thread bears its maker’s name until it gets its own', () => {
    expect(find(thread(30, 'CPU 0/KVM', 400), thread(11, 'CPU 0/KVM', 300), thread(12, 'CPU 0/KVM', 300))).toEqual({ 0: 11 });
  });

  it('of 600 threads that claim one vCPU make one', () => {
    expect(find(...Array.from({ length: 600 }, (_, n) => thread(1000 + n, 'CPU 7/KVM')))).toEqual({ 7: 1000 });
  });
});

describe('a source', () => {
  it('is asked as long as it tells, although a better one comes up, and so is its successor', () => {
    vmm = said(12, 11);
    expect(find(...BARE)).toEqual({ 0: 12, 1: 11 });
    kvm = said(11, 12);
    expect(find(...BARE, thread(13))).toEqual({ 0: 12, 1: 11 });
    vmm = Outcome.timeout;
    expect(find(...BARE)).toEqual({ 0: 11, 1: 12 });
    vmm = said(12, 11);
    expect(find(...BARE, thread(13))).toEqual({ 0: 11, 1: 12 });
  });

  it('is heard again when a thread came, went or took another name, and not in each turn', () => {
    kvm = said(11, 12);
    find(...NAMED);
    const count = (): number => heard.filter((name) => name === 'kvm').length;
    for (let turn = 0; turn < 5; turn++) find(...NAMED);
    expect(count()).toBe(1);
    find(...NAMED, thread(13));
    expect(count()).toBe(2);
    find(...NAMED, thread(13, 'worker'));
    expect(count()).toBe(3);
    find(...NAMED, thread(13, 'worker', 501));
    expect(count()).toBe(4);
    for (let turn = 0; turn < 11; turn++) find(...NAMED, thread(13, 'worker', 501));
    expect(count()).toBe(5);
  });

  it('is heard in each turn as long as nobody told anything, and each once a turn', () => {
    find(...BARE);
    find(...BARE);
    expect(heard).toEqual(['kvm', 'vmm', 'kvm', 'vmm']);
  });
});
