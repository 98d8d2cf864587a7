import type { Column } from '../../model/table.js';

/** Frames between two of which a window is measured, besides the last two sweeps. */
const SPACED_FRAMES = 62;
const SPACING_MS = 5000;
export const MAX_WINDOW_SECONDS = (SPACED_FRAMES * SPACING_MS) / 1000;

interface Frame {
  readonly atMs: number;
  /** Column by column, `capacity` rows each. */
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
  private previous: Frame | null = null;
  private latest: Frame | null = null;
  private readonly spaced: Frame[] = [];

  constructor(columns: readonly Column[]) {
    this.columns = columns.filter(({ metric }) => metric.rate !== undefined);
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
   * sweep to look at. A counter that is unknown at either end, or went back, has no rate.
   */
  rates(row: number, sinceMs: number, windowSeconds?: number): Rates | null {
    const { latest } = this;
    const from = this.from(sinceMs, windowSeconds);
    if (!latest || !from || from === latest) return null;
    const seconds = (latest.atMs - from.atMs) / 1000;
    const perSecond = new Map<string, number | null>();
    this.columns.forEach(({ metric }, index) => {
      const growth = latest.cells[index * latest.capacity + row] - from.cells[index * from.capacity + row];
      const known = row < from.capacity && growth >= 0 && seconds > 0;
      if (metric.rate !== undefined) perSecond.set(metric.rate, known ? growth / 10 ** metric.decimals / seconds : null);
    });
    return { windowSeconds: seconds, perSecond };
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
    const cells = new Float64Array(capacity * this.columns.length);
    this.columns.forEach(({ front }, index) => {
      cells.set(front, index * capacity);
    });
    return { atMs, cells, capacity };
  }
}
