import type { Subject } from '../../../model/collector.js';
import { Outcome } from '../../../model/outcome.js';
import type { HeldProcess } from '../../../model/process.js';
import type { VmmAnswer } from '../answer.js';
import type { Conversation, DialogueTools, Intrusion } from '../dialogue.js';
import { Batch, Findings } from './batch.js';
import type { Command } from './commands.js';
import type { Dialect } from './dialect.js';
import { type Door, doorsOf } from './door.js';
import { EventCounts } from './events.js';
import { type Failure, failureOf, QmpFailure } from './failure.js';
import { Monitor } from './monitor.js';
import { QmpSession, type Reply } from './session.js';

/**
 * A monitor that is free greets within a millisecond; one that serves somebody else, or hangs, never. For a reserved one there is the whole
 * round: nobody waits behind us there, and a machine can be busy.
 */
const GREETING_MS = 250;
/** Between two looks whether somebody waits for a monitor that is borrowed. */
const YIELD_MS = 10;
const MS_PER_SECOND = 1000;

/** One round of questions. */
interface Round {
  left(): number;
  /** @throws QmpFailure when nobody waits for its answer any more */
  goOn(): void;
  settle(answer: VmmAnswer | Failure): void;
}

interface Line {
  readonly session: QmpSession;
  readonly monitor: Monitor;
  readonly since: number;
}

/**
 * One VMM over QMP. A reserved monitor stays connected between rounds, because events come only to whoever is there; a borrowed one is asked
 * and left at once, and before its end where somebody waits for it. Nothing is connected to before the kernel has said that it is free, and
 * nothing is sent before the kernel has said that it was the held process that accepted.
 */
export class QmpConversation implements Conversation {
  private line: Line | null = null;
  private round: Round | null = null;
  private isEnded = false;
  private readonly monitors = new Map<string, Monitor>();
  private readonly findings = new Findings();
  private readonly events: EventCounts;
  private readonly cost = { connections: 0, questions: 0, connectedMs: 0 };

  constructor(
    private readonly subject: Subject,
    private readonly process: HeldProcess,
    private readonly tools: DialogueTools,
    private readonly dialect: Dialect,
  ) {
    this.events = new EventCounts(dialect.events);
  }

  get intrusion(): Intrusion {
    return { ...this.cost, connectedMs: this.cost.connectedMs + this.lineMs() };
  }

  ask(deadlineMs: number): Promise<VmmAnswer | Failure> {
    if (this.isEnded) return Promise.resolve(Outcome.gone);
    if (this.round) return Promise.resolve(Outcome.busy);
    const ends = performance.now() + deadlineMs;
    return new Promise((resolve) => {
      const round: Round = {
        left: () => Math.max(1, ends - performance.now()),
        goOn: () => {
          if (this.round !== round) throw new QmpFailure(Outcome.gone, 'the round is over');
        },
        settle: (answer) => {
          if (this.round !== round) return;
          clearTimeout(timer);
          this.round = null;
          if (typeof answer === 'number') this.hangUp(answer);
          resolve(answer);
        },
      };
      const timer = setTimeout(round.settle, deadlineMs, Outcome.timeout);
      this.round = round;
      this.talk(round).then(round.settle, (error: unknown) => round.settle(failureOf(error)));
    });
  }

  end(): void {
    this.isEnded = true;
    this.round?.settle(Outcome.gone);
    this.hangUp(Outcome.gone);
  }

