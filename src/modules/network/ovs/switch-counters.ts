/** What one bridge answers over OpenFlow. Counters are as the switch sees them; null where it does not count (all ones on the wire). */

/** A flow table, OpenFlow 1.0 `ofp_table_stats`. */
export interface TableCounters {
  readonly id: number;
  /** Empty where nobody named it, and where OpenFlow 1.3 or later was asked, which tell no names here. */
  readonly name: string;
  /** Flow entries now. */
  readonly active: number;
  readonly lookups: number | null;
  readonly matches: number | null;
}

/** A port: received is what came into the switch, so what a guest behind it transmitted. */
export interface PortCounters {
  /** As `ofport` of OVSDB: the bridge's own is 65534 in each version. */
  readonly number: number;
  readonly rxPackets: number | null;
  readonly txPackets: number | null;
  readonly rxBytes: number | null;
  readonly txBytes: number | null;
  readonly rxDrops: number | null;
  readonly txDrops: number | null;
  readonly rxErrors: number | null;
  readonly txErrors: number | null;
}

/** A meter, OpenFlow 1.3 and later `ofp_meter_stats`. */
export interface MeterCounters {
  readonly id: number;
  /** Flows bound to it. */
  readonly flows: number | null;
  readonly packets: number | null;
  readonly bytes: number | null;
  /** What each band took, in order: of a band that drops, what it dropped. */
  readonly bands: readonly { readonly packets: number | null; readonly bytes: number | null }[];
}

/** All flow entries together, `ofp_aggregate_stats`. Of those that are there now: the sums fall when entries leave. */
export interface AggregateCounters {
  readonly packets: number | null;
  readonly bytes: number | null;
  readonly flows: number | null;
}
