import type { Metric } from './metric.js';

/** One metric of all rows. Collectors write `back`; readers see `front`; a publish exchanges the two. NaN is an empty cell. */
export class Column {
  front: Float64Array;
  back: Float64Array;
  /** Nobody writes to it yet: all its cells are empty, and cost nothing. */
  isAsleep = false;

  constructor(
    readonly metric: Metric,
    capacity: number,
  ) {
    this.front = new Float64Array(capacity).fill(Number.NaN);
    this.back = new Float64Array(capacity).fill(Number.NaN);
  }
}

/** Which rows a reader may look at, in the order they are printed. Replaced as a whole by a publish, never changed. */
export interface Order<Key> {
  readonly rows: Int32Array;
  /** `keys[i]` is the key of `rows[i]`. */
  readonly keys: readonly Key[];
}

const FIRST_CAPACITY = 64;

/**
 * A row per instance (or per interface of an instance), a column per metric, two generations of cells. A sweep writes into the back
 * while readers walk the front, so no page and no document is ever made of two halves. Rows are added and removed at the back too and
 * become visible, or reusable, with the next publish.
 */
export class Table<Key> {
  readonly columns: Column[] = [];
  order: Order<Key> = { rows: new Int32Array(0), keys: [] };
  private capacity = FIRST_CAPACITY;
  private readonly free: number[] = [];
  private readonly leaving: number[] = [];
  private used = 0;
  private readonly live = new Map<number, Key>();
  private changed = false;
  /** Both generations of every column that is asleep. Empty cells for good. */
  private nothing = new Float64Array(FIRST_CAPACITY).fill(Number.NaN);

  /** @param compare order of the rows in every answer, so that two answers about an unchanged host are equal byte for byte */
  constructor(readonly compare: (a: Key, b: Key) => number) {}

  column(metric: Metric): Column {
    const column = new Column(metric, this.capacity);
    this.columns.push(column);
    return column;
  }

  /** A column for each metric of a collector, under the collector's own words. */
  columnsOf<Words extends string>(metrics: Readonly<Record<Words, Metric>>): Readonly<Record<Words, Column>> {
    const columns = Object.entries<Metric>(metrics).map(([word, metric]) => [word, this.column(metric)]);
    // Object.fromEntries forgets the keys' names; they are those of `metrics`.
    return Object.fromEntries(columns) as Record<Words, Column>;
  }

  /** For columns that may never have a cell: they have no memory of their own until they are woken, and must not be written before. */
  sleep(columns: readonly Column[]): void {
    for (const column of columns) {
      column.isAsleep = true;
      column.front = column.back = this.nothing;
    }
  }

  wake(columns: readonly Column[]): void {
    for (const column of columns) {
      if (!column.isAsleep) continue;
      column.isAsleep = false;
      column.front = new Float64Array(this.capacity).fill(Number.NaN);
      column.back = new Float64Array(this.capacity).fill(Number.NaN);
    }
  }

  /** A row of empty cells, seen by readers after the next publish. Only between `begin` and `publish`: no reader is under way then. */
  add(key: Key): number {
    const row = this.free.pop() ?? this.used++;
    if (row >= this.capacity) this.grow();
    for (const column of this.columns) column.front[row] = column.back[row] = Number.NaN;
    this.live.set(row, key);
    this.changed = true;
    return row;
  }

  /** Readers see the row until the next publish; only then is it used again. */
  remove(row: number): void {
    if (!this.live.delete(row)) return;
    this.leaving.push(row);
    this.changed = true;
  }

  /** Rows of the back generation whose key satisfies the question, in the order they were added. */
  rowsOf(question: (key: Key) => boolean): number[] {
    return [...this.live].filter(([, key]) => question(key)).map(([row]) => row);
  }

  key(row: number): Key | undefined {
    return this.live.get(row);
  }

  get size(): number {
    return this.live.size;
  }

  /** Before a sweep, with no reader under way: cells that nobody rewrites keep their last value. */
  begin(): void {
    for (const { isAsleep, front, back } of this.columns) if (!isAsleep) back.set(front.subarray(0, this.used));
  }

  publish(): void {
    for (const column of this.columns) {
      const front = column.front;
      column.front = column.back;
      column.back = front;
    }
    if (!this.changed) return;
    this.changed = false;
    const sorted = [...this.live].sort((a, b) => this.compare(a[1], b[1]));
    this.order = { rows: Int32Array.from(sorted, ([row]) => row), keys: sorted.map(([, key]) => key) };
    this.free.push(...this.leaving.splice(0));
  }

  private grow(): void {
    this.capacity *= 2;
    this.nothing = new Float64Array(this.capacity).fill(Number.NaN);
    for (const column of this.columns) {
      column.front = column.isAsleep ? this.nothing : widen(column.front, this.capacity);
      column.back = column.isAsleep ? this.nothing : widen(column.back, this.capacity);
    }
  }
}

function widen(cells: Float64Array, capacity: number): Float64Array {
  const wider = new Float64Array(capacity).fill(Number.NaN);
  wider.set(cells);
  return wider;
}
