import { timeLeft } from '../../host/deadline.js';
import type { Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { ticksToMilliseconds } from '../../model/units.js';
import { type Balloon, type Disk, isTold, type Told, type VmmAnswer } from './answer.js';
import type { Conversation, Dialogue, DialogueTools, Intrusion } from './dialogue.js';
import type { FirecrackerCounters } from './firecracker-counters.js';
import { FirecrackerMetrics } from './firecracker-metrics.js';
import { type ApiTopics, FirecrackerQuestions } from './firecracker-questions.js';
import { type NotOk, notOkOf } from './unix-api.js';

/** A Firecracker without an API has opened all it writes to by then: main.rs does that before anything else. */
const SETTLED_MS = 10_000;
/** Those that have no API and write nowhere. */
const MUTE = new WeakSet<HeldProcess>();

/**
 * Firecracker over its API socket, which serves ten clients, and by what it writes about itself into the file or FIFO that its owner gave it.
 * Only ever read: a flush that we asked for would take the numbers from whoever reads them.
 */
export const firecrackerDialogue: Dialogue = {
  hypervisor: 'firecracker',
  name: 'firecracker-api',
  standing({ process, record }, { settings }) {
    if (!process) return Outcome.gone;
    if (MUTE.has(process)) return Outcome.notConfigured;
    // Whether it writes metrics is seen only where it has them open.
    const hasDoor = settings.firecrackerMetrics !== 'off' || (settings.firecrackerApi && record.sockets?.[0] !== undefined);
    return hasDoor ? Outcome.ok : Outcome.notConfigured;
  },
  begin: (subject, process, tools) => new FirecrackerConversation(subject, process, tools),
};

class FirecrackerConversation implements Conversation {
  private readonly questions: FirecrackerQuestions | null;
  private readonly metrics: FirecrackerMetrics;
  private isEnded = false;

  constructor(
    private readonly subject: Subject,
    private readonly process: HeldProcess,
    private readonly tools: DialogueTools,
  ) {
    const { host, settings } = tools;
    // The source that knows best comes first, and argv has one.
    const path = settings.firecrackerApi ? subject.record.sockets?.[0] : undefined;
    this.questions = path === undefined ? null : new FirecrackerQuestions(process, path, host);
    this.metrics = FirecrackerMetrics.of(process, host);
  }

  get intrusion(): Intrusion {
    return this.questions?.intrusion ?? { connections: 0, questions: 0, connectedMs: 0 };
  }

  async ask(deadlineMs: number): Promise<VmmAnswer | NotOk> {
    if (this.isEnded) return Outcome.gone;
    const until = this.tools.host.clock.monotonic() + deadlineMs;
    // First: a FIFO that is not emptied loses what the VMM writes, whether or not its API answers. The API has half of the time at least.
    const written = await this.readMetrics(this.questions ? until - deadlineMs / 2 : until);
    const api = this.questions ? await this.questions.ask(until) : Outcome.notConfigured;
    if (this.isEnded) return Outcome.gone;
    if (typeof api === 'object' || (written === Outcome.ok && api !== Outcome.timeout)) return this.answer(api, written);
    if (this.questions) return api;
    if (this.metrics.isWithout) MUTE.add(this.process);
    return notOk(written);
  }

  end(): void {
    this.isEnded = true;
    this.questions?.end();
  }

  private get isBooted(): boolean {
    if (this.questions) return this.questions.isBooted;
    const { host } = this.tools;
    const hasApi = this.subject.record.sockets?.length !== 0;
    return !hasApi && host.bootMs !== null && host.clock.now() - host.bootMs - ticksToMilliseconds(this.process.startTicks) > SETTLED_MS;
  }

  /** @returns ok where the counters stand for all that was written */
  private async readMetrics(until: number): Promise<Outcome> {
    const { settings, host } = this.tools;
    if (settings.firecrackerMetrics === 'off') return Outcome.notConfigured;
    const left = timeLeft(until, () => host.clock.monotonic());
    // A sandbox's metrics are read by its shim, which passes them on; those of others by the agent, from which a command would take them.
    const foreign = this.subject.record.sandbox || this.tools.stays?.() === false ? Outcome.notPermitted : true;
    const fifo = settings.firecrackerMetrics === 'fifo' ? foreign : Outcome.notConfigured;
    try {
      return await this.metrics.catchUp({ fifo, isBooted: this.isBooted, left });
    } catch (error) {
      return notOkOf(error);
    }
  }

  private answer(api: ApiTopics | NotOk, written: Outcome): VmmAnswer {
    const { counters } = this.metrics;
    const told = <T>(value: (from: FirecrackerCounters) => T): Told<T> => (written === Outcome.ok ? value(counters) : notOk(written));
    const of: ApiTopics = typeof api === 'object' ? api : { state: api, memory: api, guest: api, balloon: api, drives: api };
    const { version, state, memory, guest, balloon, drives } = of;
    return {
      ...(version !== undefined && { version }),
      state,
      vcpus: Outcome.unsupported,
      memory,
      guest,
      balloon: withCounts(
        balloon,
        told(({ balloon }) => balloon),
      ),
      disks: together(
        drives,
        told(({ disks }) => disks),
      ),
      vnics: told(({ vnics }) => vnics),
      exits: told(({ exits }) => ({ ...exits })),
      kvm: Outcome.unsupported,
      migration: Outcome.unsupported,
      events: told(({ events }) => events),
    };
  }
}

const notOk = (outcome: Outcome): NotOk => (outcome === Outcome.ok ? Outcome.busy : outcome);

/** The counts stand at 0 in every line, whether or not there is a balloon: only the API tells that. */
const withCounts = (balloon: Told<Balloon>, counts: Told<Balloon>): Told<Balloon> =>
  isTold(balloon) && isTold(counts) ? { ...counts, ...balloon } : balloon;

/** Drives as configured, each with what was counted of it; those that only one of the two knows as well. */
function together(drives: Told<readonly Disk[]>, counted: Told<readonly Disk[]>): Told<readonly Disk[]> {
  if (!isTold(drives)) return counted;
  if (!isTold(counted)) return drives;
  const byDevice = new Map(counted.map((disk) => [disk.device, disk]));
  for (const drive of drives) {
    const { numbers = {} } = byDevice.get(drive.device) ?? {};
    byDevice.set(drive.device, { ...drive, numbers: { ...numbers, ...drive.numbers } });
  }
  return [...byDevice.values()];
}
