import { beforeEach, describe, expect, it } from 'vitest';
import { aBridge, anInterface, aPort, aReading } from '../../../test/switch-port.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { AntreaHostCollector } from './antrea.host-collector.js';
import type { HostConntrack } from './conntrack/host-conntrack.js';
import type { OvsBridge } from './ovs/database.js';
import type { OvsObserver } from './ovs/observer.js';

const band = (packets: number) => ({ packets, bytes: 0 });
const meter = (id: number, ...dropped: readonly number[]) => ({ id, flows: 0, packets: 99, bytes: 0, bands: dropped.map(band) });
const READING = aReading([], {
  tables: [
    { id: 0, name: 'PipelineRootClassifier', active: 4, lookups: 1, matches: 1 },
    { id: 30, name: 'Output', active: 6, lookups: 1, matches: 1 },
  ],
  meters: [meter(5, 1), meter(256, 7, 8), meter(257, 0), meter(258)],
});

const portWith = (name: string, ids: Readonly<Record<string, string>>) =>
  aPort(anInterface(name), { externalIds: new Map(Object.entries(ids)) });
const container = (name: string, id: string) => portWith(name, { 'antrea-type': 'container', 'container-id': id });
const ANTREA = aBridge('br-int', [
  portWith('antrea-gw0', { 'antrea-type': 'gateway' }),
  ...[container('pod-a', 'c1'), container('pod-a-second', 'c1'), container('pod-b', 'c2')],
]);
/** Of secondary networks: the agent marks its ports too, and it has no gateway. */
const SECONDARY = aBridge('br-ext', [container('pod-a-eth1', 'c1')]);
const PLAIN = aBridge('br-ex', [aPort(anInterface('eth0'))]);

let settings: Settings;
let watch: { outcome: Outcome; reading: typeof READING | null; tally: object | null };
let bridges: { directory: string; bridge: OvsBridge; watch: typeof watch }[];
let switches: { directory: string; database: object | null; outcome: Outcome }[];
let conntrack: Pick<HostConntrack, 'last'>;
let collector: AntreaHostCollector;

beforeEach(() => {
  settings = new Settings();
  watch = { outcome: Outcome.ok, reading: READING, tally: null };
  bridges = [seen(PLAIN), seen(ANTREA)];
  conntrack = { last: { entries: 1234, maxEntries: 262_144, cpus: [] } };
  // It asks for nothing else.
  switches = [{ directory: '/run/openvswitch', database: {}, outcome: Outcome.ok }];
  const observer = { bridges: () => bridges, switches } as unknown as OvsObserver;
  collector = new AntreaHostCollector(observer, settings, conntrack as HostConntrack);
});

const seen = (bridge: OvsBridge, directory = '/run/openvswitch') => ({ directory, bridge, watch });

function page(): string[] {
  return collector.families().flatMap(({ name, samples }) => [...samples()].map(({ labels, value }) => `${name}{${labels}} ${value}`));
}

const WHOLE = [
  'antrea_agent_conntrack_max_connection_count{} 262144',
  'antrea_agent_conntrack_total_connection_count{} 1234',
  'antrea_agent_local_pod_count{} 2',
  'antrea_agent_ovs_flow_count{table_id="0",table_name="PipelineRootClassifier"} 4',
  'antrea_agent_ovs_flow_count{table_id="30",table_name="Output"} 6',
  'antrea_agent_ovs_meter_packet_dropped_count{meter_id="PacketInMeterNetworkPolicy"} 7',
  'antrea_agent_ovs_meter_packet_dropped_count{meter_id="PacketInMeterTraceflow"} 0',
  'antrea_agent_ovs_total_flow_count{} 10',
];

describe('AntreaHostCollector', () => {
  it('tells what its bridge and the kernel have, under the names of the agent', () => {
    expect(page()).toEqual(WHOLE);
    expect(collector.read()).toBe(Outcome.ok);
  });

  it('gives way to the agent’s own page in everything', () => {
    expect(collector.families().every((family) => family.yields === true)).toBe(true);
    expect(
      collector
        .families()
        .filter(({ type }) => type === 'counter')
        .map(({ name }) => name),
    ).toEqual(['antrea_agent_ovs_flow_ops_count']);
  });

  it('counts operations only where changes of flows are told', () => {
    watch.tally = { added: 5, deleted: 6, modified: 7, missed: 0 };
    expect(page().filter((line) => line.startsWith('antrea_agent_ovs_flow_ops_count'))).toEqual([
      'antrea_agent_ovs_flow_ops_count{operation="add"} 5',
      'antrea_agent_ovs_flow_ops_count{operation="delete"} 6',
      'antrea_agent_ovs_flow_ops_count{operation="modify"} 7',
    ]);
  });

  it('says nothing where no bridge is Antrea’s', () => {
    bridges = [seen(PLAIN), seen(aBridge('br-int', []))];
    expect([page(), collector.read()]).toEqual([[], Outcome.notConfigured]);
  });

  it('is gone with the database that knew its bridge, and keeps what the kernel knows', () => {
    expect(collector.read()).toBe(Outcome.ok);
    bridges = [];
    Object.assign(switches[0], { database: null, outcome: Outcome.gone });
    expect([page(), collector.read()]).toEqual([WHOLE.slice(0, 2), Outcome.gone]);
    // Asked again, the database has no bridge of Antrea any more.
    Object.assign(switches[0], { database: {}, outcome: Outcome.ok });
    expect([page(), collector.read()]).toEqual([[], Outcome.notConfigured]);
  });

  it('takes the only bridge of Antrea’s own switch for its, before it has a port', () => {
    bridges = [seen(aBridge('br-int', []), '/run/antrea/openvswitch')];
    expect(page()).toContain('antrea_agent_local_pod_count{} 0');
    bridges = [...bridges, seen(PLAIN, '/run/antrea/openvswitch')];
    expect(page()).toEqual([]);
  });

  it('is never a sum of several bridges', () => {
    bridges = [seen(ANTREA), seen(aBridge('br-two', [portWith('gw', { 'antrea-type': 'gateway' })]))];
    expect(page()).toEqual(WHOLE);
  });

  it('is the bridge with the gateway, not one of a secondary network', () => {
    bridges = [seen(SECONDARY), seen(ANTREA)];
    expect(page()).toEqual(WHOLE);
  });

  it('can be switched off', () => {
    settings.antreaFamilies = 'off';
    expect([page(), collector.read()]).toEqual([[], Outcome.notConfigured]);
  });

  it('can be switched on where only connections are known', () => {
    settings.antreaFamilies = 'on';
    bridges = [];
    expect(page()).toEqual(WHOLE.slice(0, 2));
    expect(collector.read()).toBe(Outcome.ok);
  });

  it('withholds what the switch does not tell now', () => {
    Object.assign(watch, { outcome: Outcome.timeout, reading: null });
    expect(page()).toEqual(WHOLE.slice(0, 3));
    expect(collector.read()).toBe(Outcome.timeout);
    conntrack.last = null;
    expect(page()).toEqual([WHOLE[2]]);
  });
});
