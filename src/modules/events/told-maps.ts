import type { MeasureLedger } from './measure-ledger.js';
import type { ToldEntry } from './telling.js';
import { FILE_OPERATIONS, HISTOGRAM_MAPS, type HistogramMap, type Latency } from './words.js';

/** Writes an entry of one map into the ledger of whose key it has. @returns whether anything grew */
export type MapReader = (ledger: MeasureLedger, entry: ToldEntry) => boolean;

const latencyOf = (map: HistogramMap, second: number): Latency | undefined => {
  if (map === 'fs') return FILE_OPERATIONS[second];
  return map === 'guest_dns' ? 'dns' : map;
};

/** Three maps for each histogram: hist() has neither a sum nor the last value. */
function readersOf(map: HistogramMap): [string, MapReader][] {
  const reader =
    (read: (ledger: MeasureLedger, latency: Latency, entry: ToldEntry) => boolean): MapReader =>
    (ledger, entry) => {
      const latency = latencyOf(map, entry.second);
      return latency !== undefined && read(ledger, latency, entry);
    };
  return [
    [map, reader((ledger, latency, { buckets }) => ledger.buckets(latency, buckets))],
    [`${map}_sum`, reader((ledger, latency, { value }) => ledger.sumNanoseconds(latency, value))],
    [`${map}_last`, reader((ledger, latency, { value }) => ledger.lastNanoseconds(latency, value))],
  ];
}

const DIRECTIONS = ['receive_bytes', 'send_bytes'] as const;
const FILE_BYTES = ['read_bytes', 'write_bytes'] as const;

/** Maps whose keys are processes. */
export const PROCESS_MAPS: ReadonlyMap<string, MapReader> = new Map([
  ...HISTOGRAM_MAPS.filter((map) => map !== 'guest_dns').flatMap(readersOf),
  ['net', (ledger, { second, value }) => second in DIRECTIONS && ledger.amount(DIRECTIONS[second], value)],
  ['fs_bytes', (ledger, { second, value }) => second in FILE_BYTES && ledger.amount(FILE_BYTES[second], value)],
  ['connect_errors', (ledger, { value }) => ledger.amount('connect_errors', value)],
  ['retransmits', (ledger, { value }) => ledger.amount('retransmits', value)],
]);

/** Maps whose keys are network devices. */
export const DEVICE_MAPS: ReadonlyMap<string, MapReader> = new Map(readersOf('guest_dns'));
