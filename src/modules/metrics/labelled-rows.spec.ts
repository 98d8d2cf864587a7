import { describe, expect, it } from 'vitest';
import { FakeSubject } from '../../../test/subject.js';
import type { Identity } from '../../model/metric.js';
import { PARTS } from '../../model/parts.js';
import { Tables } from '../../model/tables.js';
import { LabelCache, labelledRows } from './labelled-rows.js';

const POD = { uid: 'u-1', name: 'w"eb', namespace: 'shop' };

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

/** Two VMs with two interfaces each; the second one is a sandbox with two interfaces in its namespace. */
function house(cri: boolean) {
  const tables = new Tables();
  const [vm, pod] = [new FakeSubject(null, 'a-vm', 'n"ame'), new FakeSubject(null, 'b-pod')];
  pod.record = { id: 'b-pod', sandbox: { vmmInShim: false, pod: POD } };
  for (const subject of [pod, vm]) {
    tables.instances.add(subject);
    tables.interfaces.add({ parent: subject, place: 0, name: 'tap0' });
    tables.interfaces.add({ parent: subject, place: 1, name: '' });
  }
  tables.sandboxes.add({ parent: pod });
  for (const name of ['lo', 'eth0']) tables.sandboxInterfaces.add({ parent: pod, place: 0, name });
  tables.publish();
  const rows = labelledRows(tables, cri);
  const labels = (identity: Identity, instances?: ReadonlySet<string>) => {
    rows[identity].update();
    return [...rows[identity].rows(instances)].map((row) => rows[identity].labels[row]?.toString());
  };
  return { tables, rows, labels, pod };
}

describe('labelledRows', () => {
  it('name an instance, an interface, a sandbox, in page order', () => {
    const { labels } = house(true);
    expect(labels('id')).toEqual(['instance_id="a-vm"} ', 'instance_id="b-pod"} ']);
    expect(labels('id_and_name')[0]).toBe('instance_id="a-vm",instance_name="n\\"ame"} ');
    expect(labels('interface').slice(0, 2)).toEqual(['instance_id="a-vm",interface="nic1"} ', 'instance_id="a-vm",interface="tap0"} ']);
    const whose = 'sandbox_id="b-pod",cri_uid="u-1",cri_name="w\\"eb",cri_namespace="shop"} ';
    expect(labels('sandbox')).toEqual([whose]);
    expect(labels('sandbox_interface')).toEqual([`interface="eth0",${whose}`, `interface="lo",${whose}`]);
  });

  it('name no pod where that is switched off', () => {
    expect(house(false).labels('sandbox')).toEqual(['sandbox_id="b-pod"} ']);
  });

  it('follow what becomes known of a pod', () => {
    const { labels, pod } = house(true);
    labels('sandbox');
    pod.record = { id: 'b-pod', sandbox: { vmmInShim: false, pod: { ...POD, name: 'db' } } };
    expect(labels('sandbox')[0]).toContain('cri_name="w\\"eb"');
    pod.version++;
    expect(labels('sandbox')[0]).toContain('cri_name="db"');
    expect(labels('sandbox_interface')[1]).toContain('cri_name="db"');
  });

  it('of a VMM are those of sandboxes that have one of its own', () => {
    const { labels, pod } = house(false);
    expect(labels('sandbox_vmm_interface')).toEqual(labels('sandbox_interface'));
    pod.record = { id: 'b-pod', sandbox: { vmmInShim: true } };
    expect(labels('sandbox_vmm_interface')).toEqual([]);
    expect(labels('sandbox_interface')).toHaveLength(2);
  });

  it('are those of the chosen instances only', () => {
    const { labels } = house(true);
    expect(labels('id', new Set(['b-pod']))).toEqual(['instance_id="b-pod"} ']);
    expect(labels('interface', new Set(['a-vm']))).toHaveLength(2);
    expect(labels('sandbox', new Set(['a-vm']))).toEqual([]);
  });

  it('have no label that says whose they are on a sandbox’s own page', () => {
    const { rows } = house(true);
    expect([...rows.sandbox.bare('b-pod')].map(({ labels }) => labels)).toEqual(['']);
    expect([...rows.sandbox_interface.bare('b-pod')].map(({ labels }) => labels)).toEqual(['interface="eth0"', 'interface="lo"']);
    expect([...rows.sandbox_interface.bare('a-vm')]).toEqual([]);
  });

  it('name the parts of an instance by what tells them apart', () => {
    const tables = new Tables();
    const [one, two] = [new FakeSubject(null, 'one'), new FakeSubject(null, 'two')];
    for (const part of PARTS) for (const [place, name] of ['10', '9', 'a"\\\n'].entries()) tables[part].add({ parent: two, place, name });
    for (const part of PARTS) tables[part].add({ parent: one, place: 0, name: '0' });
    tables.publish();
    const rows = labelledRows(tables, true);
    const labels = (identity: Identity, instances?: ReadonlySet<string>) => {
      rows[identity].update();
      return [...rows[identity].rows(instances)].map((row) => rows[identity].labels[row]?.toString());
    };
    const whose = { vcpu: 'vcpu', disk: 'device', vnic: 'device', kvm_exit: 'reason', kvm_event: 'event' } as const;
    for (const [identity, word] of Object.entries(whose)) {
      // Object.entries forgets the keys' names; they are those of `whose`.
      const all = labels(identity as keyof typeof whose);
      expect(all[0]).toBe(`instance_id="one",${word}="0"} `);
      const numbers = [`instance_id="two",${word}="10"} `, `instance_id="two",${word}="9"} `];
      if (identity !== 'vcpu') expect(all.slice(1)).toEqual([...numbers, `instance_id="two",${word}="a\\"\\\\\\n"} `]);
      expect(labels(identity as keyof typeof whose, new Set(['one']))).toEqual([`instance_id="one",${word}="0"} `]);
      expect([...rows[identity as keyof typeof whose].bare('one')].map((row) => row.labels)).toEqual([`${word}="0"`]);
    }
  });

  it('have vCPUs in the order of their numbers, whatever order they came in', () => {
    const tables = new Tables();
    const subject = new FakeSubject(null, 'one');
    for (const [place, name] of ['10', '2', '0'].entries()) tables.vcpus.add({ parent: subject, place, name });
    tables.publish();
    expect(tables.vcpus.order.keys.map(({ name }) => name)).toEqual(['0', '2', '10']);
  });

  it('say where there is nothing to print', () => {
    const none = labelledRows(new Tables(), true);
    expect(new Set(Object.values(none).map(({ empty }) => empty))).toEqual(new Set([true]));
    const { rows } = house(true);
    for (const identity of ['id', 'interface', 'sandbox', 'sandbox_interface'] as const) expect(rows[identity].empty).toBe(false);
    expect(rows.disk.empty).toBe(true);
  });
});
