import type { Clock } from '../../host/clock.js';
import { settledWithin } from '../../host/deadline.js';
import type { HostCollector } from '../../model/host-collector.js';
import { Outcome } from '../../model/outcome.js';

/** What the house knows of one host collector's readings. */
export interface HostCollectorState {
  readonly collector: HostCollector;
  readonly enabled: boolean;
  /** Of the last reading; busy before the first. */
  outcome: Outcome;
  /** That it took; null before the first. */
  seconds: number | null;
  /** Monotonic milliseconds of the end of the last reading, and of the last good one. */
  readAt: number | null;
  lastSuccessMs: number | null;
  /** Errors that no host can cause: defects of ours. */
  unexpected: number;
}

/** A reading has a deadline of its own, shorter than this; one that breaks it is not taken for the last good one for ever. */
const HUNG_MS = 60_000;

/** Gives every host collector its readings, one at a time each, and writes down how they went. */
export class HostCollection {
  readonly states: readonly HostCollectorState[];
  private readonly timers = new Map<HostCollectorState, NodeJS.Timeout>();
  private isStopped = false;

  constructor(
    collectors: readonly HostCollector[],
    enabled: (name: string) => boolean,
    private readonly clock: Clock,
    private readonly report: (collector: string, error: unknown) => void,
  ) {
    this.states = collectors.map((collector) => ({
      ...{ collector, enabled: enabled(collector.about.name), outcome: Outcome.busy },
      ...{ seconds: null, readAt: null, lastSuccessMs: null, unexpected: 0 },
    }));
  }

  get active(): readonly HostCollectorState[] {
    return this.states.filter(({ enabled }) => enabled);
  }

  /** What every sweep reads. */
  sweep(): void {
    for (const state of this.of('sweep')) {
      const started = this.clock.monotonic();
      try {
        const outcome = state.collector.read();
        if (typeof outcome !== 'number') throw new Error(`${state.collector.about.name} is no reading of a sweep`);
        this.note(state, outcome, started);
      } catch (error) {
        this.defect(state, error, started);
      }
    }
  }

  /** From now on those with a timer read by themselves. @returns when each has read once, but no longer than this */
  async start(firstMs: number): Promise<void> {
    await settledWithin(
      this.of('timer').map((state) => this.turn(state)),
      firstMs,
    );
  }

  stop(): void {
    this.isStopped = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const state of this.active) {
      try {
        state.collector.close?.();
      } catch (error) {
        state.unexpected++;
        this.report(state.collector.about.name, error);
      }
    }
  }

  private of(tier: 'sweep' | 'timer'): readonly HostCollectorState[] {
    return this.active.filter(({ collector }) => collector.about.tier === tier);
  }

  private async turn(state: HostCollectorState): Promise<void> {
    const started = this.clock.monotonic();
    const hung = setTimeout(() => {
      state.outcome = Outcome.timeout;
    }, HUNG_MS).unref();
    try {
      this.note(state, await state.collector.read(), started);
    } catch (error) {
      this.defect(state, error, started);
    } finally {
      clearTimeout(hung);
    }
    if (this.isStopped) return;
    const timer = setTimeout(() => void this.turn(state), state.collector.intervalMs);
    this.timers.set(state, timer.unref());
  }

  private note(state: HostCollectorState, outcome: Outcome, started: number): void {
    const now = this.clock.monotonic();
    state.outcome = outcome;
    state.seconds = (now - started) / 1000;
    state.readAt = now;
    if (outcome === Outcome.ok) state.lastSuccessMs = now;
  }

  private defect(state: HostCollectorState, error: unknown, started: number): void {
    this.note(state, Outcome.ioError, started);
    if (state.unexpected++ === 0) this.report(state.collector.about.name, error);
  }
}
