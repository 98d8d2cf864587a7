import type { Column } from '../../model/table.js';
import type { Generation } from './document.js';

const GROUP = 'degraded.';

/** Why an instance counts as degraded: the words of the columns that say so. */
export class Evidence {
  private readonly reasons: readonly { readonly word: string; readonly column: Column }[];

  constructor(columns: readonly Column[]) {
    this.reasons = columns.flatMap((column) => {
      const { json, families } = column.metric;
      const isReason = json.startsWith(GROUP) && families.some(({ labels }) => 'reason' in (labels ?? {}));
      return isReason ? [{ word: json.slice(GROUP.length), column }] : [];
    });
  }

  of(row: number, generation: Generation): string[] {
    return this.reasons.filter(({ column }) => column[generation][row] === 1).map(({ word }) => word);
  }
}
