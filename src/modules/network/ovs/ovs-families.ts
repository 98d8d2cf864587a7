import type { HostFamily, HostSample } from '../../../model/host-family.js';
import { labels } from '../../../model/labels.js';
import { Outcome } from '../../../model/outcome.js';
import { millisecondsToSeconds } from '../../../model/units.js';
import { type BridgeReading, tableName } from './bridge-reading.js';
import type { SeenBridge } from './observer.js';
import type { MeterCounters, TableCounters } from './switch-counters.js';
import type { SwitchWatch } from './switch-watch.js';

/** What the families tell of. */
export interface SeenSwitches {
  readonly switches: readonly SwitchWatch[];
  bridges(): readonly SeenBridge[];
  readonly doubles: number;
  readonly droppedRows: number;
}

type Pairs = Readonly<Record<string, string>>;

/** None for what is not known. */
export const sample = (value: number | null | undefined, pairs: Pairs): readonly HostSample[] =>
  value === null || value === undefined || Number.isNaN(value) ? [] : [{ labels: labels(pairs), value }];

/** Run directories that hold or held a database. */
const there = ({ switches }: SeenSwitches): readonly SwitchWatch[] =>
  switches.filter(({ outcome }) => outcome !== Outcome.busy && outcome !== Outcome.notConfigured);

const bit = (value: boolean | null): number | null => (value === null ? null : Number(value));

/** Which switches there are and whether they answer. @param now monotonic milliseconds */
export function livenessFamilies(seen: SeenSwitches, now: () => number): readonly HostFamily[] {
  return [
    {
      name: 'vmgauge_ovs_up',
      type: 'gauge',
      help: '1 while the program answers, 0 when it does not; ovs-vswitchd is asked through its bridges, and without any nobody knows.',
      labelNames: ['directory', 'component'],
      samples: () =>
        there(seen).flatMap(({ directory, isDatabaseUp, isSwitchUp }) => [
          ...sample(bit(isSwitchUp), { directory, component: 'ovs-vswitchd' }),
          ...sample(bit(isDatabaseUp), { directory, component: 'ovsdb-server' }),
        ]),
    },
    {
      name: 'vmgauge_ovs_info',
      type: 'gauge',
      help: 'Always 1: the version of Open vSwitch by its database.',
      labelNames: ['directory', 'version'],
      samples: () =>
        seen.switches.flatMap(({ directory, database }) => (database ? sample(1, { directory, version: database.version ?? '' }) : [])),
    },
    {
      name: 'vmgauge_ovs_bridge_info',
      type: 'gauge',
      help: 'Always 1: a bridge and how it forwards, by the kernel (system) or by ovs-vswitchd itself (netdev).',
      labelNames: ['bridge', 'datapath_type', 'directory'],
      samples: () =>
        seen
          .bridges()
          .flatMap(({ directory, bridge: { name, datapathType } }) =>
            sample(1, { bridge: name, datapath_type: datapathType === '' ? 'system' : datapathType, directory }),
          ),
    },
    {
      name: 'vmgauge_ovs_bridge_up',
      type: 'gauge',
      help: '1 while the bridge answered its last poll and the connection to it stands, else 0.',
      labelNames: ['bridge'],
      samples: () =>
        seen
          .bridges()
          .flatMap(({ bridge, watch }) => (watch.outcome === Outcome.busy ? [] : sample(bit(watch.isUp), { bridge: bridge.name }))),
    },
    {
      name: 'vmgauge_ovs_ports',
      type: 'gauge',
      help: 'Ports of the bridge by the database, its own included.',
      labelNames: ['bridge'],
      samples: () => seen.bridges().flatMap(({ bridge }) => sample(bridge.ports.length, { bridge: bridge.name })),
    },
    {
      name: 'vmgauge_ovs_poll_age_seconds',
      type: 'gauge',
      help: 'How long ago the bridge told what is shown of it.',
      unit: 'seconds',
      labelNames: ['bridge'],
      samples: () => ofReadings(seen, ({ at }, pairs) => sample(millisecondsToSeconds(now() - at), pairs)),
    },
    {
      name: 'vmgauge_ovs_dropped',
      type: 'gauge',
      help: 'What is not looked at: bridges beyond 64 of a directory or of a name that came before, ports beyond 4096 and meters beyond 512 of a bridge, ports of an instance beyond 512, and rows and changes of the database that could not be understood.',
      labelNames: ['what'],
      samples: () => (there(seen).length === 0 ? [] : Object.entries(droppedOf(seen)).flatMap(([what, count]) => sample(count, { what }))),
    },
  ];
}

/** In the order of their names. */
function droppedOf(seen: SeenSwitches): Readonly<Record<string, number>> {
  const readings = seen.bridges().flatMap(({ watch }) => watch.reading ?? []);
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  return {
    bridges: seen.doubles + sum(seen.switches.map(({ dropped }) => dropped.bridges)),
    database_rows: sum(seen.switches.map(({ dropped }) => dropped.rows)),
    instance_ports: seen.droppedRows,
    meters: sum(readings.map(({ dropped }) => dropped.meters)),
    ports: sum(readings.map(({ dropped }) => dropped.ports)),
  };
}

