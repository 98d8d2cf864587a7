import type { PassedFamily } from '../exposition/passed-family.js';
import type { ScrapedFamily, ScrapedText } from '../exposition/scraped-text.js';
import { namesOf, type WireType } from '../exposition/wire-types.js';
import { VOCABULARY } from './vocabulary.js';

/** Families of many sandboxes as one page has them. */
export interface MergedFamilies {
  /** By name. */
  readonly families: readonly PassedFamily[];
  /** Series that others contradict or leave no room for, by instance. */
  readonly conflicts: ReadonlyMap<string, number>;
}

/** Families beyond the vocabulary on one page: what guests make up costs a page of many no more than this. */
export const MAX_UNKNOWN_MERGED = 256;

/**
 * One entry a name. A family of the vocabulary has one type everywhere, its parser saw to that. For any other the type that most sandboxes
 * give holds, and of two whose samples would have the same name the one that more sandboxes have; where as many say one as the other nobody
 * knows who is right, and neither is passed on. Of too many, those that most sandboxes have.
 * @param texts by instance id
 */
export function mergeFamilies(texts: readonly ScrapedText[]): MergedFamilies {
  const byName = new Map<string, ScrapedFamily[]>();
  for (const { families } of texts) {
    for (const family of families) {
      const others = byName.get(family.name);
      if (others) others.push(family);
      else byName.set(family.name, [family]);
    }
  }
  const conflicts = new Map<string, number>();
  const lose: Lose = (family) => {
    conflicts.set(family.owner, (conflicts.get(family.owner) ?? 0) + family.series);
  };
  const known: PassedFamily[] = [];
  const strange: Candidate[] = [];
  for (const [name, bodies] of byName) {
    if (VOCABULARY.has(name)) known.push(entry({ name, bodies }));
    else strange.push({ name, bodies: agreed(bodies, lose) });
  }
  const foremost = withinBudget(strange, lose);
  return { families: [...known, ...withoutClashes(foremost, lose).map(entry)].sort(byNameOf), conflicts };
}

interface Candidate {
  readonly name: string;
  readonly bodies: readonly ScrapedFamily[];
}

const byNameOf = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

const entry = ({ name, bodies }: Candidate): PassedFamily => ({ name, type: bodies[0].type, help: bodies[0].help, bodies });

type Lose = (family: ScrapedFamily) => void;

/** Those of the type that most have; none where two types have as many. */
function agreed(bodies: readonly ScrapedFamily[], lose: Lose): readonly ScrapedFamily[] {
  if (bodies.every(({ type }) => type === bodies[0].type)) return bodies;
  const votes = new Map<WireType, number>();
  for (const { type } of bodies) votes.set(type, (votes.get(type) ?? 0) + 1);
  const [[winner, most], [, second]] = [...votes].sort(([, a], [, b]) => b - a);
  const isHis = ({ type }: ScrapedFamily): boolean => most > second && type === winner;
  for (const body of bodies) if (!isHis(body)) lose(body);
  return bodies.filter(isHis);
}

/** Those that most sandboxes have, then by name. */
function withinBudget(candidates: readonly Candidate[], lose: Lose): Candidate[] {
  const foremost: Candidate[] = [];
  for (const candidate of candidates) {
    const last = foremost[MAX_UNKNOWN_MERGED - 1];
    // Far less than sorting them all, where there are thousands.
    if (last && !isBefore(candidate, last)) candidate.bodies.forEach(lose);
    else if (candidate.bodies.length > 0) foremost.splice(placeOf(candidate, foremost), 0, candidate);
    if (foremost.length > MAX_UNKNOWN_MERGED) foremost.pop()?.bodies.forEach(lose);
  }
  return foremost;
}

const isBefore = (a: Candidate, b: Candidate): boolean =>
  a.bodies.length === b.bodies.length ? a.name < b.name : a.bodies.length > b.bodies.length;

function placeOf(candidate: Candidate, sorted: readonly Candidate[]): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (isBefore(candidate, sorted[middle])) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** @param candidates heaviest first */
function withoutClashes(candidates: readonly Candidate[], lose: Lose): Candidate[] {
  const taken = new Set<string>();
  const kept: Candidate[] = [];
  for (let from = 0; from < candidates.length; ) {
    const { length } = candidates[from].bodies;
    const equals = candidates.slice(from).filter(({ bodies }) => bodies.length === length);
    from += equals.length;
    const free = equals.filter((candidate) => isFree(candidate, taken, lose));
    const users = usersOf(free);
    const alone = free.filter((candidate) => printedNames(candidate).every((name) => users.get(name) === 1));
    for (const candidate of free) if (!alone.includes(candidate)) candidate.bodies.forEach(lose);
    for (const name of alone.flatMap(printedNames)) taken.add(name);
    kept.push(...alone);
  }
  return kept;
}

const printedNames = ({ name, bodies }: Candidate): string[] => namesOf(name, bodies[0].type);

function isFree(candidate: Candidate, taken: ReadonlySet<string>, lose: Lose): boolean {
  const isFree = !printedNames(candidate).some((name) => taken.has(name));
  if (!isFree) candidate.bodies.forEach(lose);
  return isFree;
}

/** How many families each name would belong to. */
function usersOf(candidates: readonly Candidate[]): Map<string, number> {
  const users = new Map<string, number>();
  for (const name of candidates.flatMap(printedNames)) users.set(name, (users.get(name) ?? 0) + 1);
  return users;
}
