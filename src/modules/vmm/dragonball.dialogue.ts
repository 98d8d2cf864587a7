import type { Subject } from '../../model/collector.js';
import type { ASKABLE_SHIMS } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import type { LastWords, PassThrough } from '../shim/pass-through.js';
import type { VmmAnswer } from './answer.js';
import type { Conversation, Dialogue } from './dialogue.js';
import { eventsOf, exitsOf, itemsIn, SECCOMP, SIGNALS, VCPU } from './dragonball-words.js';

const SHIM = 'rust/dragonball' satisfies (typeof ASKABLE_SHIMS)[number];

/** Dragonball, a VMM inside Kata's shim without a door of its own: what the shim last said of it is read again, and nobody is asked anything. */
export const dragonballDialogue: Dialogue = {
  hypervisor: 'dragonball',
  name: 'shim',
  standing(subject, { settings, shims }) {
    if (!subject.process) return Outcome.gone;
    const last = settings.shimSocketRuntimes.includes(SHIM) ? shims?.last(subject) : null;
    if (!last) return Outcome.notConfigured;
    if (last.isKept) return Outcome.ok;
    return last.outcome === Outcome.ok ? Outcome.busy : last.outcome;
  },
  begin: (subject, _, { shims }) => new DragonballConversation(subject, shims),
};

class DragonballConversation implements Conversation {
  /** What the shim is asked is counted where it is asked. */
  readonly intrusion = { connections: 0, questions: 0, connectedMs: 0 };
  private isEnded = false;

  constructor(
    private readonly subject: Subject,
    private readonly shims: PassThrough | null,
  ) {}

  async ask(): Promise<VmmAnswer | Exclude<Outcome, typeof Outcome.ok>> {
    const last = this.isEnded ? null : (this.shims?.last(this.subject) ?? null);
    if (!last) return Outcome.gone;
    // What it said before a question that it did not answer is older than it looks.
    if (last.outcome !== Outcome.ok) return last.outcome;
    return answerOf(last);
  }

  end(): void {
    this.isEnded = true;
  }
}

function answerOf(last: LastWords): VmmAnswer {
  const exits = exitsOf(itemsIn(last.linesOf(VCPU)));
  const events = eventsOf(itemsIn(last.linesOf(SECCOMP)), itemsIn(last.linesOf(SIGNALS)));
  return { ...NEVER_TOLD, exits: exits ?? Outcome.unsupported, events: events ?? Outcome.unsupported };
}

const { unsupported } = Outcome;
/** Dragonball counts its serial line, its balloon and its clock as well; no shim passes that on. */
const NEVER_TOLD = {
  ...{ state: unsupported, vcpus: unsupported, memory: unsupported, guest: unsupported, balloon: unsupported },
  ...{ disks: unsupported, vnics: unsupported, kvm: unsupported, migration: unsupported },
} as const;
