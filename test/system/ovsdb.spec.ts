import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { StreamClient } from '../../src/host/stream-client.js';
import type { OvsDatabase, OvsInterface, OvsPort } from '../../src/modules/network/ovs/database.js';
import { JsonStream } from '../../src/modules/network/ovs/json-stream.js';
import { OvsdbClient } from '../../src/modules/network/ovs/ovsdb-client.js';
import { type Dialect, OvsdbReplica } from '../../src/modules/network/ovs/ovsdb-replica.js';
import { fieldsOf } from '../../src/modules/network/ovs/ovsdb-rows.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith, tun } from './needs.js';
import { freshInterfaceName, NetworkNamespace } from './network-namespace.js';
import { OPEN_VSWITCH, OpenVSwitch } from './open-vswitch.js';

const LIMITS = { deadlineMs: 60_000, messageBytes: 8 << 20, budgetBytes: 32 << 20 };
const PATIENT_MS = 60_000;
const BRIDGE = 'br-int';

const portOf = (database: OvsDatabase, name: string): OvsPort | undefined =>
  database.bridges.flatMap(({ ports }) => ports).find((port) => port.name === name);
const interfaceOf = (database: OvsDatabase, name: string): OvsInterface | undefined =>
  database.bridges.flatMap(({ ports }) => ports.flatMap(({ interfaces }) => interfaces)).find((one) => one.name === name);

