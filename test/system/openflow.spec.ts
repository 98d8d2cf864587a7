import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OpenFlowClient } from '../../src/modules/network/ovs/openflow-client.js';
import type { Version } from '../../src/modules/network/ovs/openflow-messages.js';
import { FlowMonitor, FlowTally } from '../../src/modules/network/ovs/openflow-monitor.js';
import type { MeterCounters } from '../../src/modules/network/ovs/switch-counters.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith } from './needs.js';
import { NetworkNamespace } from './network-namespace.js';
import { aggregateOf, metersOf, portsOf, tablesOf } from './ofctl-readings.js';
import { OPEN_VSWITCH, OpenVSwitch } from './open-vswitch.js';

const PATIENT_MS = 30_000;
const LIMITS = { deadlineMs: PATIENT_MS, answerBytes: 16 << 20 };
const FRAMES = 30;
const FRAME_BYTES = 142;
/** By bridge: what it accepts, the newest of it, and the meter on the way from its first port to its second. */
const BRIDGES = [
  { name: 'br-antrea', protocols: 'protocols=OpenFlow10,OpenFlow15', newest: 6, words: 'OpenFlow15', meter: 256 },
  { name: 'br-older', protocols: 'protocols=OpenFlow10,OpenFlow13', newest: 4, words: 'OpenFlow13', meter: 1 },
  { name: 'br-default', protocols: 'protocols=[]', newest: 6, words: 'OpenFlow15', meter: 7 },
] as const;

