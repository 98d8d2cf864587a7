import { Outcome } from '../src/model/outcome.js';
import type { BridgeReading } from '../src/modules/network/ovs/bridge-reading.js';
import type { OvsBridge, OvsInterface, OvsPort } from '../src/modules/network/ovs/database.js';
import type { OwnPort } from '../src/modules/network/ovs/port-owners.js';
import type { PortCounters } from '../src/modules/network/ovs/switch-counters.js';

export const anInterface = (name: string, more: Partial<OvsInterface> = {}): OvsInterface => ({
  ...{ name, type: '', ofPort: 3, ifIndex: 33, mac: null, linkState: 'up', error: null, externalIds: new Map(), options: new Map() },
  ...more,
});

export const aPort = (iface: OvsInterface, more: Partial<OvsPort> = {}): OvsPort => ({
  ...{ name: iface.name, tag: null, externalIds: new Map(), interfaces: [iface] },
  ...more,
});

export const aBridge = (name: string, ports: readonly OvsPort[], more: Partial<OvsBridge> = {}): OvsBridge => ({
  ...{ name, datapathType: '', protocols: [], ports },
  ...more,
});

/** As the switch sees them, all different. */
export const COUNTERS: Omit<PortCounters, 'number'> = {
  ...{ rxPackets: 11, txPackets: 12, rxBytes: 1100, txBytes: 1200, rxDrops: 13, txDrops: 14, rxErrors: 15, txErrors: 16 },
};

/** What a bridge with these interfaces answered. */
export const aReading = (interfaces: readonly OvsInterface[], more: Partial<BridgeReading> = {}): BridgeReading => ({
  tables: [],
  ports: new Map(
    interfaces.map(({ name, ofPort, ifIndex }) => [name, { ofPort: ofPort ?? 0, ifIndex, counters: { number: ofPort ?? 0, ...COUNTERS } }]),
  ),
  ...{ meters: null, aggregate: null, at: 0, dropped: { ports: 0, meters: 0 } },
  ...more,
});

/** What the collector needs of a bridge that is watched. */
export type SeenWatch = { -readonly [Key in 'outcome' | 'reading']: OwnPort['watch'][Key] };

/** A port of an instance at a bridge that answered. */
export function anOwnPort(iface: OvsInterface, watch: SeenWatch = { outcome: Outcome.ok, reading: aReading([iface]) }): OwnPort {
  const port = aPort(iface);
  const place = { bridge: aBridge('br-int', [port]), port, iface };
  // The collector asks a bridge for nothing else.
  return { place, evidence: 'device', watch: watch as OwnPort['watch'] };
}
