import { timeLeft } from '../../../host/deadline.js';
import { HostError } from '../../../host/host-error.js';
import { isDue } from '../../../host/pacing.js';
import { Outcome } from '../../../model/outcome.js';
import { type BridgePlan, bridgePlan } from './bridge-plan.js';
import { type Answers, type BridgeReading, bridgeReading } from './bridge-reading.js';
import type { OvsBridge } from './database.js';
import { OpenFlowClient } from './openflow-client.js';
import type { Version } from './openflow-messages.js';
import { FlowMonitor, FlowTally } from './openflow-monitor.js';
import type { TableCounters } from './switch-counters.js';
import { type Lacking, outcomeOfSwitch } from './switch-outcome.js';
import { isOnePathPart, withSwitchSocket } from './switch-socket.js';

/** Of one answer: 4096 ports of 160 bytes, 512 meters, 254 tables, and what nobody asked for. */
const ANSWER_BYTES = 4 << 20;
/** 80 bytes a change of a flow, until the next poll. */
const MONITOR_BYTES = 64 << 20;
/** Flows beyond which the switch is not asked to add them up: it walks them all, 26 ms at 100,000. */
const MAX_SUMMED_FLOWS = 20_000;
/** So many intervals a value is shown; how old it is can be seen. */
export const KEPT_INTERVALS = 3;

/** What a bridge may cost, and the clock of the house. */
export interface WatchTools {
  readonly intervalMs: number;
  readonly deadlineMs: number;
  readonly hasMonitor: boolean;
  /** Monotonic milliseconds. */
  now(): number;
}

/** The connections to one bridge, which stay, and what it last answered. */
export class BridgeWatch {
  /** Of the last poll; busy before the first. */
  outcome: Outcome = Outcome.busy;
  /** Changes of its flows; null while nobody has heard of any. */
  tally: FlowTally | null = null;
  private last: BridgeReading | null = null;
  private readonly clients = new Map<Version, OpenFlowClient>();
  private monitor: FlowMonitor | null = null;
  private hearing: Promise<void> | null = null;
  private askedAt: number | null = null;
  private answeredAt = Number.NEGATIVE_INFINITY;
  private inRow = 0;
  private isClosed = false;

  constructor(
    private readonly directory: string,
    private readonly name: string,
    private readonly tools: WatchTools,
  ) {}

  /**
   * Whether it answered, and whether it is still there: the end of a connection is seen at once. null before the first poll, where we may not
   * ask, and for one that answered and was not asked again for long, because nobody knows of its database.
   */
  get isUp(): boolean | null {
    if (this.outcome === Outcome.busy || this.outcome === Outcome.notPermitted) return null;
    if (this.outcome !== Outcome.ok || !this.isConnected) return false;
    return this.isFresh(this.answeredAt) ? true : null;
  }

  /**
   * What it last answered; null once that is too old. Of a switch that has ended nothing is shown, whereas one that was late may still have
   * what it had.
   */
  get reading(): BridgeReading | null {
    const { last } = this;
    return last && this.isConnected && this.isFresh(last.at) ? last : null;
  }

  /** @param bridge what the database says of it now, to be asked again afterwards; never rejects */
  async poll(bridge: () => OvsBridge | undefined): Promise<void> {
    const before = bridge();
    if (this.isClosed || !before || !this.isDue()) return;
    this.askedAt = this.tools.now();
    try {
      const { at, ...answers } = await this.ask(before);
      const after = bridge();
      if (this.isClosed || !after) return;
      this.last = bridgeReading(answers, before, after, at);
      this.answeredAt = this.tools.now();
      this.outcome = Outcome.ok;
      this.inRow = 0;
    } catch (error) {
      this.failed(outcomeOfSwitch(error));
    }
  }

  /** Something changed in the database: whoever was silent may speak again. */
  news(): void {
    this.inRow = 0;
  }

  close(): void {
    this.isClosed = true;
    this.hangUp();
  }

  private isFresh(at: number): boolean {
    const { intervalMs, now } = this.tools;
    return now() - at <= KEPT_INTERVALS * intervalMs;
  }

  private get isConnected(): boolean {
    return this.clients.size > 0 && [...this.clients.values()].every(({ isOpen }) => isOpen);
  }

