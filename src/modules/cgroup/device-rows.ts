import type { Subject } from '../../model/collector.js';
import type { Tables } from '../../model/tables.js';

/** Rows in the table of block devices by the VM they are of. */
export type DeviceRows = Map<Subject, readonly number[]>;

const all = new WeakMap<Tables, DeviceRows>();

/** Those of one agent, also what was made in this very sweep: `cgroup_io` writes it, and `resources`, whose turn is next, reads it. */
export function deviceRowsOf(tables: Tables): DeviceRows {
  const known = all.get(tables) ?? new Map<Subject, readonly number[]>();
  all.set(tables, known);
  return known;
}
