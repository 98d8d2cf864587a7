import type { Frame } from '../src/modules/network/ovs/openflow-frames.js';
import {
  ECHO_REPLY,
  ECHO_REQUEST,
  ERROR,
  STATS_TYPES,
  statsReplyType,
  statsRequestType,
} from '../src/modules/network/ovs/openflow-messages.js';
import type { AggregateCounters, MeterCounters, PortCounters, TableCounters } from '../src/modules/network/ovs/switch-counters.js';
import { hex, wire, withXid } from './fake-switch.js';
import { recorded } from './openflow-recorded.js';

/** What a bridge counts, to be told in whatever version it is asked. */
export interface CountingBridge {
  readonly tables: readonly TableCounters[];
  readonly ports: readonly PortCounters[];
  readonly meters: readonly MeterCounters[];
  readonly aggregate: AggregateCounters;
  /** Flows that came, changed and went as soon as somebody listened; missing: it cannot tell. */
  readonly changes?: { readonly added: number; readonly modified: number; readonly deleted: number };
}

/** Of each change of a flow, in the order of the recording. */
const UPDATE_BYTES = 64;
/** `OFPBRC_BAD_STAT`: the switch has no such statistics. */
const BAD_STATISTICS = hex('0001 0002');

/** For FakeSwitch.reply: an answer to everything that this agent asks. Aggregates are told in 1.0 only. */
export const answersOf =
  (bridge: CountingBridge) =>
  ({ version, type, xid, body }: Frame): Buffer | undefined => {
    if (type === ECHO_REQUEST) return wire(version, ECHO_REPLY, xid, body);
    if (type !== statsRequestType(version === 1 ? 1 : 4)) return undefined;
    const kind = body.readUInt16BE(0);
    if (kind === STATS_TYPES.flowMonitor)
      return bridge.changes ? monitored(xid, bridge.changes) : wire(version, ERROR, xid, BAD_STATISTICS);
    const told = statistics(bridge, version, kind);
    const head = Buffer.alloc(version === 1 ? 4 : 8);
    head.writeUInt16BE(kind, 0);
    return told
      ? wire(version, statsReplyType(version === 1 ? 1 : 4), xid, Buffer.concat([head, ...told]))
      : wire(version, ERROR, xid, BAD_STATISTICS);
  };

function statistics({ tables, ports, meters, aggregate }: CountingBridge, version: number, kind: number): Buffer[] | undefined {
  switch (kind) {
    case STATS_TYPES.tables:
      return version === 1 ? tables.map(tableOf10) : undefined;
    case STATS_TYPES.ports:
      return ports.map((port) => portOf(port, version));
    case STATS_TYPES.meters:
      return version === 1 ? undefined : meters.map(meterOf);
    case STATS_TYPES.aggregate:
      return version === 1 ? [aggregateOf10(aggregate)] : undefined;
    default:
      return undefined;
  }
}

function monitored(xid: number, { added, modified, deleted }: NonNullable<CountingBridge['changes']>): Buffer {
  const updates = recorded('flowUpdates');
  const times = [added, modified, deleted].flatMap((count, at) =>
    Array<Buffer>(count).fill(updates.subarray(at * UPDATE_BYTES, (at + 1) * UPDATE_BYTES)),
  );
  return Buffer.concat([withXid(recorded('flowMonitor'), xid), ...times]);
}

/** 64 bits; all ones for what is not counted. */
function write64(into: Buffer, at: number, values: readonly (number | null)[]): void {
  for (const [place, value] of values.entries()) into.writeBigUInt64BE(value === null ? 2n ** 64n - 1n : BigInt(value), at + 8 * place);
}

function tableOf10({ id, name, active, lookups, matches }: TableCounters): Buffer {
  const record = Buffer.alloc(64);
  record.writeUInt8(id, 0);
  record.write(name, 4, 32);
  record.writeUInt32BE(active, 44);
  write64(record, 48, [lookups, matches]);
  return record;
}

/** Of 1.5 without properties. */
function portOf({ number, ...counters }: PortCounters, version: number): Buffer {
  const record = Buffer.alloc(version === 1 ? 104 : version === 4 ? 112 : 80);
  const { rxPackets, txPackets, rxBytes, txBytes, rxDrops, txDrops, rxErrors, txErrors } = counters;
  const wide = number >= 0xff00 ? number + 0xffff0000 : number;
  if (version === 1) record.writeUInt16BE(number, 0);
  else record.writeUInt32BE(wide, version === 4 ? 0 : 4);
  if (version === 6) record.writeUInt16BE(record.length, 0);
  write64(record, version === 6 ? 16 : 8, [rxPackets, txPackets, rxBytes, txBytes, rxDrops, txDrops, rxErrors, txErrors]);
  return record;
}

function meterOf({ id, flows, packets, bytes, bands }: MeterCounters): Buffer {
  const record = Buffer.alloc(40 + 16 * bands.length);
  record.writeUInt32BE(id, 0);
  record.writeUInt16BE(record.length, 4);
  record.writeUInt32BE(flows ?? 0xffffffff, 12);
  write64(record, 16, [packets, bytes]);
  for (const [place, band] of bands.entries()) write64(record, 40 + 16 * place, [band.packets, band.bytes]);
  return record;
}

function aggregateOf10({ packets, bytes, flows }: AggregateCounters): Buffer {
  const record = Buffer.alloc(24);
  write64(record, 0, [packets, bytes]);
  record.writeUInt32BE(flows ?? 0xffffffff, 16);
  return record;
}
