import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Metric } from '../../src/model/metric.js';
import { Tables } from '../../src/model/tables.js';
import { Agent } from './agent.js';
import { rootOf, STORIES } from './stories.js';
import { type ParsedFamily, parseStrictly } from './strict-exposition.js';

/** Numbers of the document that are no reading: how often and how long. */
const NO_READING = /^(generation$|rates\.|collectors\.|shim\.pid$)/;

interface Leaf {
  /** Dotted; an interface by its name: `network.interfaces[].rx_bytes`. */
  readonly place: string;
  readonly interfaceName?: string;
  readonly value: number | null;
}

/** Numbers and nulls of a document. */
function leaves(node: unknown, place = '', interfaceName?: string): Leaf[] {
  if (node === null || typeof node === 'number') return [{ place, value: node, ...(interfaceName === undefined ? {} : { interfaceName }) }];
  if (Array.isArray(node)) return node.flatMap((one) => leaves(one, `${place}[]`, String(Reflect.get(Object(one), 'name'))));
  if (typeof node !== 'object') return [];
  return Object.entries(Object(node)).flatMap(([word, below]) => leaves(below, place === '' ? word : `${place}.${word}`, interfaceName));
}

/** Every metric by its places in the document. */
function placesOf(tables: Tables): Map<string, Metric> {
  const at = (prefix: string, { metric }: { metric: Metric }): [string, Metric][] =>
    [metric.json, metric.alias].flatMap((place) => (place === undefined ? [] : [[prefix + place, metric] as [string, Metric]]));
  return new Map([
    ...tables.instances.columns.flatMap((column) => at('', column)),
    ...tables.interfaces.columns.flatMap((column) => at('network.interfaces[].', column)),
    ...tables.sandboxes.columns.flatMap((column) => at('', column)),
    ...tables.sandboxInterfaces.columns.flatMap((column) => at('shim.interfaces[].', column)),
  ]);
}

/** What the page says of an instance under these labels; undefined where it says nothing. */
function said(page: ReadonlyMap<string, ParsedFamily>, family: string, wanted: Readonly<Record<string, string>>): number | undefined {
  const found = page
    .get(family)
    ?.samples.filter(({ labels }) => Object.entries(wanted).every(([name, value]) => labels.get(name) === value));
  expect(found?.length ?? 0).toBeLessThan(2);
  return found?.[0]?.value;
}

/** Whether a document has this place: only sandboxes have a shim, only those with interfaces have their numbers. */
function isOwed(place: string, { shim, network }: { shim: { interfaces: unknown[] } | null; network: { interfaces: unknown[] } }): boolean {
  if (place.endsWith('[].outcome')) return false;
  if (place.startsWith('network.interfaces[]')) return network.interfaces.length > 0;
  if (place.startsWith('shim.interfaces[]')) return shim !== null && shim.interfaces.length > 0;
  return !place.startsWith('shim.') || shim !== null;
}

const ID_LABEL = { id: 'instance_id', id_and_name: 'instance_id', interface: 'instance_id' } as const;

describe.each(STORIES.filter(({ instance }) => instance !== undefined))('on the host $name', (story) => {
  let agent: Agent;
  beforeAll(async () => {
    agent = await Agent.start(rootOf(story), story.prepare ? { prepare: story.prepare } : {});
    await agent.sweep(2);
  });
  afterAll(() => agent.stop());

  it('every number of every stats document is on the page, and a null is not', async () => {
    const page = parseStrictly(await agent.text('/metrics'), 'text');
    const places = placesOf(agent.app.get(Tables, { strict: false }));
    const { instances } = JSON.parse(await agent.text('/stats'));
    let compared = 0;
    for (const document of instances) {
      const found = new Set(leaves(document).map(({ place }) => place));
      const owed = [...places.keys()].filter((place) => !NO_READING.test(place) && isOwed(place, document));
      expect({ id: document.instance_id, missing: owed.filter((place) => !found.has(place)) }).toEqual({
        id: document.instance_id,
        missing: [],
      });
      const vmmInShim = document.shim?.vmm_in_shim === true;
      for (const { place, interfaceName, value } of leaves(document)) {
        const metric = places.get(place);
        if (!metric) {
          expect({ place, value }).toEqual({ place, value: value === null ? null : expect.toSatisfy(() => NO_READING.test(place)) });
          continue;
        }
        for (const { family, labels = {}, decimals = metric.decimals } of metric.families) {
          if (family.identity === 'sandbox_vmm_interface' && vmmInShim) continue;
          const idLabel = Reflect.get(ID_LABEL, family.identity) ?? 'sandbox_id';
          const wanted = {
            ...labels,
            [idLabel]: document.instance_id,
            ...(interfaceName === undefined ? {} : { interface: interfaceName }),
          };
          const number = said(page, family.name, wanted);
          const expected = value === null ? undefined : decimals < metric.decimals ? value * 10 ** (metric.decimals - decimals) : value;
          const same =
            expected === undefined || number === undefined
              ? expected === number
              : Math.abs(expected - number) <= Math.abs(expected) * 1e-12;
          expect({ place, family: family.name, wanted, same, expected, number }).toEqual({
            place,
            family: family.name,
            wanted,
            same: true,
            expected,
            number,
          });
          compared++;
        }
      }
    }
    expect(compared).toBeGreaterThan(40);
  });
});
