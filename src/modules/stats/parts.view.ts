import type { Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import type { Part } from '../../model/parts.js';
import type { Column } from '../../model/table.js';
import type { PartKey, Tables } from '../../model/tables.js';
import type { CollectorState } from '../collection/sampler.js';
import { CellTemplate, type Generation } from './document.js';
import { RowsByParent } from './rows-by-parent.js';

/** The rows of one table of parts, as members of the stats document. null where nobody told whether there are any. */
export class PartsView {
  private readonly rows: RowsByParent;
  private readonly cells = new CellTemplate();
  /** How the collectors did that make rows here. */
  private readonly outcomes: readonly Column[];
  private readonly table;

  /** @param wordsOf the members before the numbers: `"device":"sda"` */
  constructor(
    tables: Tables,
    part: Part,
    states: readonly CollectorState[],
    private readonly wordsOf: (key: PartKey) => string,
  ) {
    this.table = tables[part];
    this.rows = new RowsByParent(this.table);
    for (const column of this.table.columns.filter(({ metric }) => metric.json !== '')) {
      this.cells.text(`,"${column.metric.json}":`);
      this.cells.cell(column);
    }
    this.outcomes = states.filter(({ collector }) => collector.partMetrics?.[part]).map(({ outcome }) => outcome);
  }

  /** An array, one object a row; empty where it is known that there are none. */
  list(instance: Subject, generation: Generation): string {
    const rows = this.rows.of(instance, generation);
    if (rows.length === 0) return this.isTold(instance, generation) ? '[]' : 'null';
    let json = '';
    for (const row of rows) {
      const key = this.table.key(row);
      if (key) json += `${json === '' ? '{' : ',{'}${this.wordsOf(key)}${this.cells.render(row, generation)}}`;
    }
    return `[${json}]`;
  }

  /** An object, one number a row under the row's name: of tables with one column. */
  byName(instance: Subject, generation: Generation): string {
    const rows = this.rows.of(instance, generation);
    const [column] = this.table.columns;
    if (rows.length === 0 || !column) return 'null';
    let json = '';
    for (const row of rows) {
      const name = JSON.stringify(this.table.key(row)?.name ?? '');
      json += `${json === '' ? '' : ','}${name}:${column[generation][row]}`;
    }
    return `{${json}}`;
  }

  private isTold({ row }: Subject, generation: Generation): boolean {
    return this.outcomes.some((outcome) => outcome[generation][row] === Outcome.ok);
  }
}
