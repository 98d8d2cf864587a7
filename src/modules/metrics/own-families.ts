import { labels } from '../../model/labels.js';
import type { FamilyHead } from './format.js';

/** A family whose samples are made for each page: what the agent says of itself and of its instances' identity. */
export interface OwnFamily extends FamilyHead {
  /** True when its samples carry an instance and belong on that instance's own page too. */
  readonly perInstance?: boolean;
  /** For documents, where no recorded host has a sample that would tell them. */
  readonly labelNames?: readonly string[];
  /** One `{…} value` a sample, in page order, without the name. */
  samples(): Iterable<OwnSample>;
}

/** Labels in bytes with what stands around them: `instance_id="…"} `. */
export type KeptLabels = Buffer;

/** Labels that are the same on many pages, rendered again only when the stamp has changed. Forgotten with their key. */
export class LabelKeeper<Key extends WeakKey, Stamp> {
  private readonly kept = new WeakMap<Key, { readonly stamp: Stamp; readonly labels: KeptLabels }>();
  /** By row. */
  private readonly ofRows: { readonly key: Key; readonly stamp: Stamp; readonly labels: KeptLabels }[] = [];

  constructor(private readonly render: (key: Key, stamp: Stamp) => string) {}

  labels(key: Key, stamp: Stamp): KeptLabels {
    const known = this.kept.get(key);
    if (known?.stamp === stamp) return known.labels;
    const labels = this.made(key, stamp);
    this.kept.set(key, { stamp, labels });
    return labels;
  }

  /** Those of a key that has this row of a table; found much faster. A row keeps its last key's until it has another. */
  ofRow(row: number, key: Key, stamp: Stamp): KeptLabels {
    if (row < 0) return this.labels(key, stamp);
    const known = this.ofRows[row];
    if (known?.key === key && known.stamp === stamp) return known.labels;
    const labels = this.made(key, stamp);
    this.ofRows[row] = { key, stamp, labels };
    return labels;
  }

  private made(key: Key, stamp: Stamp): KeptLabels {
    return Buffer.from(`${this.render(key, stamp)}} `);
  }
}

export interface OwnSample {
  /** Rendered labels without braces, empty for none; or kept from page to page. */
  readonly labels: string | KeptLabels;
  readonly value: number;
  readonly instanceId?: string;
  /** `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
}

/** One sample; none for what is not known. */
export const one = (value: number | null, pairs: Readonly<Record<string, string>> = {}): OwnSample[] =>
  value === null || Number.isNaN(value) ? [] : [{ labels: labels(pairs), value }];
