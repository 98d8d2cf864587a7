import type { OvsBridge } from './ovs/database.js';

/** Antrea writes what a port is for into `external_ids` of `Port`: `container`, `gateway`, `tunnel`, `uplink`, `host` and such. */
const TYPE = 'antrea-type';
/** Part of the run directory of the switch that Antrea brings along on Kubernetes. */
const DIRECTORY = '/antrea/';

/** Meters with which Antrea limits what goes to its agent (since its 1.14), by their id. Meters 1 to 255 are those of Egress. */
export const ANTREA_METERS: ReadonlyMap<number, string> = new Map([
  [256, 'PacketInMeterNetworkPolicy'],
  [257, 'PacketInMeterTraceflow'],
  [258, 'PacketInMeterDNSInterception'],
]);

const isMarked = ({ ports }: OvsBridge): boolean => ports.some(({ externalIds }) => externalIds.has(TYPE));
const hasGateway = ({ ports }: OvsBridge): boolean => ports.some(({ externalIds }) => externalIds.get(TYPE) === 'gateway');

/**
 * The bridge of the Antrea agent, which has one: that with the gateway, for Antrea marks ports of its secondary networks too; or the first with
 * a port that Antrea marked, or the only bridge in the run directory of its own switch. Never a sum of several.
 */
export function antreaBridge<Seen extends { readonly directory: string; readonly bridge: OvsBridge }>(
  bridges: readonly Seen[],
): Seen | undefined {
  const marked = bridges.find(({ bridge }) => hasGateway(bridge)) ?? bridges.find(({ bridge }) => isMarked(bridge));
  if (marked) return marked;
  const own = bridges.filter(({ directory }) => directory.includes(DIRECTORY));
  return own.length === 1 ? own[0] : undefined;
}

/** Pods with a port there, each once however many ports it has. */
export function antreaPods({ ports }: OvsBridge): number {
  const containers = ports.filter(({ externalIds }) => externalIds.get(TYPE) === 'container');
  return new Set(containers.map(({ name, externalIds }) => externalIds.get('container-id') ?? `port ${name}`)).size;
}
