import type { FamilyHead } from './format.js';

/** A family whose samples are made for each page: what the agent says of itself and of its instances' identity. */
export interface OwnFamily extends FamilyHead {
  /** True when its samples carry an instance and belong on that instance's own page too. */
  readonly perInstance?: boolean;
  /** One `{…} value` a sample, in page order, without the name. */
  samples(): Iterable<OwnSample>;
}

export interface OwnSample {
  /** Rendered labels without braces; empty for none. */
  readonly labels: string;
  readonly value: number;
  readonly instanceId?: string;
  /** `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
}
