import { type Column, isUuid } from './ovsdb-values.js';

/** A JSON object of a stranger. */
export type Fields = Readonly<Record<string, unknown>>;

export const fieldsOf = (value: unknown): Fields | undefined =>
  // The shape is looked at here; of each member by whoever reads it.
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

/** Columns of a table by their names in the schema. */
export type Columns = Readonly<Record<string, Column<unknown>>>;
export type RowOf<C extends Columns> = { readonly [K in keyof C]: C[K] extends Column<infer T> ? T : never };

/** Of one table. */
const ROW_LIMIT = 65_536;
/** What a row, a pair and a member cost beside their characters, roughly. */
const ENTRY_BYTES = 64;

/** The rows of one table by UUID, kept from what the server tells of each. What does not decode, or passes a limit, is not kept. */
export class OvsdbRows<C extends Columns> {
  private readonly rows = new Map<string, RowOf<C>>();
  private readonly named: readonly (readonly [string, Column<unknown>])[];
  /** Roughly the bytes of it all. */
  weight = 0;

  constructor(readonly columns: C) {
    this.named = Object.entries(columns);
  }

  get size(): number {
    return this.rows.size;
  }

  get(uuid: string): RowOf<C> | undefined {
    return this.rows.get(uuid);
  }

  all(): IterableIterator<RowOf<C>> {
    return this.rows.values();
  }

  /** A row that is new, or told anew. @returns whether it was taken */
  put(uuid: string, told: unknown): boolean {
    this.remove(uuid);
    if (!isUuid(uuid) || this.rows.size >= ROW_LIMIT) return false;
    return this.apply(uuid, null, told);
  }

  /** A row of which the columns that are told changed. One that is told in a way that cannot be understood is lost. @returns whether it was taken */
  change(uuid: string, told: unknown): boolean {
    const row = this.rows.get(uuid);
    this.remove(uuid);
    return row !== undefined && this.apply(uuid, row, told);
  }

  /** @returns whether it was there */
  remove(uuid: string): boolean {
    const row = this.rows.get(uuid);
    if (row) this.weight -= weightOf(row);
    return this.rows.delete(uuid);
  }

  /** @param old null for a row that is new */
  private apply(uuid: string, old: RowOf<C> | null, told: unknown): boolean {
    const fields = fieldsOf(told);
    if (!fields) return false;
    const row: Record<string, unknown> = {};
    for (const [name, column] of this.named) {
      row[name] = old ? old[name] : column.unset();
      if (!Object.hasOwn(fields, name)) continue;
      const value = column.decode(fields[name]);
      row[name] = value === undefined ? undefined : column.change(row[name], value);
      if (row[name] === undefined) return false;
    }
    // One value a column, each made by that column.
    const whole = row as RowOf<C>;
    this.rows.set(uuid, whole);
    this.weight += weightOf(whole);
    return true;
  }
}

function weightOf(row: Readonly<Record<string, unknown>>): number {
  let weight = ENTRY_BYTES;
  for (const name in row) {
    const value = row[name];
    if (typeof value === 'string') weight += value.length;
    else if (value instanceof Set) weight += value.size * ENTRY_BYTES;
    else if (value instanceof Map) for (const [key, text] of value) weight += ENTRY_BYTES + String(key).length + String(text).length;
  }
  return weight;
}