  private async talk(round: Round): Promise<VmmAnswer> {
    const { session, monitor } = this.line ?? (await this.approach(round));
    const isBorrowed = monitor.door.kind === 'borrowed';
    session.renew();
    const execute = isBorrowed ? this.yielding(session, monitor) : (command: Command) => session.execute(command);
    const { settings, host } = this.tools;
    const pollingSeconds = settings.qmpBalloonPolling ? Math.max(1, Math.round(settings.vmmIntervalMs / MS_PER_SECOND)) : null;
    const told = await new Batch(execute, this.findings, { dialect: this.dialect, clock: host.clock, pollingSeconds }).run();
    round.goOn();
    const version = this.dialect.versionOf(session.version);
    // Nobody listens to a monitor that is left at once: 0 would be a lie.
    const events = isBorrowed || this.tools.stays?.() === false ? Outcome.unsupported : this.events.told;
    if (isBorrowed) this.hangUp(Outcome.gone);
    return { ...(version !== undefined && { version }), ...told, events };
  }

  /** The first monitor that lets us in. @throws what the first of them said */
  private async approach(round: Round): Promise<Line> {
    const doors = doorsOf(this.subject.record, this.tools.settings);
    if (typeof doors === 'number') throw new QmpFailure(doors, 'no monitor is for us');
    const errors: unknown[] = [];
    for (const door of doors) {
      try {
        return await this.enter(this.monitorOf(door), round);
      } catch (error) {
        round.goOn();
        this.hangUp(failureOf(error));
        errors.push(error);
      }
    }
    throw errors[0];
  }

  private async enter(monitor: Monitor, round: Round): Promise<Line> {
    await monitor.expectFree();
    round.goOn();
    const session = await monitor.open(round.left, (path) => this.connect(path, monitor, round));
    monitor.expectAlone();
    await this.greeted(session, monitor, round);
    await monitor.expectAccepted();
    round.goOn();
    monitor.expectAlone();
    await session.negotiate();
    if (this.line?.session !== session) throw new QmpFailure(Outcome.ioError, 'closed by the VMM');
    return this.line;
  }

  private async connect(path: string, monitor: Monitor, round: Round): Promise<QmpSession> {
    round.goOn();
    const session = await QmpSession.connect(path, round.left(), this.dialect, this.rights, {
      asked: () => this.cost.questions++,
      event: (name) => {
        if (this.events.hear(name)) this.tools.heard?.();
      },
      ended: () => this.lost(session),
    });
    this.cost.connections++;
    this.line = { session, monitor, since: this.now() };
    if (!this.round || this.round !== round) this.hangUp(Outcome.gone);
    round.goOn();
    return session;
  }

  private async greeted(session: QmpSession, monitor: Monitor, round: Round): Promise<void> {
    try {
      await session.greeted(monitor.door.kind === 'borrowed' ? Math.min(GREETING_MS, round.left()) : round.left());
    } catch (error) {
      if (failureOf(error) === Outcome.timeout) await monitor.abandoned();
      throw error;
    }
  }

  /** Of a borrowed monitor: whoever waits for it is let in before the next question. */
  private yielding(session: QmpSession, monitor: Monitor): (command: Command) => Promise<Reply> {
    let looked = performance.now();
    return async (command) => {
      if (performance.now() - looked > YIELD_MS) {
        monitor.expectAlone();
        looked = performance.now();
      }
      return session.execute(command);
    };
  }

  private get rights(): { readonly balloonPolling: boolean } {
    return { balloonPolling: this.tools.settings.qmpBalloonPolling };
  }

  private monitorOf(door: Door): Monitor {
    const key = `${door.kind} ${door.path}`;
    const monitor = this.monitors.get(key) ?? Monitor.of(door, this.process, this.tools.host, this.tools.settings);
    if (!monitor) throw new QmpFailure(Outcome.unsupported, 'a process without files');
    this.monitors.set(key, monitor);
    return monitor;
  }

  private hangUp(outcome: Failure): void {
    const { line } = this;
    if (!line) return;
    line.session.close(outcome);
    this.lost(line.session);
  }

  private lost(session: QmpSession): void {
    if (this.line?.session !== session) return;
    this.cost.connectedMs += this.lineMs();
    this.line = null;
  }

  private lineMs(): number {
    return this.line ? this.now() - this.line.since : 0;
  }

  private now(): number {
    return this.tools.host.clock.monotonic();
  }
}