/** What bridges count of their tables, flows and meters. */
export function flowFamilies(seen: SeenSwitches): readonly HostFamily[] {
  const ofTables = (value: (table: TableCounters) => number | null) => () =>
    ofReadings(seen, ({ tables }, pairs) =>
      tables.flatMap((table) => sample(value(table), { ...pairs, table_id: String(table.id), table_name: tableName(table) })),
    );
  const table = (name: string, help: string, value: (table: TableCounters) => number | null): HostFamily => ({
    ...{ name, help, type: name.endsWith('_total') ? 'counter' : 'gauge' },
    ...{ labelNames: ['bridge', 'table_id', 'table_name'], samples: ofTables(value) },
  });
  return [
    table(
      'vmgauge_ovs_flow_entries',
      'Flow entries in the table now, learned ones included; tables without name and flows are not shown.',
      (one) => one.active,
    ),
    table('vmgauge_ovs_table_lookups_total', 'Packets that were looked up in the table.', (one) => one.lookups),
    table('vmgauge_ovs_table_matches_total', 'Packets that matched an entry of the table.', (one) => one.matches),
    {
      name: 'vmgauge_ovs_flow_packets',
      type: 'gauge',
      help: 'Packets that the flow entries of now have matched, all together; falls when entries go. Not asked for beyond 20000 entries.',
      labelNames: ['bridge'],
      samples: () => ofReadings(seen, ({ aggregate }, pairs) => sample(aggregate?.packets, pairs)),
    },
    {
      name: 'vmgauge_ovs_flow_bytes',
      type: 'gauge',
      help: 'Bytes that the flow entries of now have matched, all together; falls when entries go. Not asked for beyond 20000 entries.',
      unit: 'bytes',
      labelNames: ['bridge'],
      samples: () => ofReadings(seen, ({ aggregate }, pairs) => sample(aggregate?.bytes, pairs)),
    },
    {
      name: 'vmgauge_ovs_flow_updates_total',
      type: 'counter',
      help: 'Changes of flow entries that the bridge told of, whoever made them; a lower bound once the event missed is above 0. Only with ovs.flow-monitor.',
      labelNames: ['bridge', 'event'],
      samples: () =>
        seen
          .bridges()
          .flatMap(({ bridge: { name }, watch: { tally } }) =>
            (['added', 'deleted', 'missed', 'modified'] as const).flatMap((event) => sample(tally?.[event], { bridge: name, event })),
          ),
    },
    ...meterFamilies(seen),
  ];
}

function meterFamilies(seen: SeenSwitches): readonly HostFamily[] {
  const ofMeters = (samples: (meter: MeterCounters, pairs: Pairs) => readonly HostSample[]) => () =>
    ofReadings(seen, ({ meters }, pairs) => (meters ?? []).flatMap((meter) => samples(meter, { ...pairs, meter_id: String(meter.id) })));
  const ofBands = (value: (band: MeterCounters['bands'][number]) => number | null) =>
    ofMeters(({ bands }, pairs) => bands.flatMap((band, place) => sample(value(band), { ...pairs, band: String(place) })));
  const labelNames = ['bridge', 'meter_id'];
  return [
    {
      name: 'vmgauge_ovs_meter_packets_total',
      ...{ type: 'counter', labelNames, help: 'Packets that came to the meter, dropped ones included.' },
      samples: ofMeters(({ packets }, pairs) => sample(packets, pairs)),
    },
    {
      name: 'vmgauge_ovs_meter_bytes_total',
      ...{ type: 'counter', labelNames, unit: 'bytes', help: 'Bytes that came to the meter, dropped ones included.' },
      samples: ofMeters(({ bytes }, pairs) => sample(bytes, pairs)),
    },
    {
      name: 'vmgauge_ovs_meter_dropped_packets_total',
      ...{
        type: 'counter',
        labelNames: [...labelNames, 'band'],
        help: 'Packets that a band of the meter took. Open vSwitch has no bands but those that drop.',
      },
      samples: ofBands(({ packets }) => packets),
    },
    {
      name: 'vmgauge_ovs_meter_dropped_bytes_total',
      ...{
        type: 'counter',
        labelNames: [...labelNames, 'band'],
        unit: 'bytes',
        help: 'Bytes that a band of the meter took. Open vSwitch has no bands but those that drop.',
      },
      samples: ofBands(({ bytes }) => bytes),
    },
  ];
}

/** Samples of each bridge that told something not too long ago. */
function ofReadings(
  seen: SeenSwitches,
  samples: (reading: BridgeReading, pairs: { readonly bridge: string }) => readonly HostSample[],
): readonly HostSample[] {
  return seen.bridges().flatMap(({ bridge: { name }, watch: { reading } }) => (reading ? samples(reading, { bridge: name }) : []));
}
