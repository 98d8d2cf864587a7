import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OvsInterface } from './database.js';
import { type Dialect, OvsdbReplica } from './ovsdb-replica.js';

const id = (n: number): string => `00000000-0000-0000-0000-${n.toString(16).padStart(12, '0')}`;
const uuid = (n: number): unknown => ['uuid', id(n)];
const set = (...members: unknown[]): unknown => ['set', members];
const map = (pairs: Record<string, string>): unknown => ['map', Object.entries(pairs)];

const [BRIDGE, PORT, IFACE, SWITCH] = [1, 2, 3, 4];
/** One bridge with one port of one interface, as `monitor_cond` answers it: columns at their defaults are left out. */
const FIRST = {
  Open_vSwitch: { [id(SWITCH)]: { initial: { ovs_version: '3.1.0' } } },
  Bridge: {
    [id(BRIDGE)]: { initial: { name: 'br-int', datapath_type: 'netdev', protocols: set('OpenFlow15', 'OpenFlow10'), ports: uuid(PORT) } },
  },
  Port: { [id(PORT)]: { initial: { name: 'tap0', interfaces: uuid(IFACE) } } },
  Interface: { [id(IFACE)]: { initial: { name: 'tap0', external_ids: map({ 'vm-id': 'a' }) } } },
};
const follow = (...updates: readonly unknown[]): OvsdbReplica => {
  const replica = new OvsdbReplica('update2');
  for (const update of [FIRST, ...updates]) replica.take(update);
  return replica;
};
const modified = (table: string, n: number, columns: object): unknown => ({ [table]: { [id(n)]: { modify: columns } } });
const onlyInterface = (replica: OvsdbReplica): OvsInterface | undefined => replica.database().bridges[0]?.ports[0]?.interfaces[0];

