import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Metric } from '../../src/model/metric.js';
import type { Table } from '../../src/model/table.js';
import { Tables } from '../../src/model/tables.js';
import { VmmAsker } from '../../src/modules/vmm/asker.js';
import { answering, EMPTY_ANSWER, FULL_ANSWER } from '../vmm-answer.js';
import { Agent, type AgentOptions } from './agent.js';
import { rootOf, STORIES, story } from './stories.js';
import { type ParsedFamily, parseStrictly } from './strict-exposition.js';

/** Numbers of the document that are no reading: how often, how long, which one. */
const NO_READING = /^(generation$|rates\.|collectors\.|shim\.pid$|cpu\.vcpus\[\]\.index$|network\.switch_ports\[\]\.(ofport|vlan)$)/;
/** What tells the members of an array apart, and the label that says the same. */
const NAMES = {
  'network.interfaces[]': ['name', 'interface'],
  'shim.interfaces[]': ['name', 'interface'],
  'cpu.vcpus[]': ['index', 'vcpu'],
  'disks[]': ['device', 'device'],
  'network.devices[]': ['device', 'device'],
  'network.switch_ports[]': ['port', 'port'],
  'limits.io.devices[]': ['device', 'device'],
} as const;
/** Objects whose members' names come from the kernel, and the label that says the same. */
const MEMBERS = { 'exits.kvm.reasons': 'reason', 'exits.kvm.events': 'event' } as const;

