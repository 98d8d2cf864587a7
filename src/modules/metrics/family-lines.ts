import { declaredMetrics, isOfSandboxes } from '../../model/collector.js';
import { labels } from '../../model/labels.js';
import type { Exposure, Family } from '../../model/metric.js';
import type { Column } from '../../model/table.js';
import type { Tables } from '../../model/tables.js';
import type { CollectorState } from '../collection/sampler.js';
import { type FamilyHead, type Format, familyHead, OPEN_METRICS, TEXT } from './format.js';
import { type ColumnLines, KIB } from './page.js';

/** A column of a family with its fixed part of every line: `name{mode="user",` or `name{`. */
export interface FamilyColumn extends ColumnLines {
  /** `mode="user"`; empty for none. */
  readonly fixed: string;
  /** For cells that stand for words: the fixed part of the line of each word, `name{state="paused",`. The value is 1 then. */
  readonly words?: readonly Buffer[];
}

/** A declared family, ready to be written: its columns, their part of each line, its head in both formats. */
export interface FamilyLines {
  readonly family: Family;
  /** The collector it comes from, or `self` for what the house says of its collectors. */
  readonly group: string;
  /** All that have a column in it; the first is its group. */
  readonly owners: ReadonlySet<string>;
  readonly columns: readonly FamilyColumn[];
  /** Those that can have a cell where no sandbox is: a page of many VMs pays for no other. */
  readonly withoutSandboxes: readonly FamilyColumn[];
  head(format: Format): Buffer;
  /** What a sandbox's own page calls it; missing where that page has it as every other. */
  readonly own?: OwnName;
}

/** A family under the name that a sandbox's shim gives it. */
export interface OwnName {
  readonly name: string;
  head(format: Format): Buffer;
}

/** Both heads of a family, rendered once. */
export function heads(family: FamilyHead): (format: Format) => Buffer {
  const text = Buffer.from(familyHead(family, TEXT));
  const openMetrics = Buffer.from(familyHead(family, OPEN_METRICS));
  return (format) => (format.openMetrics ? openMetrics : text);
}

/** Every family that the columns of all tables declare, in no order. @param kib whether families that allow it print KiB for bytes */
export function declaredFamilies(tables: Tables, states: readonly CollectorState[], kib: boolean): FamilyLines[] {
  const owner = ownersOf(states);
  const ofSandboxes = new Set(states.filter(({ collector }) => isOfSandboxes(collector)).map(({ success }) => success));
  const families = new Map<Family, { owners: Set<string>; columns: FamilyColumn[] }>();
  for (const column of tables.columns) {
    for (const exposure of column.metric.families) {
      const known = families.get(exposure.family) ?? { owners: new Set<string>(), columns: [] };
      known.owners.add(owner.get(column.metric) ?? SELF);
      known.columns.push(familyColumn(column, exposure, kib));
      families.set(exposure.family, known);
    }
  }
  return [...families].map(([family, { owners, columns }]) => ({
    family,
    group: [...owners][0],
    owners,
    // Buckets stand as they are declared, by their bounds: a text format asks for that order.
    columns: family.type === 'histogram' ? columns : columns.sort((a, b) => Buffer.compare(a.prefix, b.prefix)),
    withoutSandboxes: columns.filter(({ column }) => !ofSandboxes.has(column)),
    head: heads(family),
    ...(KATA.test(family.name) ? { own: ownName(family) } : {}),
  }));
}

const SELF = 'self';
const ownersOf = (states: readonly CollectorState[]) =>
  new Map(states.flatMap(({ collector }) => declaredMetrics(collector).map((metric) => [metric, collector.about.name] as const)));

function familyColumn(column: Column, { family, labels: pairs, decimals, suffix, kib: mayBeKib }: Exposure, kib: boolean): FamilyColumn {
  const fixed = pairs === undefined ? '' : labels(pairs);
  const { words } = column.metric;
  return {
    ...(words ? { words: words.list.map((word) => Buffer.from(`${family.name}{${labels({ ...pairs, [words.label]: word })},`)) } : {}),
    column,
    fixed,
    prefix: Buffer.from(`${family.name}${suffix ?? ''}{${fixed === '' ? '' : `${fixed},`}`),
    decimals: kib && mayBeKib ? KIB : (decimals ?? column.metric.decimals),
  };
}

/** What a shim would say itself; all other families keep their labels everywhere, to be joined. */
const KATA = /^kata_/;
/** A shim calls its own process and runtime by these bare names; kata-monitor adds what stands before them. */
const OWN_PREFIX = /^kata_shim_(?=process_|go_)/;

function ownName(family: Family): OwnName {
  const name = family.name.replace(OWN_PREFIX, '');
  return { name, head: heads({ ...family, name }) };
}
