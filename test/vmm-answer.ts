import type { Hypervisor } from '../src/model/instance.js';
import { Outcome } from '../src/model/outcome.js';
import { DISK_NUMBERS, type KvmStatistics, VMM_EVENTS, type VmmAnswer, type VmmEvents, VNIC_NUMBERS } from '../src/modules/vmm/answer.js';
import type { Dialogue } from '../src/modules/vmm/dialogue.js';

const MIB = 2 ** 20;

/** The words with numbers that are all different. */
const counted = <Word extends string>(words: readonly Word[], from: number): Readonly<Partial<Record<Word, number>>> =>
  Object.fromEntries(words.map((word, index) => [word, from + index])) as Partial<Record<Word, number>>;

/** As query-stats and debugfs name them. */
export const KVM: KvmStatistics = {
  counters: new Map([
    ['exits', 111_000],
    ['io_exits', 70_123],
    ['mmio_exits', 901],
    ['halt_exits', 4_002],
    ['insn_emulation', 108_000_000],
    ['irq_injections', 5_003],
  ]),
  durations: new Map([
    ['halt_wait_ns', 1_500_000_000],
    ['halt_poll_success_ns', 20_000_001],
    ['halt_poll_fail_ns', 30_000_002],
  ]),
  gauges: new Map([
    ['pages_4k', 25_000],
    ['pages_2m', 12],
    ['pages_1g', 0],
  ]),
};

/** A VMM that tells everything there is to tell, which none does. */
export const FULL_ANSWER = {
  version: 'QEMU 7.2.22',
  state: { word: 'internal-error', state: 'degraded' },
  vcpus: [
    { index: 0, threadId: 4243 },
    { index: 1, threadId: 4244 },
  ],
  memory: { bytes: 128 * MIB, hotpluggedBytes: 16 * MIB, maxBytes: 512 * MIB },
  guest: {
    sampledMs: 1_700_000_990_000,
    totalBytes: 96 * MIB,
    freeBytes: 30 * MIB,
    availableBytes: 50 * MIB,
    diskCachesBytes: 20 * MIB,
    swapInBytes: 4096,
    swapOutBytes: 8192,
    majorFaults: 153,
    minorFaults: 20_441,
    hugetlbAllocations: 3,
    hugetlbFailures: 1,
    oomKills: 2,
  },
  balloon: { actualBytes: 80 * MIB, targetHeldBytes: 49 * MIB, inflations: 7, deflations: 5 },
  disks: [
    { device: 'virtio0', file: '/img/a.qcow2', format: 'qcow2', readOnly: false, numbers: counted(DISK_NUMBERS, 1_000_000_001) },
    { device: 'sd"0\n', file: 'C:\\b', numbers: { readBytes: 0 } },
  ],
  vnics: [{ device: 'net0', numbers: counted(VNIC_NUMBERS, 2_000) }],
  exits: { ioIn: 11, ioOut: 12, mmioRead: 13, mmioWrite: 14, failures: 0 },
  kvm: KVM,
  migration: {
    state: 'active',
    totalBytes: 130 * MIB,
    transferredBytes: 40 * MIB,
    remainingBytes: 90 * MIB,
    dirtyBytesPerSecond: 4096 * 250,
    sentBytesPerSecond: 33_554_432,
    iterations: 2,
    elapsedMilliseconds: 1_234,
    downtimeMilliseconds: 7,
    expectedDowntimeMilliseconds: 300,
  },
  events: counted(VMM_EVENTS, 40) as VmmEvents,
} as const satisfies VmmAnswer;

const { unsupported } = Outcome;
/** A VMM that answers and has nothing to say. */
export const EMPTY_ANSWER: VmmAnswer = {
  ...{ state: unsupported, vcpus: unsupported, memory: unsupported, guest: unsupported, balloon: unsupported, disks: unsupported },
  ...{ vnics: unsupported, exits: unsupported, kvm: unsupported, migration: unsupported, events: unsupported },
};

/** A way to ask VMMs of this kind that gives whatever there is to give now. */
export const answering = (hypervisor: Hypervisor, reply: () => VmmAnswer | Exclude<Outcome, typeof Outcome.ok>): Dialogue => ({
  hypervisor,
  name: 'qmp',
  standing: () => Outcome.ok,
  begin: () => ({
    intrusion: { connections: 1, questions: 12, connectedMs: 3 },
    ask: () => Promise.resolve(reply()),
    end: () => undefined,
  }),
});
