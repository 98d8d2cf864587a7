import type { Clock } from '../../host/clock.js';
import { spread } from '../../host/pacing.js';
import type { Collector, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { Column } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';

const SUCCESS = gauge({
  name: 'vmgauge_collector_success',
  help: '1 when the collector read this instance, 0 when it is absent or failed; vmgauge_collector_outcome says why.',
  identity: 'id',
});

/** What the house knows of one collector's turns: cells per instance, sums over a sweep. */
export interface CollectorState {
  readonly collector: Collector;
  /** All instances concern it. */
  readonly isCommon: boolean;
  /** By row, what was found in the background; missing for a collector that is not detached. */
  readonly detached: Map<number, Outcome> | undefined;
  readonly enabled: boolean;
  readonly columns: readonly Column[];
  readonly sandboxColumns: readonly Column[];
  readonly outcome: Column;
  readonly seconds: Column;
  /** Monotonic milliseconds of the last turn. */
  readonly at: Column;
  readonly success: Column;
  /** It has had no turn yet, at any instance: none of its cells in the instance table holds anything. */
  isAsleep: boolean;
  /** Seconds spent in the last sweep, all instances. */
  sweepSeconds: number;
  lastSuccessMs: number | null;
  unexpected: number;
}

export interface Intervals {
  readonly slow: number;
  readonly threads: number;
}

/** Gives every collector its turn at one instance and writes down how it went. */
export class Sampler {
  readonly states: readonly CollectorState[];
  private readonly each: readonly CollectorState[];
  private readonly timed: readonly { readonly state: CollectorState; readonly interval: () => number; readonly due: number[] }[];
  private readonly closing: readonly CollectorState[];

  constructor(
    private readonly tables: Tables,
    collectors: readonly Collector[],
    enabled: (name: string) => boolean,
    intervals: () => Intervals,
    private readonly clock: Clock,
    private readonly report: (collector: string, error: unknown) => void,
  ) {
    this.states = collectors.map((collector) => stateOf(tables, collector, enabled(collector.about.name)));
    const active = this.states.filter((state) => state.enabled);
    const ofTier = (tier: string): CollectorState[] => active.filter(({ collector }) => collector.about.tier === tier);
    this.each = [...ofTier('sweep'), ...ofTier('detached')];
    this.timed = [
      ...ofTier('slow').map((state) => ({ state, interval: () => intervals().slow, due: [] })),
      ...ofTier('threads').map((state) => ({ state, interval: () => intervals().threads, due: [] })),
    ];
    this.closing = active.filter(({ collector }) => collector.about.closing);
  }

  get active(): readonly CollectorState[] {
    return this.states.filter(({ enabled }) => enabled);
  }

  attach(instance: Subject): void {
    for (const state of this.states) {
      if (state.enabled) this.guard(state, () => state.collector.attach?.(instance));
      else if (concerns(state, instance)) this.refuse(state, instance);
    }
    for (const { due } of this.timed) due[instance.row] = Number.NEGATIVE_INFINITY;
  }

  detach(instance: Subject): void {
    for (const state of this.active) this.guard(state, () => state.collector.detach?.(instance));
    for (const { detached } of this.states) detached?.delete(instance.row);
  }

  devices(instance: Subject): void {
    for (const state of this.states) {
      if (state.enabled) this.guard(state, () => state.collector.devices?.(instance));
      else if (concerns(state, instance)) this.refuse(state, instance);
    }
    // A VM that has just turned out to be a sandbox.
    for (const { state, due } of this.timed) if (state.collector.concerns) due[instance.row] = Number.NEGATIVE_INFINITY;
  }

  begin(): void {
    for (const state of this.states) state.sweepSeconds = 0;
  }

  /** What many instances share, read once a sweep; stops after each step so that the sweep may pause. */
  *shared(): Iterable<void> {
    for (const state of this.active) {
      try {
        yield* state.collector.begin?.() ?? [];
      } catch (error) {
        this.defect(state, error);
      }
    }
  }

  /** One instance, whose stat has just been read. @param now monotonic milliseconds @returns the clock's reading afterwards */
  sample(instance: Subject, now: number): number {
    let at = now;
    for (const state of this.each) at = this.turn(state, instance, at);
    for (const { state, interval, due } of this.timed) {
      const { row } = instance;
      if (now < due[row]) continue;
      const first = due[row] === Number.NEGATIVE_INFINITY;
      due[row] = now + interval() * (first ? spread(row) : 1);
      at = this.turn(state, instance, at);
    }
    return at;
  }

  /** The last totals of a zombie. */
  sampleClosing(instance: Subject, now: number): void {
    let at = now;
    for (const state of this.closing) at = this.turn(state, instance, at);
  }

  /** The work of a detached collector at one instance, for `detachedResult`. Never rejects. */
  async collectDetached(state: CollectorState, instance: Subject): Promise<Outcome> {
    try {
      return (await state.collector.collectDetached?.(instance)) ?? Outcome.unsupported;
    } catch (error) {
      this.defect(state, error);
      return Outcome.ioError;
    }
  }

  /** Takes over what a detached collector found; its cells are filled by its next turn. */
  detachedResult(state: CollectorState, row: number, outcome: Outcome): void {
    // A collector of another tier only prepares in the background what its own turn uses.
    if (!state.detached) return;
    state.detached.set(row, outcome);
    this.wake(state);
    state.at.front[row] = state.at.back[row] = this.clock.monotonic();
  }

  private turn(state: CollectorState, instance: Subject, started: number): number {
    const { row } = instance;
    let outcome: Outcome;
    try {
      if (!concerns(state, instance)) {
        if (!state.isAsleep && !Number.isNaN(state.outcome.back[row])) this.forget(state, instance);
        return started;
      }
      this.wake(state);
      outcome = state.collector.collect(instance);
    } catch (error) {
      outcome = Outcome.ioError;
      this.defect(state, error);
    }
    const detached = state.detached?.get(row);
    if (detached !== undefined) outcome = detached;
    if (outcome !== Outcome.ok) this.empty(state, instance);
    const ended = this.clock.monotonic();
    state.outcome.back[row] = outcome;
    state.success.back[row] = outcome === Outcome.ok ? 1 : 0;
    state.seconds.back[row] = (ended - started) / 1000;
    if (detached === undefined) state.at.back[row] = ended;
    state.sweepSeconds += (ended - started) / 1000;
    if (outcome === Outcome.ok) state.lastSuccessMs = ended;
    return ended;
  }

  private refuse(state: CollectorState, { row }: Subject): void {
    this.wake(state);
    state.outcome.back[row] = Outcome.notConfigured;
  }

  private wake(state: CollectorState): void {
    if (!state.isAsleep) return;
    state.isAsleep = false;
    this.tables.instances.wake(columnsOf(state));
  }

  private empty(state: CollectorState, instance: Subject): void {
    const { columns, sandboxColumns, collector } = state;
    const { row, sandboxRow } = instance;
    for (const column of columns) column.back[row] = Number.NaN;
    if (sandboxRow >= 0) for (const column of sandboxColumns) column.back[sandboxRow] = Number.NaN;
    if (collector.clear) this.guard(state, () => collector.clear?.(instance));
  }

  /** It concerned the instance before and does no more: nothing it said stays. */
  private forget(state: CollectorState, instance: Subject): void {
    this.empty(state, instance);
    for (const { back } of houseColumns(state)) back[instance.row] = Number.NaN;
  }

  private guard(state: CollectorState, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.defect(state, error);
    }
  }

  /** A defect of ours, not of the host; it must not cost other collectors or instances anything. */
  private defect(state: CollectorState, error: unknown): void {
    state.unexpected++;
    this.report(state.collector.about.name, error);
  }
}

