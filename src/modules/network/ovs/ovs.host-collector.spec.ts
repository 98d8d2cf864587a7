import { beforeEach, describe, expect, it } from 'vitest';
import { aBridge, anInterface, aPort, aReading, COUNTERS } from '../../../../test/switch-port.js';
import { Host } from '../../../host/host.js';
import { Outcome } from '../../../model/outcome.js';
import { Settings } from '../../../model/settings.js';
import type { BridgeReading } from './bridge-reading.js';
import type { OvsObserver } from './observer.js';
import { OvsHostCollector } from './ovs.host-collector.js';

const clock = { now: () => 0, monotonic: () => 5000 };
const GATEWAY = anInterface('gw0', { type: 'internal' });
const BRIDGE = aBridge('br-int', [aPort(GATEWAY), aPort(anInterface('tap0'))]);
const READING: BridgeReading = aReading([GATEWAY], {
  at: 3500,
  tables: [
    { id: 0, name: 'Classifier', active: 4, lookups: 100, matches: 90 },
    { id: 5, name: '', active: 1, lookups: null, matches: 1 },
  ],
  meters: [
    {
      id: 256,
      flows: 1,
      packets: 30,
      bytes: 3000,
      bands: [
        { packets: 20, bytes: 2000 },
        { packets: null, bytes: 1 },
      ],
    },
  ],
  aggregate: { packets: 50, bytes: 5000, flows: 5 },
  dropped: { ports: 2, meters: 1 },
});

/** What an observer shows, to be broken by a test. */
const seen = {
  switches: [] as unknown[],
  bridges: () => [] as unknown[],
  ...{ doubles: 0, droppedRows: 0, closed: 0 },
  owners: { hostPorts: [] as unknown[] },
  poll: async (): Promise<void> => undefined,
  close: () => {
    seen.closed++;
  },
};
let collector: OvsHostCollector;
let watch: { outcome: Outcome; isUp: boolean; reading: BridgeReading | null; tally: object | null };

beforeEach(() => {
  watch = { outcome: Outcome.ok, isUp: true, reading: READING, tally: null };
  const one = {
    directory: '/run/openvswitch',
    outcome: Outcome.ok,
    isDatabaseUp: true,
    isSwitchUp: true,
    database: { version: '3.1.0', bridges: [] },
  };
  seen.switches = [{ ...one, bridges: new Map([['br-int', watch]]), dropped: { bridges: 3, rows: 4 } }];
  seen.bridges = () => [{ directory: '/run/openvswitch', bridge: BRIDGE, watch }];
  seen.owners.hostPorts = [{ place: { bridge: BRIDGE, port: aPort(GATEWAY), iface: GATEWAY }, watch }];
  collector = new OvsHostCollector(seen as unknown as OvsObserver, new Settings(), new Host({}, clock));
});

/** Samples of a family as they are printed. */
const lines = (name: string): string[] => {
  const family = collector.families().find((one) => one.name === name) ?? expect.fail(name);
  return [...family.samples()].map(({ labels, value }) => `${labels} ${value}`);
};

describe('OvsHostCollector', () => {
  it('tells which switches there are and whether they answer', () => {
    expect(lines('vmgauge_ovs_up')).toEqual([
      'directory="/run/openvswitch",component="ovs-vswitchd" 1',
      'directory="/run/openvswitch",component="ovsdb-server" 1',
    ]);
    expect(lines('vmgauge_ovs_info')).toEqual(['directory="/run/openvswitch",version="3.1.0" 1']);
    expect(lines('vmgauge_ovs_bridge_info')).toEqual(['bridge="br-int",datapath_type="system",directory="/run/openvswitch" 1']);
    expect(lines('vmgauge_ovs_bridge_up')).toEqual(['bridge="br-int" 1']);
    expect(lines('vmgauge_ovs_ports')).toEqual(['bridge="br-int" 2']);
    expect(lines('vmgauge_ovs_poll_age_seconds')).toEqual(['bridge="br-int" 1.5']);
  });

  it('tells what bridges count, and nothing that they do not', () => {
    expect(lines('vmgauge_ovs_flow_entries')).toEqual([
      'bridge="br-int",table_id="0",table_name="Classifier" 4',
      'bridge="br-int",table_id="5",table_name="table5" 1',
    ]);
    expect(lines('vmgauge_ovs_table_lookups_total')).toEqual(['bridge="br-int",table_id="0",table_name="Classifier" 100']);
    expect(lines('vmgauge_ovs_flow_bytes')).toEqual(['bridge="br-int" 5000']);
    expect(lines('vmgauge_ovs_meter_packets_total')).toEqual(['bridge="br-int",meter_id="256" 30']);
    expect(lines('vmgauge_ovs_meter_dropped_packets_total')).toEqual(['bridge="br-int",meter_id="256",band="0" 20']);
    expect(lines('vmgauge_ovs_meter_dropped_bytes_total')).toHaveLength(2);
    expect(lines('vmgauge_ovs_port_receive_bytes_total')).toEqual([`bridge="br-int",port="gw0" ${COUNTERS.rxBytes}`]);
    expect(lines('vmgauge_ovs_flow_updates_total')).toEqual([]);
    watch.tally = { added: 1, deleted: 2, modified: 3, missed: 0 };
    expect(lines('vmgauge_ovs_flow_updates_total')).toHaveLength(4);
  });

  it('tells what is not looked at', () => {
    Object.assign(seen, { doubles: 1, droppedRows: 9 });
    expect(lines('vmgauge_ovs_dropped')).toEqual([
      ...['what="bridges" 4', 'what="database_rows" 4', 'what="instance_ports" 9', 'what="meters" 1', 'what="ports" 2'],
    ]);
    Object.assign(seen, { doubles: 0, droppedRows: 0 });
  });

  it('withholds every counter of a switch that does not answer', () => {
    Object.assign(watch, { outcome: Outcome.gone, isUp: false, reading: null });
    Object.assign(seen.switches[0] as object, { isSwitchUp: false });
    const told = collector.families().filter(({ samples }) => [...samples()].length > 0);
    expect(told.filter(({ type }) => type === 'counter')).toEqual([]);
    expect(lines('vmgauge_ovs_up')).toContain('directory="/run/openvswitch",component="ovs-vswitchd" 0');
    expect(lines('vmgauge_ovs_bridge_up')).toEqual(['bridge="br-int" 0']);
    expect(lines('vmgauge_ovs_ports')).toEqual(['bridge="br-int" 2']);
  });

  it('has nothing on a host without switches', async () => {
    seen.switches = [{ outcome: Outcome.notConfigured, bridges: new Map(), database: null, dropped: { bridges: 0, rows: 0 } }];
    seen.bridges = () => [];
    seen.owners.hostPorts = [];
    expect(await collector.read()).toBe(Outcome.notConfigured);
    expect(collector.families().flatMap(({ samples }) => [...samples()])).toEqual([]);
  });

  it('is as well as the worst of its switches', async () => {
    expect(await collector.read()).toBe(Outcome.ok);
    watch.outcome = Outcome.timeout;
    expect(await collector.read()).toBe(Outcome.timeout);
    Object.assign(seen.switches[0] as object, { outcome: Outcome.notPermitted });
    expect(await collector.read()).toBe(Outcome.notPermitted);
  });

  it('ends what it began', () => {
    const { closed } = seen;
    collector.close();
    expect(seen.closed).toBe(closed + 1);
  });
});
