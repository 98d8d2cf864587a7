/**
 * Declarations of what is measured. A declaration stands once, in its collector's file; the table makes a column of it, the JSON view a
 * member, the text view a line, the documents a row. Nothing else in the source spells a family's name.
 */

export type MetricType = 'counter' | 'gauge' | 'histogram';

/**
 * Label sets that a row carries, rendered once when the row is made. `sandbox_vmm_interface`: those of `sandbox_interface`, and only the rows
 * of sandboxes whose VMM is a process of its own. `id_name_namespace`: the instance with the namespace of its pod. The rest are rows of the
 * tables of parts; `traced_process_named` is `traced_process` with the labels of `id_name_namespace`.
 */
export type Identity =
  | 'id'
  | 'id_and_name'
  | 'id_name_namespace'
  | 'interface'
  | 'sandbox'
  | 'sandbox_interface'
  | 'sandbox_vmm_interface'
  | 'vcpu'
  | 'disk'
  | 'vnic'
  | 'kvm_exit'
  | 'kvm_event'
  | 'switch_port'
  | 'cgroup_device'
  | 'traced_process'
  | 'traced_process_named';

/** A Prometheus family. Two metrics may share one family when static labels tell them apart. */
export interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** OpenMetrics unit, the last word of the name before `_total`; missing where the name ends in none. */
  readonly unit?: 'seconds' | 'bytes' | 'ratio';
  readonly identity: Identity;
}

/** Decimal exponent of a column whose cells are any double rather than integers of a power of ten. */
export const FLOAT = -1;

export interface Exposure {
  readonly family: Family;
  /** Labels that are the same in every row, in the order written. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Decimals of this family's samples, where a seed fixes another unit than the document's (clock ticks beside seconds). */
  readonly decimals?: number;
  /** What stands after the family's name in a line of a histogram; its buckets have `le` among their labels. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
  /** Bytes that `kata.proc-status-unit` may turn into KiB in this family. */
  readonly kib?: true;
}

export interface Metric {
  /** Where it stands in the stats document, dotted: `cpu.user_seconds`. Also the column's name. Empty: it is in families only. */
  readonly json: string;
  /** A second place in the document, where a seed fixes one of the two. */
  readonly alias?: string;
  readonly description: string;
  /** The value is cell × 10^-decimals; integers stay exact to 2^53 and print without a double's tail. */
  readonly decimals: number;
  readonly families: readonly Exposure[];
  /** Member of `rates` in the stats document that this counter's growth per second becomes. */
  readonly rate?: string;
  readonly words?: Words;
}

/** What the cells of a column number: the document has the word, the family has it in this label, with 1; the other words have no sample. */
export interface Words {
  readonly label: string;
  readonly list: readonly string[];
}

type Spec = Omit<Family, 'type' | 'identity'> & { readonly identity?: Identity };

export const counter = (spec: Spec): Family => ({ identity: 'id', ...spec, type: 'counter' });
export const gauge = (spec: Spec): Family => ({ identity: 'id', ...spec, type: 'gauge' });
export const histogram = (spec: Spec): Family => ({ identity: 'id', ...spec, type: 'histogram' });

/** One column. Without families it is in the JSON document only. */
export function metric(spec: {
  json: string;
  alias?: string;
  description?: string;
  decimals?: number;
  family?: Family;
  labels?: Readonly<Record<string, string>>;
  also?: readonly Exposure[];
  rate?: string;
  words?: Words;
}): Metric {
  const own: Exposure[] = spec.family ? [{ family: spec.family, ...(spec.labels ? { labels: spec.labels } : {}) }] : [];
  const families = [...own, ...(spec.also ?? [])];
  return {
    json: spec.json,
    description: spec.description ?? families[0]?.family.help ?? '',
    decimals: spec.decimals ?? 0,
    families,
    ...(spec.alias === undefined ? {} : { alias: spec.alias }),
    ...(spec.rate === undefined ? {} : { rate: spec.rate }),
    ...(spec.words === undefined ? {} : { words: spec.words }),
  };
}
