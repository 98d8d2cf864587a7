import { vcpuIndexOf } from '../procfs/vcpu-threads.js';
import type { Thread } from '../shim/threads.js';
import { isTold, type Told, type VcpuThread } from './answer.js';

/** Who says which thread is which vCPU. Each is asked only where the ones before it did not tell. */
export interface Witnesses {
  /** KVM: the threads in the order of its vCPUs. */
  kvm(): Told<readonly VcpuThread[]>;
  /** The VMM, in thread ids of its own PID namespace. */
  vmm(): Told<readonly VcpuThread[]>;
  /** Translates the latter into ours; the function gives undefined for what is no thread of the process. */
  translator(): (threadId: number) => number | undefined;
}

/** Threads by the index of the vCPU that each runs; empty where a source does not tell. */
type Vcpus = ReadonlyMap<number, Thread>;
type Source = (threads: ReadonlyMap<number, Thread>, witnesses: Witnesses) => Vcpus;

/** The key is id and start: `4243@271431`. */
export const idOf = ({ key }: Thread): number => Number.parseInt(key, 10);
const startOf = ({ key }: Thread): number => Number(key.slice(key.indexOf('@') + 1));

/** A thread bears its maker's name until it gets its own, so the oldest of a name is the one that was given it. */
const isOlder = (a: Thread, b: Thread): boolean => (startOf(a) - startOf(b) || idOf(a) - idOf(b)) < 0;

const byName: Source = (threads) => {
  const found = new Map<number, Thread>();
  for (const thread of threads.values()) {
    const index = vcpuIndexOf(thread.name);
    if (index === null) continue;
    const other = found.get(index);
    if (!other || isOlder(thread, other)) found.set(index, thread);
  }
  return found;
};

/** A thread that runs several vCPUs (QEMU's emulator without `thread=multi`) is none of them: nobody can tell their shares. */
function only(threads: ReadonlyMap<number, Thread>, told: Iterable<readonly [index: number, id: number | undefined]>): Vcpus {
  const indices = new Map<number, number | null>();
  for (const [index, id] of told) if (id !== undefined) indices.set(id, indices.has(id) ? null : index);
  const found = new Map<number, Thread>();
  for (const [id, index] of indices) {
    const thread = threads.get(id);
    if (thread && index !== null) found.set(index, thread);
  }
  return found;
}

const byVmm: Source = (threads, { vmm, translator }) => {
  const told = vmm();
  if (!isTold(told)) return new Map();
  const own = translator();
  return only(
    threads,
    told.map(({ index, threadId }) => [index, own(threadId)] as const),
  );
};

const byKvm: Source = (threads, { kvm }) => {
  const told = kvm();
  return isTold(told)
    ? only(
        threads,
        told.map(({ index, threadId }) => [index, threadId] as const),
      )
    : new Map();
};

/** The threads that KVM knows, under the numbers that another source has for each of them. */
const numberedBy =
  (numbers: Source): Source =>
  (threads, witnesses) => {
    const known = new Map([...byKvm(threads, witnesses).values()].map((thread) => [idOf(thread), thread]));
    const numbered = known.size === 0 ? known : numbers(known, witnesses);
    return numbered.size === known.size ? numbered : new Map();
  };

/**
 * In order of trust. KVM knows best which threads run vCPUs, but numbers them by APIC id; names and the VMM have the number that everybody
 * else uses. Where neither has, the order of KVM's numbers is that of the VMM's, unless vCPUs were added out of order.
 */
const SOURCES: readonly Source[] = [numberedBy(byName), numberedBy(byVmm), byKvm, byVmm, byName];

/** Turns after which the witnesses are heard again although no thread came, went or took another name. */
const BELIEVED_TURNS = 10;

const NOBODY: ReadonlyMap<number, string> = new Map();

/**
 * Which threads of one process run which vCPUs. The source that told first is asked as long as it tells, so that no vCPU changes its number
 * because another source came up.
 */
export class VcpuFinder {
  private chosen: Source | null = null;
  private seen = '';
  private believed = 0;
  private last = NOBODY;

  /** @returns nothing where nobody tells */
  find(threads: readonly Thread[], witnesses: Witnesses): Vcpus {
    const seen = threads.map(({ key, name }) => `${key} ${name}`).join('\n');
    if (seen !== this.seen || this.believed === 0) {
      this.last = keysOf(this.ask(threads, witnesses));
      this.seen = seen;
      this.believed = this.last.size > 0 ? BELIEVED_TURNS : 0;
    } else this.believed--;
    const byKey = new Map(threads.map((thread) => [thread.key, thread]));
    return new Map([...this.last].flatMap(([index, key]) => pair(index, byKey.get(key))));
  }

  private ask(threads: readonly Thread[], witnesses: Witnesses): Vcpus {
    const byId = new Map(threads.map((thread) => [idOf(thread), thread]));
    const patient = once(witnesses);
    for (const source of this.chosen ? [this.chosen, ...SOURCES] : SOURCES) {
      const found = source(byId, patient);
      if (found.size === 0) continue;
      this.chosen = source;
      return found;
    }
    return new Map();
  }
}

const keysOf = (vcpus: Vcpus): ReadonlyMap<number, string> =>
  vcpus.size === 0 ? NOBODY : new Map([...vcpus].map(([index, { key }]) => [index, key]));
const pair = (index: number, thread: Thread | undefined): [number, Thread][] => (thread ? [[index, thread]] : []);

/** Each witness is heard once, however many sources ask it. */
function once({ kvm, vmm, translator }: Witnesses): Witnesses {
  let ofKvm: Told<readonly VcpuThread[]> | undefined;
  let ofVmm: Told<readonly VcpuThread[]> | undefined;
  return {
    kvm() {
      ofKvm ??= kvm();
      return ofKvm;
    },
    vmm() {
      ofVmm ??= vmm();
      return ofVmm;
    },
    translator,
  };
}
