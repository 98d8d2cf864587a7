import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseExposition } from '../../../test/exposition-parser.js';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import type { InstanceRecord } from '../../model/instance.js';
import { ClientFamilies } from './client-families.js';
import { Exposition, type Selection } from './exposition.js';
import { OPEN_METRICS, TEXT } from './format.js';
import { SelfFamilies } from './self.js';

const HOSTILE = 'n"a\\m\ne \ud800 {}=,é💥';
let proc: FakeProc;
let house: House;
let exposition: Exposition;
beforeEach(async () => {
  // The library's registry is one for all specs of this process.
  register.clear();
  proc = new FakeProc();
  house = new House(proc.host());
  const self = new SelfFamilies(house.registry, house.collection, house.discovery, house.host);
  exposition = new Exposition(house.tables, house.collection, self, new ClientFamilies(), house.host, house.settings);
  await start();
});
afterEach(async () => {
  await house.close();
  proc.close();
});

async function start(): Promise<void> {
  proc.addProcess(7, { userTicks: 100 });
  proc.addProcess(8, { userTicks: 200 });
  const nics: InstanceRecord['nics'] = [{ kind: 'tap', name: 'exptap0' }, { kind: 'user' }];
  house.told.records = [
    { id: 'b', name: HOSTILE, process: { pid: 7 }, vcpus: 2, memoryBytes: 2 ** 40, nics },
    { id: 'a', process: { pid: 8 } },
  ];
  await house.turn();
}

async function page(selection: Selection = {}, format = TEXT): Promise<string> {
  const { bytes, release } = await exposition.page(format, selection);
  const text = bytes.toString();
  release();
  return text;
}
const families = async (selection: Selection = {}) => parseExposition(await page(selection), 'text');
const values = async (name: string, selection: Selection = {}) =>
  (await families(selection))
    .find((family) => family.name === name)
    ?.samples.map(({ labels, spelling }) => [Object.values(labels).join(), spelling]);

describe('a page', () => {
  it('is read by a strict parser in both formats, with the same families and numbers', async () => {
    const text = parseExposition(await page(), 'text');
    const open = parseExposition(await page({}, OPEN_METRICS), 'openmetrics');
    expect(text.length).toBeGreaterThan(50);
    const stable = (list: typeof text) =>
      list.flatMap(({ samples }) => samples.map(({ name, labels, value }) => JSON.stringify([name, labels, value]))).sort();
    expect(stable(open)).toEqual(stable(text));
  });

  it('is the same twice of a host that stands still', async () => {
    expect(await page()).toBe(await page());
    const first = await page({ exclude: ['self'] });
    await house.turn();
    expect(await page({ exclude: ['self'] })).toBe(first);
  });

  it('has families sorted by name, and samples by instance', async () => {
    const list = await families();
    const names = list.map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    for (const { name, samples } of list.filter(({ samples: own }) => own.every(({ labels }) => 'instance_id' in labels))) {
      const ids = samples.map(({ labels }) => labels.instance_id);
      expect(ids, name).toEqual([...ids].sort());
    }
  });

  it('has the numbers of the last sweep', async () => {
    expect(await values('hypeman_vm_cpu_seconds_total')).toEqual([
      ['a,a', '4.3'],
      [`b,${HOSTILE.replace('\n', '?').toWellFormed()}`, '3.3'],
    ]);
    expect(await values('vmgauge_vm_allocated_memory_bytes')).toEqual([['b', '1099511627776']]);
    expect(await values('vmgauge_vm_network_receive_bytes_total')).toEqual([['b,exptap0', '57782670']]);
  });

  it('gives no sum of interfaces when one of them cannot be counted, and says why', async () => {
    expect(await values('hypeman_vm_network_rx_bytes_total')).toBeUndefined();
    expect(await values('vmgauge_collector_outcome')).toContainEqual(['b,network,absent,unsupported', '1']);
  });

  it('shows a new name from the sweep on that follows it', async () => {
    house.told.records = [{ id: 'a', name: 'renamed', process: { pid: 8 } }];
    await house.turn();
    expect(await values('hypeman_vm_cpu_seconds_total')).toEqual([['a,renamed', '4.3']]);
  });

  it('shows no instance whose process ended, but that it is not up', async () => {
    proc.write('8/stat', statLine({ pid: 8, state: 'Z' }));
    await house.collection.sweep();
    expect((await values('vmgauge_vm_threads'))?.map(([id]) => id)).toEqual(['b']);
    expect(await values('vmgauge_instance_up')).toEqual([
      ['a', '0'],
      ['b', '1'],
    ]);
  });

  it('made while a sweep is under way is of one sweep, in which all are up', async () => {
    const sweeping = house.collection.sweep();
    expect(await values('vmgauge_instance_up')).toEqual([
      ['a', '1'],
      ['b', '1'],
    ]);
    await sweeping;
  });
});

describe('a selection', () => {
  it('by instance has nothing else, and nothing about the agent', async () => {
    const list = await families({ instances: new Set(['a']) });
    expect(list.length).toBeGreaterThan(10);
    for (const { samples } of list) for (const { labels } of samples) expect(labels.instance_id).toBe('a');
  });

  it('by group has only its families, or all but them', async () => {
    const cpu = (await families({ collect: ['cpu'] })).map(({ name }) => name);
    expect(cpu).toContain('hypeman_vm_cpu_seconds_total');
    expect(cpu).not.toContain('vmgauge_vm_threads');
    const rest = (await families({ exclude: ['cpu'] })).map(({ name }) => name);
    expect(rest).toContain('vmgauge_vm_threads');
    expect(rest.filter((name) => cpu.includes(name))).toEqual([]);
    expect(new Set([...cpu, ...rest])).toEqual(new Set((await families()).map(({ name }) => name)));
  });

  it('by the beginning of a name has only those', async () => {
    const list = await families({ families: ['hypeman_vm_cpu', 'vmgauge_vm_threads'] });
    expect(list.map(({ name }) => name)).toEqual(['hypeman_vm_cpu_seconds_total', 'vmgauge_vm_threads']);
  });

  it('of nothing is an empty page, in OpenMetrics with its end', async () => {
    expect(await page({ families: ['nothing'] })).toBe('');
    expect(await page({ families: ['nothing'] }, OPEN_METRICS)).toBe('# EOF\n');
  });

  it('of an unknown group, or of both lists, is refused', () => {
    expect(() => exposition.check({ collect: ['nobody'] })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    expect(() => exposition.check({ exclude: ['x'.repeat(10_000)] })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    expect(() => exposition.check({ collect: ['cpu'], exclude: ['io'] })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    for (const group of exposition.groups) exposition.check({ collect: [group] });
  });
});

describe('a finished page', () => {
  it('is not overwritten by another while it is out', async () => {
    const first = await exposition.page(TEXT, {});
    const text = first.bytes.toString();
    const second = await exposition.page(TEXT, { families: ['hypeman'] });
    expect(first.bytes.toString()).toBe(text);
    first.release();
    second.release();
  });
});