type Value = number | string | null;
interface Leaf {
  /** Dotted, a member of an array without its number: `network.interfaces[].rx_bytes`. */
  readonly place: string;
  /** Which member it is of. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

/** Numbers, words and nulls of a document. */
function leaves(node: unknown, place = '', labels: Leaf['labels'] = {}): Leaf[] {
  if (node === null || typeof node === 'number' || typeof node === 'string') return [{ place, labels, value: node }];
  if (typeof node !== 'object') return [];
  if (Array.isArray(node)) return node.flatMap((one) => leaves(one, `${place}[]`, { ...labels, ...labelOf(`${place}[]`, one) }));
  return Object.entries(node).flatMap(([word, below]) => {
    const member = Reflect.get(MEMBERS, place);
    if (typeof member === 'string') return leaves(below, `${place}.*`, { [member]: word });
    return leaves(below, place === '' ? word : `${place}.${word}`, labels);
  });
}

function labelOf(place: string, one: unknown): Leaf['labels'] {
  const names: readonly [string, string] | undefined = Reflect.get(NAMES, place);
  return names && typeof one === 'object' && one !== null ? { [names[1]]: String(Reflect.get(one, names[0])) } : {};
}

/** Every metric by its places in the document. */
function placesOf(tables: Tables): Map<string, Metric> {
  const at = (prefix: string, { columns }: Pick<Table<never>, 'columns'>): [string, Metric][] =>
    columns.flatMap(({ metric }) =>
      [metric.json, metric.alias].flatMap((place) =>
        place === undefined || place === '' ? [] : [[prefix + place, metric] as [string, Metric]],
      ),
    );
  const all = [
    ...[...at('', tables.instances), ...at('', tables.sandboxes)],
    ...[...at('network.interfaces[].', tables.interfaces), ...at('shim.interfaces[].', tables.sandboxInterfaces)],
    ...[...at('cpu.vcpus[].', tables.vcpus), ...at('disks[].', tables.disks), ...at('network.devices[].', tables.vnics)],
    ...[...at('network.switch_ports[].', tables.switchPorts), ...at('limits.io.devices[].', tables.cgroupDevices)],
    ...at('events.processes[].', tables.tracedProcesses),
  ];
  const members = { 'exits.kvm.reasons.*': tables.kvmExits, 'exits.kvm.events.*': tables.kvmEvents };
  return new Map([...all, ...Object.entries(members).map(([place, { columns }]) => [place, columns[0].metric] as const)]);
}

/** What the page says of an instance under these labels; undefined where it says nothing. */
function said(page: ReadonlyMap<string, ParsedFamily>, family: string, wanted: Readonly<Record<string, string>>): number | undefined {
  const found = page
    .get(family)
    ?.samples.filter(({ labels }) => Object.entries(wanted).every(([name, value]) => labels.get(name) === value));
  expect(found?.length ?? 0).toBeLessThan(2);
  return found?.[0]?.value;
}

/** Whether a document has this place: not below a group that is null, nor in a list that is empty. */
function isOwed(place: string, document: object): boolean {
  if (place.endsWith('[].outcome')) return false;
  let node: unknown = document;
  for (const word of place.split('.')) {
    if (typeof node !== 'object' || node === null) return false;
    if (word === '*') return Object.keys(node).length > 0;
    node = Reflect.get(node, word.replace('[]', ''));
    if (word.endsWith('[]')) node = Array.isArray(node) ? node[0] : null;
  }
  return node !== null || !/(\[\]|\*)/.test(place);
}

const ID_LABEL: Readonly<Record<string, string>> = {
  sandbox: 'sandbox_id',
  sandbox_interface: 'sandbox_id',
  sandbox_vmm_interface: 'sandbox_id',
};

/** What the page should say at a place with this value; undefined for nothing. */
function expected(metric: Metric, decimals: number, value: Value): number | undefined {
  if (value === null) return undefined;
  if (typeof value === 'string') return metric.words?.list.includes(value) ? 1 : Number.NaN;
  return decimals < metric.decimals ? value * 10 ** (metric.decimals - decimals) : value;
}

const isSame = (one: number | undefined, other: number | undefined): boolean =>
  one === undefined || other === undefined ? one === other : Math.abs(one - other) <= Math.abs(one) * 1e-12;

/** Holds every stats document against the page, and the page against the documents. @returns how many samples were compared */
async function compare(agent: Agent): Promise<number> {
  const page = parseStrictly(await agent.text('/metrics'), 'text');
  const places = placesOf(agent.app.get(Tables, { strict: false }));
  const { instances } = JSON.parse(await agent.text('/stats'));
  /** Samples that a document accounts for, by family. A metric may have two places. */
  const told = new Map<string, Set<string>>();
  for (const document of instances) {
    const id: string = document.instance_id;
    const all = leaves(document);
    const found = new Set(all.map(({ place }) => place));
    const owed = [...places.keys()].filter((place) => !NO_READING.test(place) && isOwed(place, document));
    expect({ id, missing: owed.filter((place) => !found.has(place)) }).toEqual({ id, missing: [] });
    const vmmInShim = document.shim?.vmm_in_shim === true;
    for (const { place, labels: member, value } of all) {
      const metric = places.get(place);
      if (!metric) {
        if (typeof value === 'number') expect({ place, value }).toEqual({ place, value: expect.toSatisfy(() => NO_READING.test(place)) });
        continue;
      }
      const word = metric.words && typeof value === 'string' ? { [metric.words.label]: value } : {};
      for (const { family, labels = {}, decimals = metric.decimals } of metric.families) {
        if (family.identity === 'sandbox_vmm_interface' && vmmInShim) continue;
        const wanted = { ...labels, ...word, ...member, [ID_LABEL[family.identity] ?? 'instance_id']: id };
        const number = said(page, family.name, wanted);
        const should = expected(metric, decimals, value);
        const line = { place, family: family.name, wanted, should, number };
        expect({ ...line, same: isSame(should, number) }).toEqual({ ...line, same: true });
        if (number !== undefined) told.set(family.name, (told.get(family.name) ?? new Set()).add(JSON.stringify(wanted)));
      }
    }
  }
  const compared = new Set([...places].filter(([place]) => !NO_READING.test(place)).flatMap(([, metric]) => metric.families));
  for (const { family } of compared) {
    if (family.name.startsWith('vmgauge_'))
      expect([family.name, page.get(family.name)?.samples.length]).toEqual([family.name, told.get(family.name)?.size]);
  }
  return [...told.values()].reduce((sum, { size }) => sum + size, 0);
}

describe.each(STORIES.filter(({ instance }) => instance !== undefined))('on the host $name', (one) => {
  let agent: Agent;
  beforeAll(async () => {
    agent = await Agent.of(one);
    await agent.sweep(2);
  });
  afterAll(() => agent.stop());

  it('every number of every stats document is on the page, and a null is not', async () => {
    expect(await compare(agent)).toBeGreaterThan(40);
  });
});

/** An agent whose VMMs have just been asked, in the place of the house's own ways to ask them. */
async function asked(dialogues: AgentOptions['dialogues']): Promise<Agent> {
  const agent = await Agent.start(rootOf(story('two-qemu')), { dialogues });
  await agent.app.get(VmmAsker, { strict: false }).settle(30_000);
  await agent.sweep();
  return agent;
}

describe('of VMMs that answer', () => {
  let agent: Agent;
  afterAll(() => agent.stop());
  const documents = async (): Promise<Record<string, Record<string, unknown>>[]> => JSON.parse(await agent.text('/stats')).instances;

  it('everything they tell is in the document and on the page', async () => {
    agent = await asked([answering('qemu', () => FULL_ANSWER)]);
    expect(await compare(agent)).toBeGreaterThan(250);
    for (const document of await documents()) {
      for (const group of ['disks', 'vmm', 'exits', 'migration', 'events']) expect([group, document[group]]).not.toEqual([group, null]);
      expect(document.vmm).toMatchObject({ state: 'internal-error', version: 'QEMU 7.2.22', dialogue: 'qmp' });
      expect(document.memory).toMatchObject({ guest: { oom_kills: 2 }, balloon: { held_bytes: 48 * 2 ** 20 } });
    }
    const page = await agent.text('/metrics');
    expect(page).toMatch(/^vmgauge_vm_vmm_state\{state="internal-error",instance_id="[^"]+"\} 1$/m);
    expect(page).toMatch(/^vmgauge_vm_disk_info\{instance_id="[^"]+",device="sd\\"0\?",file="C:\\\\b",format="",read_only=""\} 1$/m);
    expect(page).toMatch(/^vmgauge_vm_vmm_info\{instance_id="[^"]+",dialogue="qmp",version="QEMU 7\.2\.22"\} 1$/m);
    await agent.stop();
  });

  it('and tell nothing every group is null, and nothing is on the page', async () => {
    agent = await asked([answering('qemu', () => EMPTY_ANSWER)]);
    await compare(agent);
    for (const { disks, exits, migration, events, network, memory, collectors } of await documents()) {
      expect([disks, exits, migration, events, network.devices, memory.guest, memory.balloon]).toEqual(Array(7).fill(null));
      expect(collectors.disks).toMatchObject({ outcome: 'absent', reason: 'unsupported' });
    }
    expect(await agent.text('/metrics')).not.toMatch(/^# HELP vmgauge_vm_(disk|guest|balloon|migration|events|exits|kvm)_/m);
  });
});
