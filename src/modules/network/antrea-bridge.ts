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

/** What Antrea marked; a bridge is another object when something changed in it, and is asked for in every family of every page. */
interface Marks {
  readonly any: boolean;
  readonly gateway: boolean;
}
const marked = new WeakMap<OvsBridge, Marks>();

function marksOf(bridge: OvsBridge): Marks {
  const known = marked.get(bridge);
  if (known) return known;
  const types = bridge.ports.flatMap(({ externalIds }) => externalIds.get(TYPE) ?? []);
  const marks = { any: types.length > 0, gateway: types.includes('gateway') };
  marked.set(bridge, marks);
  return marks;
}

/**
 * The bridge of the Antrea agent, which has one: that with the gateway, for Antrea marks ports of its secondary networks too; or the first with
 * a port that Antrea marked, or the only bridge in the run directory of its own switch. Never a sum of several.
 */
export function antreaBridge<Seen extends { readonly directory: string; readonly bridge: OvsBridge }>(
  bridges: readonly Seen[],
): Seen | undefined {
  const own = bridges.find(({ bridge }) => marksOf(bridge).gateway) ?? bridges.find(({ bridge }) => marksOf(bridge).any);
  if (own) return own;
  const [only, ...others] = bridges.filter(({ directory }) => directory.includes(DIRECTORY));
  return others.length === 0 ? only : undefined;
}

/** Pods with a port there, each once however many ports it has. */
export function antreaPods({ ports }: OvsBridge): number {
  const containers = ports.filter(({ externalIds }) => externalIds.get(TYPE) === 'container');
  return new Set(containers.map(({ name, externalIds }) => externalIds.get('container-id') ?? `port ${name}`)).size;
}
