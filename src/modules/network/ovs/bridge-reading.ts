import { isKernelDevice, type OvsBridge, type OvsInterface } from './database.js';
import type { AggregateCounters, MeterCounters, PortCounters, TableCounters } from './switch-counters.js';

/** What one bridge may have: bounds for what a switch's answer can cost. */
export const MAX_PORTS = 4096;
export const MAX_METERS = 512;

/** What one poll of a bridge came to. */
export interface BridgeReading {
  /** Those with a name or a flow, by id ascending. */
  readonly tables: readonly TableCounters[];
  /** By name of the interface. */
  readonly ports: ReadonlyMap<string, PortReading>;
  /** By id ascending; null where the switch has none. */
  readonly meters: readonly MeterCounters[] | null;
  /** null where nobody asked, because there were too many flows. */
  readonly aggregate: AggregateCounters | null;
  /** Monotonic milliseconds when the switch was asked: nothing of it is older. */
  readonly at: number;
  /** Answered and not kept. */
  readonly dropped: { readonly ports: number; readonly meters: number };
}

/** Counters, and whose they are: a name may be another interface's by the time somebody reads them. */
export interface PortReading {
  readonly ofPort: number;
  readonly ifIndex: number | null;
  readonly counters: PortCounters;
}

export interface Answers {
  readonly tables: readonly TableCounters[];
  readonly ports: readonly PortCounters[];
  readonly meters: readonly MeterCounters[] | null;
  readonly aggregate: AggregateCounters | null;
}

/** @param before what the database said when the switch was asked @param after what it says now: a port that changed between them has no counters */
export function bridgeReading(answers: Answers, before: OvsBridge, after: OvsBridge, at: number): BridgeReading {
  const meters = answers.meters?.toSorted((a, b) => a.id - b.id) ?? null;
  return {
    tables: answers.tables.filter(isUsed).sort((a, b) => a.id - b.id),
    ports: portReadings(answers.ports.slice(0, MAX_PORTS), before, after),
    meters: meters?.slice(0, MAX_METERS) ?? null,
    aggregate: answers.aggregate,
    at,
    dropped: { ports: excess(answers.ports, MAX_PORTS), meters: excess(meters ?? [], MAX_METERS) },
  };
}

/** The counters of an interface as the database knows it now; undefined where they were another's, or its own before it was made anew. */
export function portOf({ ports }: BridgeReading, { name, ofPort, ifIndex }: OvsInterface): PortReading | undefined {
  const port = ports.get(name);
  return port && port.ofPort === ofPort && port.ifIndex === ifIndex ? port : undefined;
}

/** `table3` where nobody named it. */
export const tableName = ({ id, name }: TableCounters): string => (name === '' ? `table${id}` : name);

/** All 254 are told. */
const isUsed = (table: TableCounters): boolean => table.active > 0 || tableName(table) !== `table${table.id}`;

const excess = (all: readonly unknown[], limit: number): number => Math.max(0, all.length - limit);

const interfacesOf = ({ ports }: OvsBridge): readonly OvsInterface[] => ports.flatMap(({ interfaces }) => interfaces);

function portReadings(counted: readonly PortCounters[], before: OvsBridge, after: OvsBridge): ReadonlyMap<string, PortReading> {
  const byNumber = new Map(counted.map((one) => [one.number, one]));
  const earlier = before === after ? null : new Map(interfacesOf(before).map((one) => [one.name, one]));
  const readings = new Map<string, PortReading>();
  for (const { name, type, ofPort, ifIndex } of interfacesOf(after)) {
    const counters = ofPort === null ? undefined : byNumber.get(ofPort);
    if (ofPort === null || !counters) continue;
    // Between two devices of a name the database has none: what is counted may be the next one's already.
    if (ifIndex === null && isKernelDevice({ type })) continue;
    const was = earlier?.get(name);
    if (earlier && (was?.ofPort !== ofPort || was.ifIndex !== ifIndex)) continue;
    readings.set(name, { ofPort, ifIndex, counters });
  }
  return readings;
}
