import type { Subject } from '../../model/collector.js';
import type { Order, Table } from '../../model/table.js';
import type { InterfaceKey } from '../../model/tables.js';
import type { Generation } from './document.js';

const NONE: readonly number[] = [];

/** Rows of a child table by the instance they belong to; looked up once for all instances of a sweep. */
export class RowsByParent {
  private found: { readonly order: Order<InterfaceKey>; readonly rows: ReadonlyMap<Subject, readonly number[]> } | null = null;

  constructor(private readonly table: Table<InterfaceKey>) {}

  of(parent: Subject, generation: Generation): readonly number[] {
    if (generation === 'back') return this.table.rowsOf((key) => key.parent === parent).sort((a, b) => this.byName(a, b));
    return this.front().get(parent) ?? NONE;
  }

  /** As the table sorts its front. */
  private byName(a: number, b: number): number {
    const [one, other] = [this.table.key(a), this.table.key(b)];
    if (!one || !other || one.name === other.name) return (one?.place ?? a) - (other?.place ?? b);
    return one.name < other.name ? -1 : 1;
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
