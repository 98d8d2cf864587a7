import type { CollectorClass } from '../../model/collector.js';
import type { Metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import type { Column, Table } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';

/** What the house writes of the turns of another collector. */
export interface Turns {
  readonly outcome: Column;
  /** Monotonic milliseconds of the last one. */
  readonly at: Column;
}

/** Cells that another collector has written when it had its turn. To be looked up at the first turn: its columns may be made after ours. */
export function cellsOf<Key>({ columns }: Table<Key>, metric: Metric): Column {
  return there(
    columns.find((column) => column.metric === metric),
    metric.json,
  );
}

export function turnsOf({ instances: { columns } }: Tables, { about }: CollectorClass): Turns {
  const of = (word: string): Column => {
    const place = `collectors.${about.name}.${word}`;
    return there(
      columns.find(({ metric }) => metric.json === place),
      place,
    );
  };
  return { outcome: of('outcome'), at: of('at') };
}

function there(column: Column | undefined, place: string): Column {
  if (!column) throw new Error(`no collector in the list has ${place}`);
  return column;
}

/** An empty cell: its first turn has not come. */
export const outcomeIn = (cell: number): Outcome => Object.values(Outcome).find((outcome) => outcome === cell) ?? Outcome.busy;
