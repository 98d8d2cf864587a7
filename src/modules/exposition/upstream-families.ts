import type { PassedFamily } from './passed-family.js';

/** Series of upstreams that a page has no place for, by upstream; those without any are missing. */
export interface PageLosses {
  /** Their family has another type, or a name of a sample, that ours, a shim's or an earlier upstream's has. On no page. */
  readonly conflicts: ReadonlyMap<string, number>;
  /** Legal in the text format only. Not on pages of OpenMetrics. */
  readonly textOnly: ReadonlyMap<string, number>;
}

/** What other exporters last said, for the text views. Filled off their path; a view only copies. */
export abstract class Upstreams {
  /** Those of the configuration by name ascending, whether they answer or not. */
  abstract readonly configured: readonly string[];
  /** All families of all upstreams by name ascending, one entry a name, see `mergeTexts`. The same array until something changed. */
  abstract families(): readonly PassedFamily[];
  /** Names of those that take the place of ours where ours give way. */
  abstract names(): ReadonlySet<string>;
  /** What did not come onto pages; told before a page is printed, each time it is found anew, and in full each time. */
  abstract lost(losses: PageLosses): void;
}
