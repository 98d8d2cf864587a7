import type { Subject } from './collector.js';
import { Table } from './table.js';

/** Key of a row of the interface table. `place` keeps two interfaces apart that have no name. */
export interface InterfaceKey {
  readonly parent: Subject;
  readonly place: number;
  readonly name: string;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The tables of one agent: instances, and the interfaces that point to them. */
export class Tables {
  readonly instances = new Table<Subject>((a, b) => byText(a.id, b.id));
  readonly interfaces = new Table<InterfaceKey>((a, b) => byText(a.parent.id, b.parent.id) || byText(a.name, b.name) || a.place - b.place);
}
