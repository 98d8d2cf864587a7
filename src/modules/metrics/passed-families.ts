import type { PassedFamily } from '../exposition/passed-family.js';
import { namesOf } from '../exposition/wire-types.js';
import type { PassThrough } from '../shim/pass-through.js';
import { heads } from './family-lines.js';
import type { FamilyHead, Format } from './format.js';

/** A family of a stranger that may stand on a page. */
export interface PrintedFamily {
  readonly passed: PassedFamily;
  /** OpenMetrics has no place for it. */
  readonly isTextOnly: boolean;
  head(format: Format): Buffer;
}

/**
 * What shims sent, without families whose words would meet ours: a family of our own is never printed a second time, and no sample of a
 * stranger's family has the name of one of ours in either format.
 */
export class PassedFamilies {
  private readonly taken: ReadonlySet<string>;
  private readonly takenAlone: ReadonlySet<string>;
  private last: { readonly from: readonly PassedFamily[]; readonly printed: readonly PrintedFamily[] } = { from: NONE, printed: [] };

  /**
   * @param ours every family of ours, by its name on a page of many
   * @param oursAlone the same by their names on a sandbox's own page
   */
  constructor(
    private readonly passThrough: PassThrough | undefined,
    ours: readonly FamilyHead[],
    oursAlone: readonly FamilyHead[],
  ) {
    this.taken = new Set(ours.flatMap(allNames));
    this.takenAlone = new Set(oursAlone.flatMap(allNames));
  }

  /** Of all sandboxes, by name. The same array until something changed. */
  all(): readonly PrintedFamily[] {
    const from = this.passThrough?.families() ?? NONE;
    if (this.last.from !== from) this.last = { from, printed: printable(from, this.taken) };
    return this.last.printed;
  }

  /** Of one sandbox, as its shim names them. */
  own(instance: string): readonly PrintedFamily[] {
    return printable(this.passThrough?.own(instance) ?? [], this.takenAlone);
  }
}

const NONE: readonly PassedFamily[] = [];
const allNames = ({ name, type }: FamilyHead): string[] => namesOf(name, type);
/** What the agent says of itself and of every instance, whatever it says next. */
const OURS = /^(vmgauge|hypeman|kata_monitor)_/;

function printable(families: readonly PassedFamily[], taken: ReadonlySet<string>): PrintedFamily[] {
  return families
    .filter((family) => !OURS.test(family.name) && !allNames(family).some((name) => taken.has(name)))
    .map((passed) => ({ passed, head: heads(passed), isTextOnly: false }));
}