// The agent: root, for a socket that is root's. The test: CAP_NET_ADMIN and CAP_SYS_ADMIN for the switch's namespace and devices.
describeWith('what a bridge says over OpenFlow', [...BASICS, ...OPEN_VSWITCH], () => {
  const belongings = new Belongings();
  const clients: { close(): void }[] = [];
  let namespace: NetworkNamespace;
  let ovs: OpenVSwitch;

  const connect = async (bridge: string, versions: readonly Version[]): Promise<OpenFlowClient> => {
    const client = await OpenFlowClient.connect(ovs.management(bridge), versions, LIMITS);
    clients.push(client);
    return client;
  };
  const arrange = ({ name, words, meter }: (typeof BRIDGES)[number]): void => {
    const protocols = `--protocols=${words}`;
    ovs.ofctl(protocols, 'add-meter', name, `meter=${meter},pktps,burst,stats,bands=type=drop,rate=1,burst_size=10`);
    ovs.ofctl(protocols, 'add-flow', name, `table=0,priority=9,in_port=1,ip,actions=meter:${meter},goto_table:3`);
    ovs.ofctl(protocols, 'add-flow', name, 'table=3,priority=9,actions=output:2');
  };

  beforeAll(async () => {
    namespace = new NetworkNamespace(belongings);
    ovs = await OpenVSwitch.start(belongings, namespace);
    for (const [index, bridge] of BRIDGES.entries()) {
      const { name, protocols } = bridge;
      ovs.addBridge(name, protocols);
      for (const port of [1, 2]) {
        ovs.vsctl(
          'add-port',
          name,
          `p${index}${port}`,
          '--',
          'set',
          'Interface',
          `p${index}${port}`,
          'type=internal',
          `ofport_request=${port}`,
        );
      }
      ovs.vsctl('--', '--id=@t', 'create', 'Flow_Table', `name=Output${index}`, '--', 'set', 'Bridge', name, 'flow_tables:3=@t');
      arrange(bridge);
      namespace.run('ip', 'link', 'set', `p${index}2`, 'up');
      namespace.raise(`p${index}1`, index);
      namespace.sendDatagrams(index, FRAMES, FRAME_BYTES - 42);
    }
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => belongings.release());

  /** The meter's band, once it has seen all frames. */
  const metered = (bridge: (typeof BRIDGES)[number]): Promise<readonly MeterCounters[]> =>
    eventually('the meter', async () => {
      const meters = await (await connect(bridge.name, [bridge.newest])).meters(PATIENT_MS);
      return meters[0]?.packets === FRAMES && meters;
    });

  describe.each(BRIDGES)('$name', (bridge) => {
    const { name, newest, words, meter } = bridge;

    it('speaks the newest version that both know', async () => {
      expect((await connect(name, [newest])).version).toBe(newest);
      expect((await connect(name, [1])).version).toBe(1);
      expect((await connect(name, [1, newest])).version).toBe(newest);
    });

    it('drops with its meter, and each band is told', async () => {
      const [reading] = await metered(bridge);
      expect(metersOf(ovs.ofctl(`--protocols=${words}`, 'meter-stats', name))).toEqual([reading]);
      expect(reading).toMatchObject({ id: meter, flows: 1, packets: FRAMES, bytes: FRAMES * FRAME_BYTES });
      const [band] = reading.bands;
      expect(band.packets).toBeGreaterThan(0);
      expect(band.bytes).toBe(Number(band.packets) * FRAME_BYTES);
    });

    it('has ports with what went through them, the same in each version', async () => {
      const dropped = Number((await metered(bridge))[0].bands[0].packets);
      for (const version of [1, newest] as const) {
        const ports = await (await connect(name, [version])).ports(PATIENT_MS);
        const text = ovs.ofctl(`--protocols=${version === 1 ? 'OpenFlow10' : words}`, 'dump-ports', name);
        expect(ports).toEqual(portsOf(text));
        expect(ports).toHaveLength(3);
        expect(ports).toContainEqual(expect.objectContaining({ number: 1, rxPackets: FRAMES, rxBytes: FRAMES * FRAME_BYTES, rxDrops: 0 }));
        expect(ports).toContainEqual(expect.objectContaining({ number: 2, txPackets: FRAMES - dropped, rxPackets: 0 }));
        expect(ports.map(({ number }) => number)).toContain(65534);
      }
    });

    it('has tables with their names, and without in the newest version', async () => {
      const client = await connect(name, [1]);
      // What the datapath counted reaches the tables within a second or so.
      const tables = await eventually('the frames in the tables', async () => {
        const all = await client.tables(PATIENT_MS);
        return all[3].matches === FRAMES && all;
      });
      expect(tables).toEqual(tablesOf(ovs.ofctl('dump-tables', name)));
      expect(tables).toHaveLength(254);
      expect(tables[3]).toEqual({ id: 3, name: `Output${BRIDGES.indexOf(bridge)}`, active: 1, lookups: FRAMES, matches: FRAMES });
      const nameless = await (await connect(name, [newest])).tables(PATIENT_MS);
      expect(nameless).toEqual(tables.map((table) => ({ ...table, name: '' })));
    });

    it('has a sum of its flows, the same in each version', async () => {
      for (const version of [1, newest] as const) {
        const client = await connect(name, [version]);
        const sum = await eventually('the frames in the sum', async () => {
          const now = await client.aggregate(PATIENT_MS);
          return now.packets === 2 * FRAMES && now;
        });
        expect(sum).toEqual(aggregateOf(ovs.ofctl(`--protocols=${version === 1 ? 'OpenFlow10' : words}`, 'dump-aggregate', name)));
        expect(sum).toEqual({ packets: 2 * FRAMES, bytes: 2 * FRAMES * FRAME_BYTES, flows: 3 });
      }
    });
  });

  it('are many questions at once, each with its answer', async () => {
    const client = await connect('br-antrea', [6]);
    const rounds = Array.from(
      { length: 20 },
      () => [client.tables(PATIENT_MS), client.ports(PATIENT_MS), client.meters(PATIENT_MS)] as const,
    );
    for (const [tables, ports, meters] of rounds) {
      expect([(await tables).length, (await ports).length, (await meters).length]).toEqual([254, 3, 1]);
    }
  });

  it('counts flows that it has learnt itself, and those that went again', async () => {
    const [{ name }] = BRIDGES;
    const client = await connect(name, [1]);
    const flows = async (): Promise<number[]> => (await client.tables(PATIENT_MS)).map(({ active }) => active);
    const learn = 'learn(table=10,priority=5,eth_type=0x800,nw_proto=17,NXM_OF_UDP_DST[]=NXM_OF_UDP_SRC[]),output:2';
    ovs.ofctl('add-flow', name, `table=0,priority=20,udp,in_port=1,actions=${learn}`);
    for (let i = 0; i < 12; i++) namespace.sendDatagrams(0, 1, 100);
    const learnt = await eventually('learnt flows', async () => (await flows())[10] >= 2 && (await flows()));
    expect(learnt).toEqual(tablesOf(ovs.ofctl('dump-tables', name)).map(({ active }) => active));
    ovs.ofctl('del-flows', name, 'table=10');
    expect((await flows())[10]).toBe(0);
    ovs.ofctl('--strict', 'del-flows', name, 'priority=20,udp,in_port=1');
  });

  it('tells each change of a flow, whoever made it, also its end', async () => {
    const [{ name }] = BRIDGES;
    const tally = new FlowTally();
    const monitor = await FlowMonitor.open(ovs.management(name), tally, LIMITS);
    clients.push(monitor);
    const counts = async (): Promise<number[]> => {
      await monitor.check(PATIENT_MS);
      return [tally.added, tally.modified, tally.deleted, tally.missed];
    };
    expect(await counts()).toEqual([0, 0, 0, 0]);
    for (const port of [1, 2, 3]) ovs.ofctl('add-flow', name, `table=9,udp,tp_dst=${port},actions=drop`);
    expect(await counts()).toEqual([3, 0, 0, 0]);
    // Once more, which is another flow in its place.
    ovs.ofctl('add-flow', name, 'table=9,udp,tp_dst=1,actions=drop');
    expect(await counts()).toEqual([4, 0, 0, 0]);
    ovs.ofctl('mod-flows', name, 'table=9,udp,actions=output:1');
    expect(await counts()).toEqual([4, 3, 0, 0]);
    ovs.ofctl('del-flows', name, 'table=9,udp,tp_dst=2');
    expect(await counts()).toEqual([4, 3, 1, 0]);
    ovs.ofctl('add-flow', name, 'table=9,tcp,hard_timeout=1,actions=drop');
    await eventually('the end of a flow', async () => (await counts())[2] === 2);
    ovs.ofctl('--protocols=OpenFlow15', 'add-flow', name, 'table=9,sctp,actions=drop');
    ovs.ofctl('del-flows', name, 'table=9');
    expect(await counts()).toEqual([6, 3, 5, 0]);
  });

  it('says when there were more changes than we could hear', async () => {
    const [{ name }] = BRIDGES;
    const tally = new FlowTally();
    const monitor = await FlowMonitor.open(ovs.management(name), tally, LIMITS);
    clients.push(monitor);
    const file = join(ovs.directory, 'flows');
    const flows = Array.from({ length: 20_000 }, (_, i) => `table=11,ip,nw_src=10.1.${i >> 8}.${i & 255},actions=drop`);
    writeFileSync(file, `${flows.join('\n')}\n`);
    // Nothing is read here before the tool has ended: the switch fills its queue, pauses, and sums up afterwards.
    ovs.ofctl('add-flows', name, file);
    await eventually('the rest', async () => {
      await monitor.check(PATIENT_MS);
      return tally.added === flows.length;
    });
    expect(tally.missed).toBeGreaterThan(0);
    expect(monitor.isOpen).toBe(true);
    ovs.ofctl('del-flows', name, 'table=11');
  });

  it('finds nothing to complain of in what it was asked', () => {
    const log = readFileSync(join(ovs.directory, 'ovs-vswitchd.log'), 'utf8');
    expect(log).toContain('bridge br-antrea');
    const complaints = log.split('\n').filter((line) => /\|(vconn|rconn|connmgr|ofp_\w+|ofproto)\|(WARN|ERR)\|/.test(line));
    // Of who left while it was being told of flows, as in the test before.
    expect(complaints.filter((line) => !line.endsWith('connection dropped (Broken pipe)'))).toEqual([]);
  });

  it('is heard no longer than the deadline when it is stopped, and goes on afterwards', async () => {
    const client = await connect('br-antrea', [1]);
    ovs.signalSwitch('SIGSTOP');
    try {
      await expect(client.tables(100)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
      await expect(client.check(100)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
      const hello = OpenFlowClient.connect(ovs.management('br-antrea'), [1], { ...LIMITS, deadlineMs: 100 });
      await expect(hello).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    } finally {
      ovs.signalSwitch('SIGCONT');
    }
    expect(await client.tables(PATIENT_MS)).toHaveLength(254);
  });

  it('ends with the switch in the middle of a poll, and is there again with the next one', async () => {
    const [bridge] = BRIDGES;
    const client = await connect(bridge.name, [1]);
    const tally = new FlowTally();
    const monitor = await FlowMonitor.open(ovs.management(bridge.name), tally, LIMITS);
    clients.push(monitor);
    ovs.signalSwitch('SIGSTOP');
    const asked = [client.tables(PATIENT_MS), client.ports(PATIENT_MS), monitor.check(PATIENT_MS)];
    const settled = Promise.allSettled(asked);
    await ovs.killSwitch();
    const gone = expect.objectContaining({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
    expect(await settled).toEqual(asked.map(() => ({ status: 'rejected', reason: gone })));
    expect([client.isOpen, monitor.isOpen]).toEqual([false, false]);
    await expect(connect(bridge.name, [1])).rejects.toMatchObject({ code: 'ECONNREFUSED' });

    await ovs.startSwitch();
    const again = await connect(bridge.name, [1]);
    const tables = await again.tables(PATIENT_MS);
    expect(tables[3]).toMatchObject({ name: 'Output0', active: 0 });
    // Counters of a port belong to its device, which was left behind.
    const [{ rxPackets }] = (await again.ports(PATIENT_MS)).filter(({ number }) => number === 1);
    expect(rxPackets).toBeGreaterThanOrEqual(FRAMES);
    expect(await (await connect(bridge.name, [6])).meters(PATIENT_MS)).toEqual([]);
    clients.push(await FlowMonitor.open(ovs.management(bridge.name), tally, LIMITS));
    expect(tally.missed).toBe(1);
    arrange(bridge);
    expect((await again.tables(PATIENT_MS))[3].active).toBe(1);
  });
});
