import type { Host } from '../../src/host/host.js';
import type { InstanceRecord } from '../../src/model/instance.js';
import type { Settings } from '../../src/model/settings.js';
import type { PassThrough } from '../../src/modules/shim/pass-through.js';
import type { VmmAnswer } from '../../src/modules/vmm/answer.js';

/** `hangs`: takes what comes and says nothing. `garbage`: says what is no protocol. `closes`: leaves in the middle of its first answer. */
export const MANNERS = ['answers', 'hangs', 'garbage', 'closes'] as const;
export type Manner = (typeof MANNERS)[number];

/** A VMM of one kind, played by the test's own process: what listens is what is held. */
export interface Peer {
  /** Connections so far. */
  readonly contacts: number;
  /** For a VMM that speaks through its shim. */
  readonly shims?: PassThrough;
  close(): Promise<void>;
}

/** What the contract suite needs to know of one dialogue. */
export interface Trial {
  /** Those that this kind of VMM can have; all where it is missing. */
  readonly manners?: readonly Manner[];
  /** Starts a peer. @param directory empty, its own */
  peer(directory: string, manner: Manner, host: Host): Promise<Peer>;
  /** The instance whose VMM the peer is. */
  record(directory: string): Omit<InstanceRecord, 'hypervisor'>;
  /** With these it may be asked. */
  readonly settings: Partial<Settings>;
  /** With these it may not, whatever the others say. */
  readonly off: Partial<Settings>;
  /** False for one that is not asked over a socket of the instance's record. */
  readonly needsSocket?: false;
  /** What the peer that answers must have told. */
  check(answer: VmmAnswer): void;
}
