import type { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import type { Settings, TracingBlock } from '../../model/settings.js';
import { BlockTrial } from './block-trial.js';
import type { TracingClient } from './session.js';
import {
  allOff,
  blocksOn,
  boundedRequest,
  type Hindrance,
  type Started,
  statesOf,
  type TraceEnd,
  type TraceRequest,
  type TraceRun,
  type TraceSource,
} from './trace-source.js';
import type { BlockReason, BlockStates } from './words.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Something may be installed or mounted later. */
const LOOK_MS = MINUTE;
/** From the start to the first tick, beside an interval: two seconds on a busy machine, so that this is patient. */
const START_MS = 30 * SECOND;
const MISSED_TICKS = 3;
const LATE_MS = 5 * SECOND;
const UNWANTED_MS = MINUTE;
const FIRST_PAUSE_MS = SECOND;
const LONGEST_PAUSE_MS = MINUTE;
const QUIET_MS = 5 * MINUTE;
/** Maps never forget keys, and sums of nanoseconds outgrow JSON's numbers after 104 days. */
const OLD_MS = 24 * HOUR;
/** A client that always finds its maps too full does not have the program started all the time. */
const YOUNG_MS = 10 * SECOND;
/** Where no block can be attached: trying them all costs a second each. */
const HOPELESS_MS = HOUR;

/** Why a life ended. `attach`: it could not begin. `trial`: it told what was to be known of a block. */
export const TRACE_ENDS = [
  ...['crashed', 'stalled', 'flooded', 'start_timeout', 'attach', 'helper_gone', 'trial', 'renewed', 'not_wanted', 'closed'],
] as const;
export type TraceEnding = (typeof TRACE_ENDS)[number];
const IS_FAILURE: ReadonlySet<TraceEnding> = new Set(['crashed', 'stalled', 'flooded', 'start_timeout', 'helper_gone']);

export const OUTCOMES: Readonly<Record<BlockReason, Outcome>> = {
  not_wanted: Outcome.ok,
  no_bpftrace: Outcome.notConfigured,
  no_tracefs: Outcome.notConfigured,
  no_helper: Outcome.notConfigured,
  no_permission: Outcome.notPermitted,
  lockdown: Outcome.lockdown,
  no_btf: Outcome.unsupported,
  missing_tracepoint: Outcome.unsupported,
  verifier: Outcome.unsupported,
  crashed: Outcome.ioError,
};

const TICK = /^\{\s*"type":\s*"printf",\s*"data":\s*"tick\b/;

/** One run, from its start to its end. */
interface Life {
  /** Null until it is started. */
  run: TraceRun | null;
  blocks: BlockStates;
  readonly slots: number;
  readonly intervalMs: number;
  readonly startedAt: number;
  /** Of the last tick; null before the first. */
  tickAt: number | null;
  /** Looks in a row at which it was overdue: what it said may wait behind the look. */
  overdue: number;
  /** Told to end, and why. */
  ending: TraceEnding | null;
  isOver: boolean;
  /** The client has heard that it began. */
  isTold: boolean;
  isRenewalAsked: boolean;
}

export interface AttachFailure {
  readonly block: TracingBlock;
  readonly reason: BlockReason;
  count: number;
}

/**
 * Has bpftrace run while there is somebody to trace, and never two of it: started when it is wanted, watched, ended, and started again after ever
 * longer pauses. A block of probes that the kernel refuses is found and left out.
 */
export class TraceSupervisor {
  /** Counters of this agent's life. */
  starts = 0;
  readonly ends = new Map<TraceEnding, number>(TRACE_ENDS.map((ending) => [ending, 0]));
  readonly attachFailures: AttachFailure[] = [];
  /** Milliseconds since 1970; null before the first. */
  lastTickMs: number | null = null;

  private clientOf: TracingClient | null = null;
  private life: Life | null = null;
  private trial: BlockTrial | null = null;
  private readonly blamed = new Map<TracingBlock, BlockReason>();
  /** A trial has said what it could. */
  private isTried = false;
  private lookedAt: number | null = null;
  /** Of the last look, before anything is started. */
  private found: Hindrance | null = null;
  /** Of the last start. */
  private refusal: Hindrance | null = null;
  private unwantedSince: number | null = null;
  private failures = 0;
  private lastFailure: Outcome = Outcome.ok;
  private notBefore = Number.NEGATIVE_INFINITY;
  private isClosed = false;

  /** @param report a line for the log; `isNews`: somebody should read it */
  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
    private readonly source: TraceSource,
    private readonly report: (line: string, isNews: boolean) => void,
  ) {}

  serve(client: TracingClient): void {
    this.clientOf = client;
  }

  get client(): TracingClient | null {
    return this.clientOf;
  }

  get isOff(): boolean {
    return this.settings.tracing === 'off';
  }

  get isLookedAt(): boolean {
    return this.lookedAt !== null;
  }

  /** Why nothing can be traced; null where something is, or nobody has found a reason. */
  get hindrance(): Hindrance | null {
    return this.isUp ? null : (this.found ?? this.refusal);
  }

  /** Whether something is traced now. */
  get isUp(): boolean {
    return this.life?.isTold === true && this.life.ending === null;
  }

  /** Null while that is not known: it was never looked at, or is being tried. */
  get blocks(): BlockStates | null {
    if (this.isOff || this.lookedAt === null) return null;
    if (this.life && this.isUp) return this.withBlame(this.life.blocks);
    if (this.hindrance) return this.off(this.hindrance.reason);
    if (this.failures > 0) return this.off('crashed');
    return this.life ? null : this.off('not_wanted');
  }

  /** One look, about every second. It starts and ends the program and waits for neither. */
  async supervise(): Promise<Outcome> {
    if (this.isOff || this.isClosed) return Outcome.notConfigured;
    const now = this.host.clock.monotonic();
    if (this.life) return this.watch(this.life, now);
    if (this.lookedAt === null || now - this.lookedAt >= LOOK_MS) this.look(now);
    if (this.found) return OUTCOMES[this.found.reason];
    if (now < this.notBefore && this.refusal) return OUTCOMES[this.refusal.reason];
    if (!this.clientOf) return Outcome.notConfigured;
    if (!this.clientOf.isWanted()) return Outcome.ok;
    if (now < this.notBefore) return this.lastFailure;
    await this.begin(this.clientOf, now);
    return this.refusal && !this.life ? OUTCOMES[this.refusal.reason] : Outcome.busy;
  }

  /** Ends what runs; nothing is started any more. */
  close(): void {
    this.isClosed = true;
    if (this.life) this.end(this.life, 'closed');
  }

  /** Whether it could be traced, for whoever asks before the first look. */
  lookNow(): Hindrance | null {
    if (this.lookedAt === null && !this.isOff) this.look(this.host.clock.monotonic());
    return this.hindrance;
  }

  private look(now: number): void {
    this.lookedAt = now;
    const found = this.source.hindrance();
    if (found) this.tell(found, this.found);
    this.found = found;
  }

  private refuse(refusal: Hindrance, notBefore: number): void {
    this.tell(refusal, this.refusal);
    this.refusal = refusal;
    this.notBefore = notBefore;
  }

  private tell({ words }: Hindrance, before: Hindrance | null): void {
    if (words !== before?.words) this.report(`nothing is traced: ${words}`, this.settings.tracing === 'on');
  }

  private async begin(client: TracingClient, now: number): Promise<void> {
    const blocks = this.trial ? this.trial.blocks : this.settings.tracingBlocks.filter((block) => !this.blamed.has(block));
    const request = this.requestFor(blocks, client.slots());
    const life: Life = {
      ...{ run: null, blocks: allOff(blocks, 'not_wanted'), slots: request.slots, intervalMs: request.intervalMs, startedAt: now },
      ...{ tickAt: null, overdue: 0, ending: null, isOver: false, isTold: false, isRenewalAsked: false },
    };
    this.life = life;
    this.unwantedSince = null;
    const started = await this.source.start(request, {
      line: (text) => this.take(life, text),
      ended: (end) => this.over(life, end),
    });
    if (!started.run) return this.refused(life, started);
    this.starts++;
    life.run = started.run;
    life.blocks = started.blocks;
    if (life.isOver) return;
    if (this.isClosed || life.ending !== null) this.end(life, life.ending ?? 'closed');
  }

  private refused(life: Life, { hindrance, blocks }: Extract<Started, { run: null }>): void {
    this.life = null;
    life.isOver = true;
    const now = this.host.clock.monotonic();
    // That the helper does not serve now says nothing of a block.
    const culprit = hindrance.reason === 'no_helper' ? null : this.trial?.failed();
    if (culprit) {
      this.settle(culprit, blocks[culprit] ?? hindrance.reason, now);
    } else {
      this.failures++;
      this.refuse(hindrance, now + this.pauseMs());
    }
  }

  private watch(life: Life, now: number): Outcome {
    life.run?.renew();
    const isUnwanted = this.clientOf?.isWanted() !== true;
    if (!isUnwanted) this.unwantedSince = null;
    else this.unwantedSince ??= now;
    if (life.ending !== null) return now - life.startedAt > START_MS && !life.isTold ? Outcome.timeout : Outcome.busy;
    const { tickAt, startedAt, intervalMs } = life;
    const isLate = tickAt === null ? now - startedAt > START_MS + intervalMs : now - tickAt > MISSED_TICKS * intervalMs + LATE_MS;
    life.overdue = isLate ? life.overdue + 1 : 0;
    if (life.overdue > 1) this.end(life, tickAt === null ? 'start_timeout' : 'stalled');
    else if (this.unwantedSince !== null && now - this.unwantedSince >= UNWANTED_MS) this.end(life, 'not_wanted');
    else if (now - startedAt >= OLD_MS || (life.isRenewalAsked && now - startedAt >= YOUNG_MS)) this.renew(life, now);
    else return life.isTold ? Outcome.ok : Outcome.busy;
    return Outcome.busy;
  }

  private renew(life: Life, now: number): void {
    // Perhaps there is another bpftrace by now, that can what the one before could not.
    if (now - life.startedAt >= OLD_MS) this.forgetBlame();
    this.end(life, 'renewed');
  }

  private end(life: Life, ending: TraceEnding): void {
    life.ending ??= ending;
    life.run?.end();
  }

  private take(life: Life, text: string): void {
    if (life.isOver || text === '') return;
    if (life.ending === null && TICK.test(text)) this.tick(life);
    // One that is told to end tells all totals once more.
    if (life.isTold) this.clientOf?.line(text);
  }

  private tick(life: Life): void {
    const { clock } = this.host;
    const isFirst = life.tickAt === null;
    life.tickAt = clock.monotonic();
    this.lastTickMs = clock.now();
    if (!isFirst) {
      if (life.tickAt - life.startedAt >= QUIET_MS) this.failures = 0;
      return;
    }
    if (this.trial && !this.isTrialOver(this.trial, life)) {
      this.end(life, 'trial');
      return;
    }
    life.isTold = true;
    this.refusal = null;
    this.clientOf?.began({
      blocks: this.withBlame(life.blocks),
      slots: life.slots,
      ring: (numbers) => {
        if (!life.isOver && life.ending === null) life.run?.ring(numbers);
      },
      renew: () => {
        life.isRenewalAsked = true;
      },
    });
  }

  /** The block that was tried can be attached. @returns whether this life may be the one that stays */
  private isTrialOver(trial: BlockTrial, life: Life): boolean {
    trial.attached();
    if (!trial.isOver) return false;
    this.trial = null;
    this.isTried = true;
    // It was tried with a shorter interval than it is to run with.
    return life.intervalMs === this.requestFor([], life.slots).intervalMs;
  }

  private requestFor(blocks: readonly TracingBlock[], slots: number): TraceRequest {
    return boundedRequest({ blocks, intervalMs: this.trial ? SECOND : this.settings.tracingIntervalMs, slots });
  }

  private over(life: Life, end: TraceEnd): void {
    life.isOver = true;
    if (this.life === life) this.life = null;
    const ending = life.ending ?? endingOf(end, life.tickAt !== null);
    this.ends.set(ending, (this.ends.get(ending) ?? 0) + 1);
    const now = this.host.clock.monotonic();
    this.notBefore = now + this.source.pauseMs;
    const isFailure = IS_FAILURE.has(ending);
    if (life.isTold) this.clientOf?.ended(isFailure ? 'crashed' : 'not_wanted');
    if (ending === 'closed') return;
    if (isFailure || ending === 'attach') this.report(`bpftrace: ${ending}${end.words === '' ? '' : `: ${end.words}`}`, true);
    if (this.trial && (isFailure || ending === 'attach')) {
      const culprit = this.trial.failed();
      if (culprit) this.settle(culprit, ending === 'attach' ? end.reason : 'crashed', now);
    } else if (ending === 'attach') this.blame(end, life, now);
    else if (isFailure) {
      this.failures++;
      this.lastFailure = ending === 'stalled' || ending === 'start_timeout' ? Outcome.timeout : Outcome.ioError;
      this.notBefore = now + Math.max(this.pauseMs(), this.source.pauseMs);
    }
  }

  /** The script could not be attached, and without one of its blocks it perhaps can. */
  private blame({ block, reason, words }: TraceEnd, life: Life, now: number): void {
    // No block can do anything about that.
    const isForAll = reason === 'no_permission' || reason === 'lockdown';
    const on = blocksOn(life.blocks);
    if (isForAll) this.refuse({ reason, words }, now + LOOK_MS);
    else if (block !== null && on.includes(block)) this.settle(block, reason, now);
    else if (on.length === 1) this.settle(on[0], reason, now);
    else if (this.isTried) this.giveUp(reason, now);
    else this.trial = new BlockTrial([...on]);
  }

  /** This block is left out from now on. */
  private settle(block: TracingBlock, reason: BlockReason, now: number): void {
    this.blamed.set(block, reason);
    const known = this.attachFailures.find((one) => one.block === block && one.reason === reason);
    if (known) known.count++;
    else this.attachFailures.push({ block, reason, count: 1 });
    if (this.trial && !this.trial.isOver) return;
    const good = this.trial ? this.trial.good : this.settings.tracingBlocks.filter((one) => !this.blamed.has(one));
    if (this.trial) this.isTried = true;
    this.trial = null;
    if (good.length === 0) this.giveUp(reason, now);
  }

  private giveUp(reason: BlockReason, now: number): void {
    this.refuse({ reason, words: 'no block of probes could be attached' }, now + HOPELESS_MS);
    this.forgetBlame();
  }

  private forgetBlame(): void {
    this.blamed.clear();
    this.isTried = false;
  }

  private pauseMs(): number {
    return Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.failures - 1, 30), LONGEST_PAUSE_MS);
  }

  private withBlame(blocks: BlockStates): BlockStates {
    return statesOf((block) => this.blamed.get(block) ?? blocks[block]);
  }

  private off(reason: BlockReason): BlockStates {
    return this.withBlame(allOff(this.settings.tracingBlocks, reason));
  }
}

function endingOf({ cause }: TraceEnd, hasTicked: boolean): TraceEnding {
  switch (cause) {
    case 'flooded':
      return 'flooded';
    case 'gone':
      return 'helper_gone';
    case 'failed':
      return hasTicked ? 'crashed' : 'attach';
    default:
      return 'crashed';
  }
}
