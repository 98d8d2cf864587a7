import type { VmmEvent } from '../answer.js';
import { type Fields, fieldsOf, textOf } from '../json-fields.js';

export const TOPICS = ['vcpus', 'memory', 'guest', 'balloon', 'disks', 'kvm', 'migration'] as const;
export type Topic = (typeof TOPICS)[number];

/** How one VMM differs from another that speaks QMP. */
export interface Dialect {
  /** What it can be asked beside its state. A command that it lacks is not tried: StratoVirt does not even say whose error it is. */
  readonly topics: readonly Topic[];
  readonly cpus: { readonly command: 'query-cpus-fast' | 'query-cpus'; readonly index: string; readonly threadId: string };
  /** Events that it may send by its own name for them; those that it never sends are missing, because a 0 would be no knowledge. */
  readonly events: Readonly<Partial<Record<string, VmmEvent>>>;
  /** Whether an error without an id is the answer to what was asked last. */
  readonly answersWithoutId: boolean;
  /** @param version member `version` of the greeting */
  versionOf(version: Fields): string | undefined;
}

const VERSION_LIMIT = 64;

/** `QEMU 7.2.22` */
function numbered(name: string, value: unknown): string | undefined {
  const numbers = fieldsOf(value);
  const parts = [numbers?.major, numbers?.minor, numbers?.micro];
  return parts.every((part) => Number.isSafeInteger(part)) ? textOf(`${name} ${parts.join('.')}`, VERSION_LIMIT) : undefined;
}

/** QEMU from 2.12 on, qapi/*.json. MIGRATION is left out: it comes only where the owner of a VM switched that capability on. */
export const QEMU: Dialect = {
  topics: TOPICS,
  cpus: { command: 'query-cpus-fast', index: 'cpu-index', threadId: 'thread-id' },
  events: {
    GUEST_PANICKED: 'guest-panicked',
    GUEST_CRASHLOADED: 'guest-crashloaded',
    RESET: 'reset',
    POWERDOWN: 'powerdown',
    SHUTDOWN: 'shutdown',
    WATCHDOG: 'watchdog',
    BLOCK_IO_ERROR: 'block-io-error',
    MEMORY_FAILURE: 'memory-failure',
    BALLOON_CHANGE: 'balloon-change',
    STOP: 'stop',
    RESUME: 'resume',
    SUSPEND: 'suspend',
    WAKEUP: 'wakeup',
    DEVICE_DELETED: 'device-deleted',
  },
  answersWithoutId: false,
  versionOf: ({ qemu }) => numbered('QEMU', qemu),
};

/**
 * StratoVirt, machine_manager/src/qmp. Its lists of block devices are always empty, whatever disks there are, so they are not asked for; it
 * has no statistics of guest memory and says nothing of how much there is. It reads one command at a time, and of one that it does not know
 * the error has no id.
 */
export const STRATOVIRT: Dialect = {
  topics: ['vcpus', 'balloon', 'migration'],
  cpus: { command: 'query-cpus', index: 'CPU', threadId: 'thread_id' },
  events: { SHUTDOWN: 'shutdown', RESET: 'reset', STOP: 'stop', RESUME: 'resume', DEVICE_DELETED: 'device-deleted' },
  answersWithoutId: true,
  // Newer ones greet with the number of a QEMU that they are not, and name themselves in the package.
  versionOf: ({ StratoVirt, package: name }) =>
    numbered('StratoVirt', StratoVirt) ??
    (typeof name === 'string' && /^StratoVirt-\S/.test(name) ? textOf(name.replace('-', ' '), VERSION_LIMIT) : undefined),
};
