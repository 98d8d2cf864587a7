import type { Host } from '../../host/host.js';
import type { Subject } from '../../model/collector.js';
import type { Hypervisor } from '../../model/instance.js';
import type { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import type { Settings } from '../../model/settings.js';
import type { PassThrough } from '../shim/pass-through.js';
import type { VmmAnswer } from './answer.js';

/** What a conversation may use of the house. */
export interface DialogueTools {
  readonly host: Host;
  readonly settings: Settings;
  /** Whether a conversation goes on after its first round; a command asks once. */
  readonly stays?: () => boolean;
  /** To be called when the VMM said something of its own accord: it is asked soon what became of it. */
  readonly heard?: () => void;
  /** What shims of Kata sandboxes said over their own sockets. */
  readonly shims: PassThrough | null;
}

/** How one kind of VMM is asked. One file plus one line in dialogues.ts. */
export interface Dialogue {
  readonly hypervisor: Hypervisor;
  /** How it is called in documents and in the member `dialogue` of the stats document. */
  readonly name: 'qmp' | 'cloud-hypervisor-api' | 'firecracker-api' | 'shim';
  /**
   * Whether this instance's VMM may be asked, by configuration and by what is known of it; touches nothing that it could notice, costs little:
   * it is asked in every sweep. notConfigured: switched off, or no door that is for us. notPermitted: somebody else's door. unsupported: it has none.
   */
  standing(subject: Subject, tools: DialogueTools): Outcome;
  /** One conversation with one process; nothing is opened yet. */
  begin(subject: Subject, process: HeldProcess, tools: DialogueTools): Conversation;
}

/** What asking cost the VMM. Counts only grow. */
export interface Intrusion {
  readonly connections: number;
  /** Requests, commands, negotiation included. */
  readonly questions: number;
  readonly connectedMs: number;
}

export interface Conversation {
  readonly intrusion: Intrusion;
  /**
   * One round of questions. Settles within the deadline, connecting included; whatever a VMM does is an outcome, never an error. A topic that
   * is not told does not spoil the others. Nothing of one that is not the process that `begin` was given is ever an answer.
   */
  ask(deadlineMs: number): Promise<VmmAnswer | Exclude<Outcome, typeof Outcome.ok>>;
  /** Closes what is open, at once; a question under way ends with `gone`. May be called twice. */
  end(): void;
}
