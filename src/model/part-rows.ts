import type { Subject } from './collector.js';
import { oneLine } from './labels.js';
import type { Column, Table } from './table.js';
import type { PartKey } from './tables.js';

/** What one instance may have of a kind: a bound for what a stranger's answer can cost. */
export const MAX_PARTS = 512;
/** Longer ones are cut: they become labels. */
const NAME_LIMIT = 128;

/** Rows of a collector in one table of parts, by instance and name. Between `begin` and `publish` of the tables. */
export class PartRows {
  private readonly rows = new Map<Subject, Map<string, number>>();

  constructor(
    private readonly table: Table<PartKey>,
    private readonly columns: readonly Column[],
  ) {}

  /**
   * The parts that the instance has now: rows for new ones, none for those that are gone, empty cells in all.
   * @param put fills the cells of one; called in the order given; a name that came before gets none
   * @returns how many of them got no row
   */
  update<T>(parent: Subject, parts: Iterable<T>, nameOf: (part: T) => string, put: (row: number, part: T) => void): number {
    const known = this.rows.get(parent) ?? new Map<string, number>();
    this.rows.set(parent, known);
    const unseen = new Map(known);
    let dropped = 0;
    let place = 0;
    const seen = new Set<string>();
    for (const part of parts) {
      const name = oneLine(nameOf(part), NAME_LIMIT);
      if (seen.has(name) || seen.size >= MAX_PARTS) {
        dropped++;
        continue;
      }
      seen.add(name);
      unseen.delete(name);
      const row = known.get(name) ?? this.table.add({ parent, place, name });
      known.set(name, row);
      for (const { back } of this.columns) back[row] = Number.NaN;
      put(row, part);
      place++;
    }
    for (const [name, row] of unseen) {
      this.table.remove(row);
      known.delete(name);
    }
    if (known.size === 0) this.rows.delete(parent);
    return dropped;
  }

  clear(parent: Subject): void {
    for (const row of this.rows.get(parent)?.values() ?? []) this.table.remove(row);
    this.rows.delete(parent);
  }
}