// Of a real ovsdb-server, with a real ovs-vswitchd that writes into the database as well. Agent: may connect to the socket (root's, 0750).
describeWith('what ovsdb-server tells', [...BASICS, ...OPEN_VSWITCH, tun], () => {
  const belongings = new Belongings();
  let namespace: NetworkNamespace;
  let ovs: OpenVSwitch;
  beforeAll(async () => {
    namespace = new NetworkNamespace(belongings);
    ovs = await OpenVSwitch.start(belongings, namespace);
    ovs.addBridge(BRIDGE, 'protocols=OpenFlow10,OpenFlow15');
  });
  afterAll(() => belongings.release());

  const connect = async (changed = (): void => undefined): Promise<OvsdbClient> => {
    const client = await OvsdbClient.connect(ovs.socket, LIMITS, changed);
    belongings.own(() => client.close());
    return client;
  };
  const tap = (): string => {
    const name = freshInterfaceName();
    namespace.run('ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap');
    namespace.run('ip', 'link', 'set', name, 'up');
    return name;
  };
  const addPort = (name: string, ...columns: readonly string[]): void => {
    ovs.vsctl('add-port', BRIDGE, name, ...columns);
  };
  const ifIndexOf = (name: string): number => Number(namespace.run('cat', `/sys/class/net/${name}/ifindex`));

  it('has the switch, its bridge and what the daemon found of each device', async () => {
    const name = tap();
    addPort(name, 'tag=42');
    const client = await connect();
    await eventually('the device of the port', () => interfaceOf(client.database(), name)?.ifIndex !== null);
    const database = client.database();
    const [bridge] = database.bridges;

    expect(database.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(bridge).toMatchObject({ name: BRIDGE, datapathType: 'netdev', protocols: ['OpenFlow10', 'OpenFlow15'] });
    expect(portOf(database, name)).toMatchObject({ name, tag: 42 });
    expect(portOf(database, BRIDGE)).toMatchObject({ tag: null, interfaces: [{ type: 'internal', ofPort: 65_534 }] });
    expect(interfaceOf(database, name)).toEqual({
      name,
      type: '',
      ofPort: Number(ovs.vsctl('get', 'Interface', name, 'ofport')),
      ifIndex: ifIndexOf(name),
      mac: namespace.run('cat', `/sys/class/net/${name}/address`).trim(),
      linkState: 'down',
      error: null,
      externalIds: new Map(),
      options: new Map(),
    });
    expect(client.database()).toBe(database);
    expect(client.dropped).toBe(0);
  });

  it('has the identity that each integrator writes, in the table where it does', async () => {
    const [libvirt, nova, ovn, antrea] = [tap(), tap(), tap(), tap()];
    const ofInterface = (name: string, ...ids: readonly string[]): void =>
      addPort(name, '--', 'set', 'Interface', name, ...ids.map((id) => `external_ids:${id}`));
    ofInterface(
      libvirt,
      'attached-mac="52:54:00:12:34:56"',
      'iface-id=6a7b',
      'vm-id=1de4a8a6-0d20-4ac5-bc2a-0a5a4b0f2a4f',
      'iface-status=active',
    );
    ofInterface(
      nova,
      'attached-mac="fa:16:3e:00:00:01"',
      'iface-id=7b8c',
      'vm-uuid=2de4a8a6-0d20-4ac5-bc2a-0a5a4b0f2a4f',
      'iface-status=active',
    );
    ofInterface(ovn, 'attached_mac="0a:58:0a:f4:00:05"', 'iface-id=ns_pod', 'sandbox=3de4', 'ip_addresses=10.244.0.5/24');
    const pod = ['antrea-type=container', 'container-id=4de4', 'pod-name=web-0', 'pod-namespace=default', 'ip-address=10.10.0.7'];
    addPort(antrea, ...pod.map((id) => `external_ids:${id}`));
    const database = (await connect()).database();
    const idsOf = (name: string): object => Object.fromEntries(interfaceOf(database, name)?.externalIds ?? []);

    expect(idsOf(libvirt)).toEqual({
      ...{
        'attached-mac': '52:54:00:12:34:56',
        'iface-id': '6a7b',
        'vm-id': '1de4a8a6-0d20-4ac5-bc2a-0a5a4b0f2a4f',
        'iface-status': 'active',
      },
    });
    expect(idsOf(nova)).toMatchObject({ 'vm-uuid': '2de4a8a6-0d20-4ac5-bc2a-0a5a4b0f2a4f', 'attached-mac': 'fa:16:3e:00:00:01' });
    expect(idsOf(ovn)).toMatchObject({ sandbox: '3de4', attached_mac: '0a:58:0a:f4:00:05', ip_addresses: '10.244.0.5/24' });
    expect(Object.fromEntries(portOf(database, antrea)?.externalIds ?? [])).toEqual({
      ...{ 'antrea-type': 'container', 'container-id': '4de4', 'pod-name': 'web-0', 'pod-namespace': 'default', 'ip-address': '10.10.0.7' },
    });
    expect(idsOf(antrea)).toEqual({});
  });

  it('follows a port that comes, is given its number, changes and goes', async () => {
    let changes = 0;
    const client = await connect(() => changes++);
    const name = tap();
    expect(portOf(client.database(), name)).toBeUndefined();
    ovs.vsctl('--no-wait', 'add-port', BRIDGE, name, 'external_ids:antrea-type=container', 'external_ids:gone=soon');
    await eventually(
      'the port with its number',
      () => interfaceOf(client.database(), name)?.ofPort !== null && portOf(client.database(), name),
    );
    expect(interfaceOf(client.database(), name)).toMatchObject({ ifIndex: ifIndexOf(name) });

    ovs.vsctl('set', 'Port', name, 'tag=7', 'external_ids:antrea-type=gateway', '--', 'remove', 'Port', name, 'external_ids', 'gone');
    const changed = await eventually('the change', () => {
      const port = portOf(client.database(), name);
      return port?.tag === 7 && port;
    });
    expect(changed.externalIds).toEqual(new Map([['antrea-type', 'gateway']]));

    ovs.vsctl('clear', 'Port', name, 'tag');
    await eventually('no tag', () => portOf(client.database(), name)?.tag === null);
    ovs.vsctl('del-port', BRIDGE, name);
    await eventually('the end of the port', () => portOf(client.database(), name) === undefined);
    expect(changes).toBeGreaterThanOrEqual(4);
    expect(client.dropped).toBe(0);
  });

  it('sees that a device was deleted under the switch, which keeps its number', async () => {
    const name = tap();
    addPort(name);
    const client = await connect();
    const before = await eventually('the device', () => {
      const now = interfaceOf(client.database(), name);
      return now && now.ifIndex !== null && now;
    });
    namespace.run('ip', 'link', 'delete', name);
    const after = await eventually('no device', () => {
      const now = interfaceOf(client.database(), name);
      return now?.ifIndex === null && now;
    });

    expect(before.ofPort).not.toBeNull();
    expect(after).toMatchObject({ ifIndex: null, linkState: 'down', ofPort: before.ofPort });
  });

  it('has why the switch could not open a device, and no number for it', async () => {
    const name = freshInterfaceName();
    // The tool waits for the daemon and complains of the same.
    ovs.vsctl('--no-wait', 'add-port', BRIDGE, name);
    const client = await connect();
    const seen = await eventually('an error', () => {
      const now = interfaceOf(client.database(), name);
      return now && now.error !== null && now;
    });

    expect(seen).toMatchObject({ ofPort: null, ifIndex: null, mac: null });
    expect(seen.error).toContain('No such device');
    expect(ovs.vsctl('get', 'Interface', name, 'ofport').trim()).toBe('-1');
    ovs.vsctl('del-port', BRIDGE, name);
  });

  it('ends with ovsdb-server, keeps what it knew, and knows as much of a new one', async () => {
    let changes = 0;
    const client = await connect(() => changes++);
    await ovs.killDatabase();
    await eventually('the end of the connection', () => !client.isOpen);
    const before = client.database();

    expect(changes).toBeGreaterThan(0);
    expect(portOf(before, BRIDGE)).toBeDefined();
    await expect(client.check(PATIENT_MS)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await ovs.startDatabase();
    const again = await connect();
    // Some columns are the daemon's to write anew: it reconnects when it likes.
    await eventually('the same as before', () => isDeepStrictEqual(again.database(), before));
    await again.check(PATIENT_MS);
  });

  it('tells a server that hangs from one that has nothing to say', async () => {
    const client = await connect();
    ovs.signalDatabase('SIGSTOP');
    try {
      await eventually('that it stands', () => / T /.test(readFileSync(`/proc/${ovs.pids.database}/stat`, 'latin1')));
      await expect(client.check(50)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
      await expect(client.check(50)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
      await expect(OvsdbClient.connect(ovs.socket, { ...LIMITS, deadlineMs: 50 }, () => undefined)).rejects.toMatchObject({
        code: 'ETIMEDOUT',
      });
    } finally {
      ovs.signalDatabase('SIGCONT');
    }
    await client.check(PATIENT_MS);
    expect(client.isOpen).toBe(true);
  });

  /** The same database told in one way. */
  const follow = async (dialect: Dialect): Promise<OvsdbReplica> => {
    const replica = new OvsdbReplica(dialect);
    const messages = new JsonStream({ messageBytes: 8 << 20, depth: 32 });
    let isThere = false;
    const bytes = (piece: Buffer): void => {
      for (const message of messages.take(piece)) {
        const { result, method, params } = fieldsOf(message) ?? {};
        if (result !== undefined) isThere = replica.take(result);
        if (method === dialect && Array.isArray(params)) replica.take(params[1]);
      }
    };
    const client = await StreamClient.connect(ovs.socket, PATIENT_MS, LIMITS, { bytes, ended: () => undefined });
    belongings.own(() => client.close());
    const method = dialect === 'update' ? 'monitor' : 'monitor_cond';
    client.send(JSON.stringify({ id: 0, method, params: ['Open_vSwitch', dialect, replica.requests] }));
    await eventually('the first state', () => isThere);
    return replica;
  };

  it('is the same whether the server tells differences or whole rows, and the same as asked anew', async () => {
    const replicas = [await follow('update'), await follow('update2')];
    const names = [tap(), tap(), tap()];
    for (const [i, name] of names.entries()) {
      addPort(name, `external_ids:a=${i}`, 'external_ids:b=same');
      ovs.vsctl('set', 'Interface', name, `external_ids:long=${'x'.repeat(300)}${i}`, 'options:o=1');
    }
    ovs.vsctl('set', 'Interface', names[0], `external_ids:long=${'x'.repeat(300)}new`, 'external_ids:c=new');
    ovs.vsctl('remove', 'Interface', names[1], 'external_ids', 'long');
    ovs.vsctl('set', 'Bridge', BRIDGE, 'protocols=OpenFlow10,OpenFlow13');
    ovs.vsctl('del-port', BRIDGE, names[2]);
    ovs.vsctl('add-bond', BRIDGE, 'bond0', tap(), tap());
    const client = await connect();
    const database = client.database();

    expect(portOf(database, 'bond0')?.interfaces).toHaveLength(2);
    expect(interfaceOf(database, names[0])?.externalIds.get('long')).toBe('x'.repeat(256));
    expect(database.bridges[0].protocols).toEqual(['OpenFlow10', 'OpenFlow13']);
    for (const replica of replicas) {
      // Of now, all three: the daemon may still be writing.
      await eventually(`all changes as ${replica.dialect}`, () => isDeepStrictEqual(replica.database(), client.database()));
      expect(replica.dropped).toBe(0);
    }
  });
});
