import type { PassedFamily } from '../exposition/passed-family.js';
import type { Upstreams } from '../exposition/upstream-families.js';
import { namesOf, textNamesOf, type WireType } from '../exposition/wire-types.js';
import { heads } from './family-lines.js';
import type { FamilyHead, Format } from './format.js';
import type { PrintedFamily } from './passed-families.js';

/** A family of ours, and whether it gives way to an upstream's. */
export interface OurFamily extends FamilyHead {
  readonly yields?: true;
  readonly labelNames?: readonly string[];
}

const NONE: readonly PassedFamily[] = [];
const UPSTREAM = 'upstream';
const LINES = /[^\n]*\n/g;
/** A quote inside a value is escaped; a label without a value is none to Prometheus. */
const IS_RENAMED = /[{,]exported_upstream="[^"]/;

/**
 * What upstreams said, as far as it can stand on a page with ours and the shims', which hold. One of a name and type that are there already
 * goes below the same head. One whose name has another type here, or whose samples would have the name of others, is on no page; what only
 * OpenMetrics forbids is left out there alone.
 */
export class UpstreamPages {
  /** Families of ours by name, from the first page on that had them: what is left out of one page is no other's. */
  private readonly ours = new Map<string, OurFamily>();
  private last: Known = { from: NONE, shims: [], ours: 0, printed: [] };

  /** @param declared families of ours that every page may have */
  constructor(
    private readonly upstreams: Upstreams,
    declared: readonly FamilyHead[],
  ) {
    this.meet(declared);
  }

  /** Families that are made for each page. */
  meet(families: readonly OurFamily[]): void {
    for (const family of families) if (!this.ours.has(family.name)) this.ours.set(family.name, wordsOf(family));
  }

  /** Whether an upstream says it instead of us. */
  replaces({ name, yields }: OurFamily): boolean {
    return yields === true && this.upstreams.names().has(name);
  }

  /** By name. @param shims the same array until something changed */
  families(shims: readonly PrintedFamily[]): readonly PrintedFamily[] {
    const from = this.upstreams.families();
    const { last, ours } = this;
    if (last.from !== from || last.shims !== shims || last.ours !== ours.size) {
      const printed = this.printable(from, shims);
      this.last = { from, shims, ours: ours.size, printed };
    }
    return this.last.printed;
  }

  private printable(from: readonly PassedFamily[], shims: readonly PrintedFamily[]): PrintedFamily[] {
    const places = new Places();
    for (const family of [...this.ours.values(), ...shims.map(({ passed }) => passed)]) if (!this.replaces(family)) places.take(family);
    const conflicts = new Map<string, number>();
    const textOnly = new Map<string, number>();
    const printed = from.flatMap((given): PrintedFamily[] => {
      const passed = this.ours.get(given.name)?.labelNames?.includes(UPSTREAM) ? withoutOurs(given, conflicts) : given;
      const head = places.headFor(passed);
      if (!head) count(conflicts, passed, ({ series }) => series);
      else count(textOnly, passed, ({ series, open }) => (head.isTextOnly ? series : series - (open?.series ?? series)));
      return head ? [{ passed, ...head }] : [];
    });
    this.upstreams.lost({ conflicts, textOnly });
    return printed;
  }
}

/** Without what makes its samples: that would hold on to instances of then. */
const wordsOf = ({ name, type, help, unit, yields, labelNames }: OurFamily): OurFamily => ({
  ...{ name, type, help },
  ...(unit === undefined ? {} : { unit }),
  ...(yields ? { yields } : {}),
  ...(labelNames ? { labelNames } : {}),
});

/** What a page was last made of. */
interface Known {
  readonly from: readonly PassedFamily[];
  readonly shims: readonly PrintedFamily[];
  /** How many families of ours were known: none is ever forgotten. */
  readonly ours: number;
  readonly printed: readonly PrintedFamily[];
}

function count(counts: Map<string, number>, { bodies }: PassedFamily, seriesOf: (body: PassedFamily['bodies'][number]) => number): void {
  for (const body of bodies) {
    const series = seriesOf(body);
    if (series > 0) counts.set(body.owner, (counts.get(body.owner) ?? 0) + series);
  }
}

/**
 * Of a family of ours that has the label `upstream` itself, as another agent of our kind has it too: a sample that came without one would be
 * ours, word for word.
 */
function withoutOurs(passed: PassedFamily, lost: Map<string, number>): PassedFamily {
  const bodies = passed.bodies.map(renamedOf);
  count(lost, passed, ({ owner, series }) => series - (bodies.find((body) => body.owner === owner)?.series ?? 0));
  return { ...passed, bodies };
}

type Body = PassedFamily['bodies'][number];
/** 50,000 lines take 13 ms; a body is the same until its upstream answers again. */
const renamed = new WeakMap<Body, Body>();

function renamedOf(body: Body): Body {
  const known = renamed.get(body);
  if (known) return known;
  const kept =
    body.lines
      .toString()
      .match(LINES)
      ?.filter((line) => IS_RENAMED.test(line)) ?? [];
  const made = { owner: body.owner, lines: Buffer.from(kept.join('')), series: kept.length };
  renamed.set(body, made);
  return made;
}

interface Head {
  head(format: Format): Buffer;
  readonly isTextOnly: boolean;
}

/** Names that are taken on a page, in either format. The first to come holds. */
class Places {
  private readonly families = new Map<string, FamilyHead>();
  private readonly text = new Set<string>();
  private readonly open = new Set<string>();

  take(family: FamilyHead, openType: WireType = family.type): void {
    const { name, type } = family;
    this.families.set(name, family);
    for (const taken of textNamesOf(name, type)) this.text.add(taken);
    for (const taken of openNamesOf(name, openType)) this.open.add(taken);
  }

  /** The head that a family goes below, which has its place then; undefined where there is none. */
  headFor(family: FamilyHead): Head | undefined {
    const { name, type } = family;
    const first = this.families.get(name);
    if (first) return first.type === type ? { head: rendered(first), isTextOnly: false } : undefined;
    if (textNamesOf(name, type).some((one) => this.text.has(one))) return undefined;
    // A counter may be printed as what it is not sure to be, under the name that it has: no other type has samples that would allow it.
    const openType = [type, ...(type === 'counter' ? (['unknown'] as const) : [])].find(
      (one) => !openNamesOf(name, one).some((taken) => this.open.has(taken)),
    );
    if (openType === undefined) {
      for (const taken of textNamesOf(name, type)) this.text.add(taken);
      return { head: rendered(family), isTextOnly: true };
    }
    this.take(family, openType);
    const [inText, inOpen] = [rendered(family), rendered({ ...family, type: openType })];
    return { head: (format) => (format.openMetrics ? inOpen : inText)(format), isTextOnly: false };
  }
}

/** When a page first has it: heads of thousands of families at once would hold up everybody. */
function rendered(family: FamilyHead): Head['head'] {
  let head: Head['head'] | undefined;
  return (format) => {
    head ??= heads(family);
    return head(format);
  };
}

/** In OpenMetrics alone, where a counter without `_total` is of no type. */
const openNamesOf = (name: string, type: WireType): string[] =>
  namesOf(name, type === 'counter' && !name.endsWith('_total') ? 'unknown' : type);
