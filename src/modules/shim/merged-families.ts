import type { PassedFamily } from './pass-through.js';
import type { ScrapedFamily, ScrapedText } from './scraped-text.js';
import { namesOf, VOCABULARY, type WireType } from './vocabulary.js';

/** Families of many sandboxes as one page has them. */
export interface MergedFamilies {
  /** By name. */
  readonly families: readonly PassedFamily[];
  /** Series that others contradict, by instance. */
  readonly conflicts: ReadonlyMap<string, number>;
}

/**
 * One entry a name. A family of the vocabulary has one type everywhere, its parser saw to that. For any other the type that most sandboxes
 * give holds, and of two whose samples would have the same name the one that more sandboxes have: what one guest makes up costs no other.
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
  const lose = (family: ScrapedFamily): void => {
    conflicts.set(family.instanceId, (conflicts.get(family.instanceId) ?? 0) + family.series);
  };
  const known: PassedFamily[] = [];
  const strange: Candidate[] = [];
  for (const [name, bodies] of byName) {
    if (VOCABULARY.has(name)) known.push(entry({ name, bodies }));
    else strange.push({ name, bodies: agreed(bodies, lose) });
  }
  return { families: [...known, ...withoutClashes(strange, lose).map(entry)].sort(byNameOf), conflicts };
}

interface Candidate {
  readonly name: string;
  readonly bodies: readonly ScrapedFamily[];
}

const byNameOf = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

const entry = ({ name, bodies }: Candidate): PassedFamily => ({ name, type: bodies[0].type, help: bodies[0].help, bodies });

/** Those of the type that most have; of two the one that comes first. */
function agreed(bodies: readonly ScrapedFamily[], lose: (family: ScrapedFamily) => void): readonly ScrapedFamily[] {
  const votes = new Map<WireType, number>();
  for (const { type } of bodies) votes.set(type, (votes.get(type) ?? 0) + 1);
  if (votes.size === 1) return bodies;
  const most = Math.max(...votes.values());
  const winner = [...votes].find(([, count]) => count === most)?.[0];
  for (const body of bodies) if (body.type !== winner) lose(body);
  return bodies.filter(({ type }) => type === winner);
}

function withoutClashes(candidates: readonly Candidate[], lose: (family: ScrapedFamily) => void): Candidate[] {
  const taken = new Set<string>();
  const byWeight = [...candidates].sort((a, b) => b.bodies.length - a.bodies.length || byNameOf(a, b));
  return byWeight.filter(({ name, bodies }) => {
    const names = namesOf(name, bodies[0].type);
    const isFree = !names.some((one) => taken.has(one));
    if (isFree) for (const one of names) taken.add(one);
    else bodies.forEach(lose);
    return isFree;
  });
}
