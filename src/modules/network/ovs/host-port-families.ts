import type { HostFamily } from '../../../model/host-family.js';
import { portOf } from './bridge-reading.js';
import { sample } from './ovs-families.js';
import type { HostPort } from './port-owners.js';
import type { PortCounters } from './switch-counters.js';

const OF_HOST = 'Of ports that belong to no instance: gateway, tunnels, uplinks, patches.';

/** Counters of ports that are no instance's, as the switch sees them: what it receives comes from behind the port. */
export function hostPortFamilies(ports: () => readonly HostPort[]): readonly HostFamily[] {
  const family = (name: string, help: string, value: (counters: PortCounters) => number | null): HostFamily => ({
    ...{ name, type: 'counter', help: `${help} ${OF_HOST}`, labelNames: ['bridge', 'port'] },
    ...(name.endsWith('_bytes_total') ? { unit: 'bytes' } : {}),
    samples: () =>
      ports().flatMap(({ place: { bridge, iface }, watch: { reading } }) => {
        const port = reading && portOf(reading, iface);
        return port ? sample(value(port.counters), { bridge: bridge.name, port: iface.name }) : [];
      }),
  });
  return [
    family('vmgauge_ovs_port_receive_bytes_total', 'Bytes that came into the switch through the port.', ({ rxBytes }) => rxBytes),
    family('vmgauge_ovs_port_receive_packets_total', 'Packets that came into the switch through the port.', ({ rxPackets }) => rxPackets),
    family('vmgauge_ovs_port_receive_drops_total', 'Packets dropped on their way into the switch.', ({ rxDrops }) => rxDrops),
    family('vmgauge_ovs_port_receive_errors_total', 'Errors of packets on their way into the switch.', ({ rxErrors }) => rxErrors),
    family('vmgauge_ovs_port_transmit_bytes_total', 'Bytes that left the switch through the port.', ({ txBytes }) => txBytes),
    family('vmgauge_ovs_port_transmit_packets_total', 'Packets that left the switch through the port.', ({ txPackets }) => txPackets),
    family('vmgauge_ovs_port_transmit_drops_total', 'Packets dropped on their way out of the switch.', ({ txDrops }) => txDrops),
    family('vmgauge_ovs_port_transmit_errors_total', 'Errors of packets on their way out of the switch.', ({ txErrors }) => txErrors),
  ];
}
