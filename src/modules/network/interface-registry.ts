import type { Column } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';
import type { Attachment } from './interface-attachment.js';

/** Interfaces by the row of their instance: made by the collector that counts them, for others of this room that know more of them. */
export type InterfacesByRow = Map<number, readonly Attachment[]>;

const ROOMS = new WeakMap<Tables, InterfacesByRow>();

/** One for all collectors that write to the same tables. */
export function interfacesOf(tables: Tables): InterfacesByRow {
  const known = ROOMS.get(tables) ?? new Map();
  ROOMS.set(tables, known);
  return known;
}

const FACTS = new WeakMap<Tables, Column[]>();

/** What is known of interfaces besides their counters: to be emptied as soon as the device is gone, however long the next look at it takes. */
export function factsOf(tables: Tables): Column[] {
  const known = FACTS.get(tables) ?? [];
  FACTS.set(tables, known);
  return known;
}
