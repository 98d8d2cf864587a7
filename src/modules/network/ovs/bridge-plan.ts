import type { Version } from './openflow-messages.js';

/** As `Bridge.protocols` spells the versions that this house speaks. */
const SPOKEN: ReadonlyMap<string, Version> = new Map([
  ['OpenFlow10', 1],
  ['OpenFlow13', 4],
  ['OpenFlow15', 6],
]);
/** What every release since 2.3 accepts where nothing is said (ovs-vswitchd.conf.db(5)). */
const DEFAULTS: readonly Version[] = [1, 4];

/** In which versions a bridge is asked. A version that it does not accept would make it write a warning into its log at each try. */
export interface BridgePlan {
  /** For tables: only 1.0 tells their names cheaply. */
  readonly tables: Version;
  /** For ports and meters, which 1.0 does not have. */
  readonly numbers: Version;
  /** Changes of flows are told in 1.0 only. */
  readonly hasMonitor: boolean;
}

/** null where there is no version for both. @param protocols of the bridge; empty means the default */
export function bridgePlan(protocols: readonly string[]): BridgePlan | null {
  const accepted =
    protocols.length === 0 ? DEFAULTS : [...SPOKEN].flatMap(([word, version]) => (protocols.includes(word) ? [version] : []));
  const numbers = accepted.at(-1);
  return numbers === undefined ? null : { tables: accepted[0], numbers, hasMonitor: accepted[0] === 1 };
}
