import { Outcome, outcomeWords } from '../../model/outcome.js';
import type { Column } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';
import type { Instance } from '../instances/instance.js';
import { type CellTemplate, cell, type Generation, groupTemplates } from './document.js';
import { RowsByParent } from './rows-by-parent.js';

const SHIM = 'shim';

/** The member `shim` of the stats document: a Kata sandbox by words and by the numbers of its own tables. null for any other instance. */
export class ShimView {
  private readonly cells: CellTemplate | undefined;
  private readonly interfaceOutcome: Column | undefined;
  private readonly interfaceColumns: readonly Column[];
  private readonly interfaceRows: RowsByParent;

  constructor(private readonly tables: Tables) {
    const groups = groupTemplates(tables.sandboxes.columns);
    const stray = [...groups.keys()].find((word) => word !== SHIM);
    if (stray !== undefined) throw new Error(`${stray}: numbers of a sandbox stand in ${SHIM}`);
    this.cells = groups.get(SHIM);
    const { columns } = tables.sandboxInterfaces;
    this.interfaceOutcome = columns.find(({ metric }) => metric.json === 'outcome');
    this.interfaceColumns = columns.filter((column) => column !== this.interfaceOutcome);
    this.interfaceRows = new RowsByParent(tables.sandboxInterfaces);
  }

  /** JSON text. A sandbox that does not run, or whose files went before its VMM, has nulls. */
  json(instance: Instance, generation: Generation): string {
    const { sandbox, companions } = instance.record;
    if (!sandbox && instance.sandboxRow < 0) return 'null';
    const pid = companions?.find(({ role }) => role === SHIM)?.pid;
    const words = JSON.stringify({
      pid: pid ?? null,
      runtime: sandbox?.runtime ?? null,
      vmm_in_shim: sandbox?.vmmInShim ?? null,
      pod: { uid: sandbox?.pod?.uid ?? null, name: sandbox?.pod?.name ?? null, namespace: sandbox?.pod?.namespace ?? null },
      agent_url: sandbox?.agentUrl ?? null,
    });
    const cells = this.cells ? `,${this.cells.render(instance.sandboxRow, generation)}` : '';
    return `${words.slice(0, -1)}${cells},"interfaces":${this.interfaces(instance, generation)}}`;
  }

  /** Every namespace has an interface, lo: where there is none, nobody knows, and `collectors` says why. */
  private interfaces(instance: Instance, generation: Generation): string {
    const rows = instance.sandboxRow < 0 ? [] : this.interfaceRows.of(instance, generation);
    return rows.length === 0 ? 'null' : `[${rows.map((row) => this.interface(row, generation)).join(',')}]`;
  }

  private interface(row: number, generation: Generation): string {
    const { name = null } = this.tables.sandboxInterfaces.key(row) ?? {};
    const code = this.interfaceOutcome ? this.interfaceOutcome[generation][row] : Outcome.ok;
    const { outcome, reason } = outcomeWords(code);
    let json = `{"name":${JSON.stringify(name)},"outcome":"${outcome}"${reason === undefined ? '' : `,"reason":"${reason}"`}`;
    for (const column of this.interfaceColumns) json += `,"${column.metric.json}":${cell(column, row, generation)}`;
    return `${json}}`;
  }
}