  /** One that only ever lets us wait is asked less often. */
  private isDue(): boolean {
    const { askedAt, inRow, tools } = this;
    return isDue({ askedAt, inRow, phase: 0 }, tools.intervalMs, tools.now());
  }

  private async ask({ protocols }: OvsBridge): Promise<Answers & { readonly at: number }> {
    const plan = bridgePlan(protocols);
    if (!plan) throw new HostError('EPROTONOSUPPORT', `none of its versions ${protocols.join(', ')} is spoken here`);
    const { deadlineMs } = this.tools;
    const left = timeLeft(performance.now() + deadlineMs);
    await this.connect(plan, left);
    const at = this.tools.now();
    const [byName, byNumber] = [this.client(plan.tables), this.client(plan.numbers)];
    // Nobody waits for it: one that is silent would use up the time of the others.
    this.hearing ??= this.hear(plan).finally(() => {
      this.hearing = null;
    });
    const [tables, ports, meters] = await Promise.all([
      byName.tables(left()),
      byNumber.ports(left()),
      unlessUnsupported(plan.numbers === 1 ? null : byNumber.meters(left())),
    ]);
    const aggregate = flowsOf(tables) <= MAX_SUMMED_FLOWS ? await unlessUnsupported(byName.aggregate(left())) : null;
    return { tables, ports, meters, aggregate, at };
  }

  private async connect({ tables, numbers }: BridgePlan, left: () => number): Promise<void> {
    const wanted = new Set([tables, numbers]);
    for (const [version, client] of this.clients) {
      if (wanted.has(version) && client.isOpen) continue;
      client.close();
      this.clients.delete(version);
    }
    const missing = [...wanted].filter((version) => !this.clients.has(version));
    const made = await Promise.allSettled(missing.map((version) => this.open(version, left)));
    for (const one of made) if (one.status === 'rejected') throw one.reason;
  }

  private async open(version: Version, left: () => number): Promise<void> {
    const client = await this.dial(left, (path) =>
      OpenFlowClient.connect(path, [version], { deadlineMs: left(), answerBytes: ANSWER_BYTES }),
    );
    if (this.isClosed) client.close();
    else this.clients.set(version, client);
  }

  /** What it does not tell of its flows costs nothing else. */
  private async hear({ hasMonitor }: BridgePlan): Promise<void> {
    if (!this.tools.hasMonitor || !hasMonitor) return;
    const left = timeLeft(performance.now() + this.tools.deadlineMs);
    try {
      if (this.monitor?.isOpen) return await this.monitor.check(left());
      const tally = this.tally ?? new FlowTally();
      const monitor = await this.dial(left, (path) => FlowMonitor.open(path, tally, { deadlineMs: left(), answerBytes: MONITOR_BYTES }));
      this.tally = tally;
      this.monitor = monitor;
      if (this.isClosed) monitor.close();
    } catch {
      // It goes without, and is asked again at the next poll.
      this.monitor?.close();
    }
  }

  private dial<T>(left: () => number, connect: (path: string) => Promise<T>): Promise<T> {
    // Checked where names come in, too; here it is what the path depends on.
    if (!isOnePathPart(this.name)) throw new HostError('EINVAL', 'no name of a file');
    return withSwitchSocket(this.directory, `${this.name}.mgmt`, left, connect);
  }

  private client(version: Version): OpenFlowClient {
    const client = this.clients.get(version);
    if (!client) throw new Error(`not connected in version ${version}`);
    return client;
  }

  private failed(outcome: Lacking): void {
    this.outcome = outcome;
    // Where nobody listens, asking costs microseconds, and who comes back is seen at once.
    if (outcome !== Outcome.gone) this.inRow++;
    if (outcome !== Outcome.timeout && outcome !== Outcome.busy) this.hangUp();
  }

  private hangUp(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
    this.monitor?.close();
    this.monitor = null;
    this.last = null;
  }
}

const flowsOf = (tables: readonly TableCounters[]): number => tables.reduce((sum, { active }) => sum + active, 0);

/** null for what the switch has not got. */
async function unlessUnsupported<T>(answer: Promise<T> | null): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (outcomeOfSwitch(error) === Outcome.unsupported) return null;
    throw error;
  }
}
