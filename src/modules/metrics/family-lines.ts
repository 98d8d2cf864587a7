import type { Subject } from '../../model/collector.js';
import { label, labels } from '../../model/labels.js';
import type { Exposure, Family } from '../../model/metric.js';
import type { Order, Table } from '../../model/table.js';
import type { InterfaceKey, Tables } from '../../model/tables.js';
import type { CollectorState } from '../collection/sampler.js';
import { type FamilyHead, type Format, familyHead, OPEN_METRICS, TEXT } from './format.js';
import type { ColumnLines } from './page.js';

/** A declared family, ready to be written: its columns, their part of each line, its head in both formats. */
export interface FamilyLines {
  readonly family: Family;
  /** The collector it comes from, or `self` for what the house says of its collectors. */
  readonly group: string;
  readonly columns: readonly ColumnLines[];
  head(format: Format): Buffer;
}

/** Both heads of a family, rendered once. */
export function heads(family: FamilyHead): (format: Format) => Buffer {
  const text = Buffer.from(familyHead(family, TEXT));
  const openMetrics = Buffer.from(familyHead(family, OPEN_METRICS));
  return (format) => (format.openMetrics ? openMetrics : text);
}

/** Every family that the columns of both tables declare, in no order. */
export function declaredFamilies(tables: Tables, states: readonly CollectorState[]): FamilyLines[] {
  const owner = new Map(
    states.flatMap(({ collector }) =>
      [...collector.metrics, ...(collector.interfaceMetrics ?? [])].map((metric) => [metric, collector.about.name] as const),
    ),
  );
  const families = new Map<Family, { group: string; columns: ColumnLines[] }>();
  for (const column of [...tables.instances.columns, ...tables.interfaces.columns]) {
    for (const exposure of column.metric.families) {
      const known = families.get(exposure.family) ?? { group: owner.get(column.metric) ?? 'self', columns: [] };
      known.columns.push({ column, prefix: linePrefix(exposure) });
      families.set(exposure.family, known);
    }
  }
  return [...families].map(([family, { group, columns }]) => ({ family, group, columns: sortByLabels(columns), head: heads(family) }));
}

function linePrefix({ family, labels: pairs }: Exposure): Buffer {
  const fixed = pairs === undefined ? '' : `${labels(pairs)},`;
  return Buffer.from(`${family.name}{${fixed}`);
}

const sortByLabels = (columns: ColumnLines[]): ColumnLines[] => columns.sort((a, b) => Buffer.compare(a.prefix, b.prefix));

/** Rendered labels by row, made anew only when the row has another key or its labels changed. Ends in `} `, the blank before the value. */
export class LabelCache<Key> {
  readonly bytes: (Buffer | undefined)[] = [];
  private readonly made: { key: Key; version: number }[] = [];

  constructor(
    private readonly render: (key: Key) => string,
    private readonly version: (key: Key) => number,
  ) {}

  update({ rows, keys }: Order<Key>): void {
    rows.forEach((row, index) => {
      const key = keys[index];
      const made = this.made[row];
      const version = this.version(key);
      if (made && made.key === key && made.version === version) return;
      this.made[row] = { key, version };
      this.bytes[row] = Buffer.from(`${this.render(key)}} `);
    });
  }
}

/** The three label sets of rows: an instance by id, by id and name (hypeman's families), an interface. */
export class RowLabels {
  private readonly byId = new LabelCache<Subject>(({ id }) => label('instance_id', id), subjectVersion);
  private readonly byName = new LabelCache<Subject>(
    ({ id, name }) => `${label('instance_id', id)},${label('instance_name', name)}`,
    subjectVersion,
  );
  private readonly byInterface = new LabelCache<InterfaceKey>(
    ({ parent, name, place }) => `${label('instance_id', parent.id)},${label('interface', name === '' ? `nic${place}` : name)}`,
    ({ parent }) => parent.version,
  );

  constructor(private readonly tables: Tables) {}

  update(): void {
    this.byId.update(this.tables.instances.order);
    this.byName.update(this.tables.instances.order);
    this.byInterface.update(this.tables.interfaces.order);
  }

  of({ identity }: Family): readonly (Buffer | undefined)[] {
    if (identity === 'interface') return this.byInterface.bytes;
    return identity === 'id_and_name' ? this.byName.bytes : this.byId.bytes;
  }
}

const subjectVersion = ({ version }: Subject): number => version;

/** Rows of a table, all or those of the chosen instances, in page order. */
export function chosenRows<Key>({ order }: Table<Key>, chosen: ((key: Key) => boolean) | undefined): Int32Array {
  return chosen ? order.rows.filter((_, index) => chosen(order.keys[index])) : order.rows;
}
