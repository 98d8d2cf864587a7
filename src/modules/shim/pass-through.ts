import type { Subject } from '../../model/collector.js';
import type { Outcome } from '../../model/outcome.js';
import type { PassedFamily } from '../exposition/passed-family.js';

/** What is known of one shim, at no cost to it. */
export interface LastWords {
  /** Of the last question; busy before the first. */
  readonly outcome: Outcome;
  /** Whether something that it said is still kept: a while longer than its shim answers. */
  readonly isKept: boolean;
  /** Sample lines of one family under the name of a page of many, whole lines, labels of the sandbox behind the shim's own; undefined without. */
  linesOf(family: string): Buffer | undefined;
}

/** What the shims of this host last answered, for the views. Filled off their path; a view only copies. */
export abstract class PassThrough {
  /**
   * All families of all sandboxes by name ascending, one entry a name, labels of the sandbox added, `go_` and `process_` prefixed
   * `kata_shim_`. The same array until something changed.
   */
  abstract families(): readonly PassedFamily[];
  /** Those of one sandbox as its shim named them, no label added, by name ascending. */
  abstract own(instanceId: string): readonly PassedFamily[];
  /** What one sandbox's shim last said; null for one that nobody asks. */
  abstract last(subject: Subject): LastWords | null;
}
