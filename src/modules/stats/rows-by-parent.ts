import type { Subject } from '../../model/collector.js';
import type { Order, Table } from '../../model/table.js';
import type { PartKey } from '../../model/tables.js';
import type { Generation } from './document.js';

const NONE: readonly number[] = [];

/** Rows of a child table by the instance they belong to; looked up once for all instances of a sweep. */
export class RowsByParent {
  private found: { readonly order: Order<PartKey>; readonly rows: ReadonlyMap<Subject, readonly number[]> } | null = null;

  constructor(private readonly table: Table<PartKey>) {}

  of(parent: Subject, generation: Generation): readonly number[] {
    if (generation === 'back') return this.back(parent);
    return this.front().get(parent) ?? NONE;
  }

  /** As the table sorts its front. */
  private back(parent: Subject): readonly number[] {
    const { table } = this;
    if (table.size === 0) return NONE;
    return table
      .rowsOf((key) => key.parent === parent)
      .sort((a, b) => {
        const [one, other] = [table.key(a), table.key(b)];
        return one && other ? table.compare(one, other) : a - b;
      });
  }

  private front(): ReadonlyMap<Subject, readonly number[]> {
    const { order } = this.table;
    if (this.found?.order === order) return this.found.rows;
    const rows = new Map<Subject, number[]>();
    order.rows.forEach((row, index) => {
      const { parent } = order.keys[index];
      const own = rows.get(parent);
      if (own) own.push(row);
      else rows.set(parent, [row]);
    });
    this.found = { order, rows };
    return rows;
  }
}
