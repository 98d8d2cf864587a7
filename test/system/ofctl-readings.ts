import type { AggregateCounters, MeterCounters, PortCounters, TableCounters } from '../../src/modules/network/ovs/switch-counters.js';

/** What ovs-ofctl(8) prints, read independently of what is tested. A counter that it prints as `?` is one that the switch does not tell. */
const number = (text: string): number | null => (text === '?' ? null : Number(text));

/** `dump-tables`; tables that are like the one before are `tables 2...253: ditto`. */
export function tablesOf(text: string): TableCounters[] {
  const tables: TableCounters[] = [];
  for (const paragraph of text.split(/^ {2}(?=tables? \d)/m).slice(1)) {
    const [, first, last, name = ''] = /^tables? (\d+)(?:\.\.\.(\d+))?(?: \("(.*)"\))?:/.exec(paragraph) ?? [];
    const values = /active=(\d+), lookup=([\d?]+), matched=([\d?]+)/.exec(paragraph);
    const { active, lookups, matches } = values
      ? { active: Number(values[1]), lookups: number(values[2]), matches: number(values[3]) }
      : tables[tables.length - 1];
    for (let id = Number(first); id <= Number(last ?? first); id++) tables.push({ id, name, active, lookups, matches });
  }
  return tables;
}

/** `dump-ports`, two lines a port. */
export function portsOf(text: string): PortCounters[] {
  const line = (direction: string): string => `${direction} pkts=([\\d?]+), bytes=([\\d?]+), drop=([\\d?]+), errs=([\\d?]+),.*`;
  const port = new RegExp(`^ {2}port +(?:"[^"]*"|(\\w+)): ${line('rx')}\\s+${line('tx')}`, 'gm');
  return Array.from(text.matchAll(port), ([, name, ...counts]) => {
    const [rxPackets, rxBytes, rxDrops, rxErrors, txPackets, txBytes, txDrops, txErrors] = counts.map(number);
    return {
      number: name === 'LOCAL' ? 65534 : Number(name),
      rxPackets,
      txPackets,
      rxBytes,
      txBytes,
      rxDrops,
      txDrops,
      rxErrors,
      txErrors,
    };
  });
}

/** `meter-stats` of meters whose bands count. */
export function metersOf(text: string): MeterCounters[] {
  const meter = /^meter:(\d+) flow_count:(\d+) packet_in_count:(\d+) byte_in_count:(\d+) .*\n((?:\d+: .*\n?)*)/gm;
  return Array.from(text.matchAll(meter), ([, id, flows, packets, bytes, bands]) => ({
    ...{ id: Number(id), flows: Number(flows), packets: Number(packets), bytes: Number(bytes) },
    bands: Array.from(bands.matchAll(/packet_count:(\d+) byte_count:(\d+)/g), (band) => ({
      packets: Number(band[1]),
      bytes: Number(band[2]),
    })),
  }));
}

/** `dump-aggregate`. @throws for anything else */
export function aggregateOf(text: string): AggregateCounters {
  const values = /packet_count=(\d+) byte_count=(\d+) flow_count=(\d+)/.exec(text);
  if (!values) throw new Error(`no aggregate: ${text}`);
  return { packets: Number(values[1]), bytes: Number(values[2]), flows: Number(values[3]) };
}