describe('a replica of what ovsdb-server holds', () => {
  it('has everything by name, and what was not told as it is when nothing is there', () => {
    expect(follow().database()).toEqual({
      version: '3.1.0',
      bridges: [
        {
          name: 'br-int',
          datapathType: 'netdev',
          protocols: ['OpenFlow10', 'OpenFlow15'],
          ports: [
            {
              ...{ name: 'tap0', tag: null, externalIds: new Map() },
              interfaces: [
                {
                  ...{ name: 'tap0', type: '', ofPort: null, ifIndex: null, mac: null, linkState: null, error: null },
                  ...{ externalIds: new Map([['vm-id', 'a']]), options: new Map() },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it('asks for the columns it keeps, and not for statistics', () => {
    expect(new OvsdbReplica('update2').requests).toEqual({
      Open_vSwitch: [{ columns: ['ovs_version'] }],
      Bridge: [{ columns: ['name', 'datapath_type', 'protocols', 'ports'] }],
      Port: [{ columns: ['name', 'tag', 'external_ids', 'interfaces'] }],
      Interface: [{ columns: ['name', 'type', 'ofport', 'ifindex', 'mac_in_use', 'link_state', 'error', 'external_ids', 'options'] }],
    });
  });

  it('is empty before anything was told', () => {
    expect(new OvsdbReplica('update').database()).toEqual({ version: null, bridges: [] });
  });

  it('takes what the daemon finds out later, and differences of maps', () => {
    const replica = follow(
      modified('Interface', IFACE, { ofport: 7, ifindex: 12, mac_in_use: '52:54:00:00:00:01', link_state: 'up' }),
      modified('Interface', IFACE, { external_ids: map({ 'vm-id': 'b', 'iface-id': 'c' }), link_state: 'down' }),
      modified('Interface', IFACE, { external_ids: map({ 'iface-id': 'c' }), ifindex: 0 }),
    );
    expect(onlyInterface(replica)).toMatchObject({ ofPort: 7, ifIndex: null, mac: '52:54:00:00:00:01', linkState: 'down' });
    expect(onlyInterface(replica)?.externalIds).toEqual(new Map([['vm-id', 'b']]));
  });

  it.each<[string, object, object]>([
    ['a port number that was not given', { ofport: -1 }, { ofPort: null }],
    ['a port number that is none', { ofport: 2 ** 40 }, { ofPort: null }],
    ['a port number beyond exact numbers', { ofport: 2 ** 64 }, { ofPort: null }],
    ['the greatest port number', { ofport: 2 ** 32 - 1 }, { ofPort: 2 ** 32 - 1 }],
    ['a link state that nobody knows', { link_state: 'sideways' }, { linkState: null }],
    ['an error that is empty', { error: '' }, { error: null }],
    ['an error of many lines', { error: 'no\nsuch\u0000device' }, { error: 'no?such?device' }],
    ['a type that is long', { type: 'x'.repeat(999) }, { type: 'x'.repeat(256) }],
    ['half a character', { type: '\ud800' }, { type: '\ufffd' }],
    ['names of prototypes', { options: map({ constructor: 'x' }) }, { options: new Map([['constructor', 'x']]) }],
    ['a key that is named like one', JSON.parse('{"options":["map",[["__proto__","x"]]]}'), { options: new Map([['__proto__', 'x']]) }],
    ['columns that were not asked for', JSON.parse('{"__proto__":1,"statistics":["map",[]],"x":{}}'), { name: 'tap0' }],
  ])('has of %s what is known', (_, told, known) => {
    const replica = follow(modified('Interface', IFACE, told));
    expect(onlyInterface(replica)).toMatchObject(known);
    expect(replica.dropped).toBe(0);
  });

  it.each([-1, 4096, 2 ** 64])('has no VLAN of number %d', (tag) => {
    expect(follow(modified('Port', PORT, { tag })).database().bridges[0].ports[0].tag).toBeNull();
  });

  it('has the VLANs 0 and 4095', () => {
    for (const tag of [0, 4095]) expect(follow(modified('Port', PORT, { tag })).database().bridges[0].ports[0].tag).toBe(tag);
  });

  it.each<[string, unknown]>([
    ['of another type', { ofport: 'seven' }],
    ['of two where there is one', { link_state: set('up', 'down') }],
    ['with a map that is none', { external_ids: 'x' }],
    ['with a reference that is none', { name: uuid(1) }],
    ['that is no row', 'row'],
    ['that is nothing', null],
  ])('drops a row %s, and no other', (_, told) => {
    const other = { Interface: { [id(9)]: { insert: told }, [id(10)]: { insert: { name: 'tap1' } } } };
    const added = follow({ ...other, Port: { [id(PORT)]: { modify: { interfaces: set(uuid(9), uuid(10)) } } } });
    expect(added.database().bridges[0].ports[0].interfaces.map(({ name }) => name)).toEqual(['tap0', 'tap1']);
    expect(added.dropped).toBe(1);

    const changed = follow({ Interface: { [id(IFACE)]: { modify: told }, [id(10)]: { insert: { name: 'tap1' } } } });
    expect(onlyInterface(changed)).toBeUndefined();
    expect(changed.dropped).toBe(1);
    changed.take({ Interface: { [id(IFACE)]: { insert: { name: 'tap0', ofport: 1 } } } });
    expect(onlyInterface(changed)).toMatchObject({ ofPort: 1 });
  });

  it.each<[string, unknown]>([
    ['a change of a row that is not there', modified('Interface', 9, { ofport: 1 })],
    ['the end of a row that is not there', { Interface: { [id(9)]: { delete: null } } }],
    ['a row by another name', { Interface: { tap1: { insert: { name: 'tap1' } } } }],
    ['a row by the name of a prototype', JSON.parse('{"Interface":{"__proto__":{"insert":{"name":"tap1"}}}}')],
    ['what does not say what happened', { Interface: { [id(9)]: {} } }],
    ['what is no update', { Interface: { [id(9)]: [] } }],
    ['an update of the other dialect', { Interface: { [id(9)]: { new: { name: 'tap1' } } } }],
  ])('drops %s', (_, update) => {
    const replica = follow();
    const before = replica.database();
    replica.take(update);
    expect([replica.dropped, replica.database()]).toEqual([1, before]);
  });

  it('leaves alone tables that it did not ask for', () => {
    const replica = follow();
    expect(replica.take({ Manager: { x: { insert: {} } }, ...JSON.parse('{"__proto__":{"x":1}}') })).toBe(false);
    expect(replica.dropped).toBe(0);
  });

  it.each([undefined, null, 1, 'x', [], { Port: [] }, { Port: null }, { Port: 1 }])(
    'is of no use after what is no update at all: %j',
    (updates) => {
      expect(() => follow(updates)).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
    },
  );

  it('is built anew when something changed, and only then', () => {
    const replica = follow();
    const first = replica.database();
    replica.take({});
    expect(replica.database()).toBe(first);
    replica.take(modified('Interface', IFACE, { ofport: 1 }));
    expect(replica.database()).not.toBe(first);
    expect(first.bridges[0].ports[0].interfaces[0].ofPort).toBeNull();
  });

  it('keeps no more rows than a table can have on any host', () => {
    const ports = Object.fromEntries(Array.from({ length: 65_540 }, (_, n) => [id(n + 100), { insert: { name: `p${n}` } }]));
    const replica = follow({ Port: ports });
    expect(replica.dropped).toBe(5);
    replica.take({ Port: { [id(100)]: { delete: null } } });
    replica.take({ Port: { [id(99)]: { insert: { name: 'last' } } } });
    expect(replica.dropped).toBe(5);
  });

  it('keeps no more of all together than fits, and forgets the weight of what goes', () => {
    const heavy = { insert: { name: 'x'.repeat(20 << 20) } };
    const replica = follow();
    for (let i = 0; i < 9; i++) {
      replica.take({ Port: { [id(50)]: heavy, [id(51)]: heavy } });
      replica.take({ Port: { [id(50)]: { modify: { name: 'x' } }, [id(51)]: { delete: null } } });
    }
    expect(() => replica.take({ Port: Object.fromEntries([50, 51, 52, 53].map((n) => [id(n), heavy])) })).toThrow(
      expect.objectContaining({ code: 'EFBIG' }),
    );
  });
});

/** A database of the test's own, of which both kinds of updates are made as ovsdb-server makes them. */
type World = ReadonlyMap<
  number,
  { readonly ids: Readonly<Record<string, string>>; readonly ports: readonly number[]; readonly tag: number | null }
>;

const pick = fc.integer({ min: 0, max: 5 });
const worlds = fc.array(
  fc.uniqueArray(
    fc.record({
      n: fc.integer({ min: 100, max: 103 }),
      ids: fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'c'), fc.constantFrom('1', '2')),
      ports: fc.uniqueArray(pick),
      tag: fc.option(pick),
    }),
    { selector: ({ n }) => n },
  ),
  { maxLength: 6 },
);
type Row = World extends ReadonlyMap<number, infer R> ? R : never;
const optional = (value: number | null): unknown => value ?? set();
const whole = ({ ids, ports, tag }: Row): object => ({ external_ids: map(ids), interfaces: set(...ports.map(uuid)), tag: optional(tag) });
const difference = (before: Row, after: Row): object => ({
  interfaces: set(...[...before.ports, ...after.ports].filter((n) => before.ports.includes(n) !== after.ports.includes(n)).map(uuid)),
  external_ids: [
    'map',
    [
      ...Object.entries(before.ids).filter(([key]) => !Object.hasOwn(after.ids, key)),
      ...Object.entries(after.ids).filter(([key, value]) => !Object.hasOwn(before.ids, key) || before.ids[key] !== value),
    ],
  ],
  ...(before.tag === after.tag ? {} : { tag: optional(after.tag) }),
});

function updateOf(dialect: Dialect, before: Row | undefined, after: Row | undefined, name: string): unknown {
  if (dialect === 'update') return { ...(before && { old: {} }), ...(after && { new: { name, ...whole(after) } }) };
  if (before && after) return { modify: difference(before, after) };
  return after ? { insert: { name, ...whole(after) } } : { delete: null };
}

describe('changes', () => {
  it.each<Dialect>(['update', 'update2'])('told as %s lead where the database is', (dialect) => {
    fc.assert(
      fc.property(worlds, (steps) => {
        const replica = new OvsdbReplica(dialect);
        const interfaces = Object.fromEntries(
          [0, 1, 2, 3, 4, 5].map((n) => [id(n), { [dialect === 'update' ? 'new' : 'initial']: { name: `i${n}` } }]),
        );
        const ports = set(...[102, 100, 103, 101].map(uuid));
        const bridge = { [id(99)]: { [dialect === 'update' ? 'new' : 'initial']: { name: 'br', ports } } };
        replica.take({ Interface: interfaces, Bridge: bridge });
        let before: World = new Map();
        for (const step of steps) {
          // An interface is in one port.
          const free = new Set([0, 1, 2, 3, 4, 5]);
          const after: World = new Map(
            step.map(({ n, ports: members, ...row }) => [n, { ...row, ports: members.filter((one) => free.delete(one)) }]),
          );
          const all = [...new Set([...before.keys(), ...after.keys()])];
          replica.take({ Port: Object.fromEntries(all.map((n) => [id(n), updateOf(dialect, before.get(n), after.get(n), `p${n}`)])) });
          before = after;
          const [seen] = replica.database().bridges;
          expect(seen.ports).toEqual(
            [...after]
              .sort(([a], [b]) => a - b)
              .map(([n, { ids, ports: members, tag }]) => ({
                ...{ name: `p${n}`, tag, externalIds: new Map(Object.entries(ids)) },
                interfaces: [...members].sort((a, b) => a - b).map((member) => expect.objectContaining({ name: `i${member}` })),
              })),
          );
        }
        expect(replica.dropped).toBe(0);
      }),
    );
  });

  it('of any kind never spoil what they are not about', () => {
    const json = fc.jsonValue({ maxDepth: 2 });
    const uuids = fc.oneof(fc.constantFrom(id(50), id(51)), fc.string());
    const columns = fc.dictionary(
      fc.constantFrom('name', 'type', 'ofport', 'external_ids', 'options', 'interfaces', 'ports', 'tag', '__proto__'),
      fc.oneof(json, fc.tuple(fc.constantFrom('set', 'map', 'uuid'), json)),
    );
    const row = fc.oneof(
      json,
      fc.dictionary(fc.constantFrom('initial', 'insert', 'modify', 'delete', 'old', 'new'), columns, { maxKeys: 2 }),
    );
    const table = fc.oneof({ weight: 5, arbitrary: fc.dictionary(uuids, row, { maxKeys: 3 }) }, json);
    const updates = fc.dictionary(fc.constantFrom('Port', 'Interface', 'Bridge', 'Open_vSwitch', 'Other'), table);
    fc.assert(
      fc.property(fc.array(updates, { maxLength: 4 }), (list) => {
        const replica = follow();
        const [before] = replica.database().bridges;
        for (const one of list) {
          try {
            replica.take(one);
          } catch (error) {
            expect(error).toMatchObject({ code: 'EBADMSG' });
          }
        }
        expect(replica.database().bridges.find(({ name }) => name === 'br-int')).toEqual(before);
      }),
    );
  });
});

describe('a database that no server has', () => {
  const bridges = (count: number, ports: unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [id(100 + n), { initial: { name: `br${n}`, ports } }]));

  it('has each port at one bridge and each interface in one port, whoever else refers to them', () => {
    const replica = new OvsdbReplica('update2');
    replica.take({
      Bridge: bridges(3, set(uuid(PORT), uuid(PORT + 50))),
      Port: {
        [id(PORT)]: { initial: { name: 'one', interfaces: uuid(IFACE) } },
        [id(PORT + 50)]: { initial: { name: 'two', interfaces: uuid(IFACE) } },
      },
      Interface: { [id(IFACE)]: { initial: { name: 'tap0' } } },
    });
    const ports = replica.database().bridges.map((bridge) => bridge.ports.map(({ name, interfaces }) => [name, interfaces.length]));
    expect(ports).toEqual([
      [
        ['one', 1],
        ['two', 0],
      ],
      [],
      [],
    ]);
  });

  it('has no name twice, also where names are only equal when they are cut', () => {
    const replica = new OvsdbReplica('update2');
    const long = 'x'.repeat(256);
    replica.take({
      Bridge: {
        [id(100)]: { initial: { name: 'br0', ports: set(uuid(1), uuid(2)) } },
        [id(101)]: { initial: { name: 'br0' } },
      },
      Port: { [id(1)]: { initial: { name: `${long}1` } }, [id(2)]: { initial: { name: `${long}2` } } },
    });
    const { bridges: told } = replica.database();
    expect(told.map(({ name }) => name)).toEqual(['br0']);
    expect(new Set(told.flatMap(({ ports }) => ports.map(({ name }) => name))).size).toBe(told[0].ports.length);
  });

  it('is built in time that its rows take, not their references', () => {
    const replica = new OvsdbReplica('update2');
    const many = Array.from({ length: 6000 }, (_, n) => uuid(10_000 + n));
    replica.take({
      Bridge: bridges(6000, uuid(PORT)),
      Port: { [id(PORT)]: { initial: { name: 'one', interfaces: set(...many) } } },
      Interface: Object.fromEntries(many.map((_, n) => [id(10_000 + n), { initial: { name: `i${n}` } }])),
    });
    const { bridges: told } = replica.database();
    expect(told.flatMap(({ ports }) => ports)).toHaveLength(1);
    expect(told.flatMap(({ ports }) => ports.flatMap(({ interfaces }) => interfaces))).toHaveLength(6000);
  });
});
