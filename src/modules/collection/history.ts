import type { Column } from '../../model/table.js';

/** Frames between two of which a window is measured, besides the last two sweeps. */
const SPACED_FRAMES = 62;
const SPACING_MS = 5000;
export const MAX_WINDOW_SECONDS = (SPACED_FRAMES * SPACING_MS) / 1000;

interface Frame {
  readonly atMs: number;
  /** Column by column, `capacity` rows each; behind the counters the times of those that not every sweep reads. */
  readonly cells: Float64Array;
  readonly capacity: number;
}

/** Growth of one counter per second over a window that really was `windowSeconds` long. */
export interface Rates {
  readonly windowSeconds: number;
  readonly perSecond: ReadonlyMap<string, number | null>;
}

/**
 * The counters that have a rate, sweep by sweep: the last two sweeps always, older ones at least 5 s apart, five minutes in all. At 3,000
 * instances about 11 MB.
 */
export class History {
  private readonly columns: readonly Column[];
  /** By counter: place of the column that says when it was read, monotonic milliseconds; -1 for one that every sweep reads. */
  private readonly readAt: readonly number[];
  private readonly kept: readonly Column[];
  private previous: Frame | null = null;
  private latest: Frame | null = null;
  private readonly spaced: Frame[] = [];

  /** @param readAt when a counter was last read, monotonic milliseconds, for those that not every sweep reads */
  constructor(columns: readonly Column[], readAt: ReadonlyMap<Column, Column> = new Map()) {
    this.columns = columns.filter(({ metric }) => metric.rate !== undefined);
    const times = [...new Set(this.columns.flatMap((column) => readAt.get(column) ?? []))];
    this.kept = [...this.columns, ...times];
    this.readAt = this.columns.map((column) => {
      const time = readAt.get(column);
      return time ? this.columns.length + times.indexOf(time) : -1;
    });
  }

  /** After a publish: keeps the cells that readers now see. */
  record(atMs: number): void {
    this.previous = this.latest;
    this.latest = this.frame(atMs);
    const last = this.spaced.at(-1);
    if (!last || atMs - last.atMs >= SPACING_MS) this.spaced.push(this.latest);
    if (this.spaced.length > SPACED_FRAMES) this.spaced.shift();
  }

  /**
   * Rates of a row since its counters started, at most over the window; over the last two sweeps without one. null while there is only one
   * sweep to look at. A counter that is unknown at either end, or went back, has no rate. One that not every sweep reads has that of its last
   * two readings, or of those furthest apart in the window, over the time between them; no growth between two sweeps is not 0 there but unknown.
   */
  rates(row: number, sinceMs: number, windowSeconds?: number): Rates | null {
    const { latest } = this;
    const from = this.from(sinceMs, windowSeconds);
    if (!latest || !from || from === latest) return null;
    const seconds = (latest.atMs - from.atMs) / 1000;
    const perSecond = new Map<string, number | null>();
    this.columns.forEach(({ metric }, index) => {
      if (metric.rate === undefined) return;
      const isTimed = this.readAt[index] >= 0;
      const growth = isTimed ? this.timed(index, row, sinceMs, windowSeconds) : growthOf(index, row, from, latest) / seconds;
      perSecond.set(metric.rate, growth >= 0 && Number.isFinite(growth) ? growth / 10 ** metric.decimals : null);
    });
    return { windowSeconds: seconds, perSecond };
  }

  /** Growth per second between two readings; NaN where there are not two. */
  private timed(index: number, row: number, sinceMs: number, windowSeconds: number | undefined): number {
    const { latest } = this;
    if (!latest) return Number.NaN;
    const at = (frame: Frame): number => (row < frame.capacity ? frame.cells[this.readAt[index] * frame.capacity + row] : Number.NaN);
    const end = at(latest);
    const isEarlier = (frame: Frame): boolean => at(frame) < end && at(frame) >= sinceMs;
    const start = latest.atMs - (windowSeconds === undefined ? Number.NaN : windowSeconds * 1000 + SPACING_MS / 2);
    const from =
      windowSeconds === undefined ? this.spaced.findLast(isEarlier) : this.spaced.find((frame) => isEarlier(frame) && at(frame) >= start);
    return from ? growthOf(index, row, from, latest) / ((end - at(from)) / 1000) : Number.NaN;
  }

  private from(sinceMs: number, windowSeconds: number | undefined): Frame | null {
    if (windowSeconds === undefined) return this.previous && this.previous.atMs >= sinceMs ? this.previous : null;
    if (!this.latest) return null;
    // The oldest frame inside the window; one a little older serves better than one much younger.
    const start = this.latest.atMs - windowSeconds * 1000 - SPACING_MS / 2;
    const inside = this.spaced.find(({ atMs }) => atMs >= start && atMs >= sinceMs);
    if (inside && inside !== this.latest) return inside;
    return this.previous && this.previous.atMs >= sinceMs ? this.previous : null;
  }

  private frame(atMs: number): Frame {
    const capacity = this.columns[0]?.front.length ?? 1;
    const cells = new Float64Array(capacity * this.kept.length);
    this.kept.forEach(({ front }, index) => {
      cells.set(front, index * capacity);
    });
    return { atMs, cells, capacity };
  }
}

const growthOf = (index: number, row: number, from: Frame, to: Frame): number =>
  row < from.capacity ? to.cells[index * to.capacity + row] - from.cells[index * from.capacity + row] : Number.NaN;
