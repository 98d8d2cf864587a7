import { describe, expect, it } from 'vitest';
import { FakeSubject } from '../../../test/subject.js';
import { counter, gauge, metric } from '../../model/metric.js';
import { Tables } from '../../model/tables.js';
import { chosenRows, declaredFamilies, LabelCache, RowLabels } from './family-lines.js';
import { OPEN_METRICS, TEXT } from './format.js';

describe('declaredFamilies', () => {
  it('gathers the columns of a family, in the order of their labels', () => {
    const tables = new Tables();
    const family = counter({ name: 'a_seconds_total', help: 'A.', unit: 'seconds' });
    for (const mode of ['user', 'system']) tables.instances.column(metric({ json: mode, family, labels: { mode } }));
    tables.interfaces.column(metric({ json: 'b', family: gauge({ name: 'b', help: 'B.', identity: 'interface' }) }));
    const [a, b] = declaredFamilies(tables, []);
    expect(a.columns.map(({ prefix }) => prefix.toString())).toEqual(['a_seconds_total{mode="system",', 'a_seconds_total{mode="user",']);
    expect(b.columns.map(({ prefix }) => prefix.toString())).toEqual(['b{']);
    expect(a.group).toBe('self');
    expect(a.head(TEXT).toString()).toBe('# HELP a_seconds_total A.\n# TYPE a_seconds_total counter\n');
    expect(a.head(OPEN_METRICS).toString()).toContain('# UNIT a_seconds seconds\n');
    expect(a.head(TEXT)).toBe(a.head(TEXT));
  });
});

describe('LabelCache', () => {
  it('renders a row once for as long as its key and version stay', () => {
    let rendered = 0;
    let version = 0;
    const cache = new LabelCache<string>(
      (key) => `${key}${rendered++}`,
      () => version,
    );
    const rows = Int32Array.of(3);
    cache.update({ rows, keys: ['a'] });
    cache.update({ rows, keys: ['a'] });
    expect(cache.bytes[3]?.toString()).toBe('a0} ');
    version++;
    cache.update({ rows, keys: ['a'] });
    expect(cache.bytes[3]?.toString()).toBe('a1} ');
    cache.update({ rows, keys: ['b'] });
    expect(cache.bytes[3]?.toString()).toBe('b2} ');
  });
});

describe('RowLabels', () => {
  it('names an interface without a name by its place', () => {
    const tables = new Tables();
    const parent = new FakeSubject(null, 'vm', 'n"ame');
    tables.instances.add(parent);
    const rows = [tables.interfaces.add({ parent, place: 0, name: 'tap0' }), tables.interfaces.add({ parent, place: 1, name: '' })];
    tables.instances.publish();
    tables.interfaces.publish();
    const labels = new RowLabels(tables);
    labels.update();
    const of = (identity: 'id' | 'id_and_name' | 'interface', row: number) =>
      labels.of(gauge({ name: 'a', help: 'A.', identity }))[row]?.toString();
    expect(of('id', 0)).toBe('instance_id="vm"} ');
    expect(of('id_and_name', 0)).toBe('instance_id="vm",instance_name="n\\"ame"} ');
    expect(rows.map((row) => of('interface', row))).toEqual(['instance_id="vm",interface="tap0"} ', 'instance_id="vm",interface="nic1"} ']);
  });
});

it('chosenRows are all, or those of the chosen, in page order', () => {
  const tables = new Tables();
  for (const id of ['b', 'a', 'c']) tables.instances.add(new FakeSubject(null, id));
  tables.instances.publish();
  expect([...chosenRows(tables.instances, undefined)]).toEqual([1, 0, 2]);
  expect([...chosenRows(tables.instances, ({ id }) => id !== 'a')]).toEqual([0, 2]);
});