const concerns = (state: CollectorState, instance: Subject): boolean => state.isCommon || state.collector.concerns?.(instance) !== false;

type Columns = Pick<CollectorState, 'columns' | 'outcome' | 'seconds' | 'at' | 'success'>;
const houseColumns = ({ outcome, seconds, at, success }: Columns): readonly Column[] => [outcome, seconds, at, success];
const columnsOf = (state: Columns): readonly Column[] => [...state.columns, ...houseColumns(state)];

function stateOf(tables: Tables, collector: Collector, enabled: boolean): CollectorState {
  const { name } = collector.about;
  const cell = (word: string): Column => tables.instances.column(metric({ json: `collectors.${name}.${word}` }));
  const declared = new Set(collector.metrics);
  const state = {
    collector,
    isCommon: collector.concerns === undefined,
    detached: enabled && collector.about.tier === 'detached' ? new Map<number, Outcome>() : undefined,
    enabled,
    columns: tables.instances.columns.filter((column) => declared.has(column.metric)),
    sandboxColumns: tables.sandboxes.columns.filter((column) => collector.sandboxMetrics?.includes(column.metric)),
    outcome: cell('outcome'),
    seconds: cell('seconds'),
    at: cell('at'),
    success: tables.instances.column(metric({ json: `collectors.${name}.success`, family: SUCCESS, labels: { collector: name } })),
    isAsleep: collector.concerns !== undefined,
    sweepSeconds: 0,
    lastSuccessMs: null,
    unexpected: 0,
  };
  // Most hosts have no sandbox, and some have no VMM that may be asked: what would be known of those costs them no memory and no copying.
  if (state.isAsleep) tables.instances.sleep(columnsOf(state));
  return state;
}
