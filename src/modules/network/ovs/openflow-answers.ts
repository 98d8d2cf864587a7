import { count32, count64, evenRecords, sizedRecords } from './openflow-fields.js';
import { type Frame, malformed } from './openflow-frames.js';
import type { Version } from './openflow-messages.js';
import { OpenFlowRefusal } from './openflow-refusal.js';
import type { AggregateCounters, MeterCounters, PortCounters, TableCounters } from './switch-counters.js';

/** A part of an answer; all parts have the xid of the question. */
export interface StatsPart {
  /** `enum ofp_stats_types`. */
  readonly type: number;
  readonly hasMore: boolean;
  readonly body: Buffer;
}

/** @throws HostError EBADMSG */
export function statsPart(frame: Frame, version: Version): StatsPart {
  const headBytes = version === 1 ? 4 : 8;
  if (frame.body.length < headBytes) throw malformed('statistics without their type');
  return {
    type: frame.body.readUInt16BE(0),
    // OFPSF_REPLY_MORE.
    hasMore: (frame.body.readUInt16BE(2) & 1) !== 0,
    body: frame.body.subarray(headBytes),
  };
}

/** Versions that a hello offers, as a bitmap; without one it means all up to that of its header. @throws HostError EBADMSG */
export function offeredVersions({ version, body }: Frame): number {
  // 1.0: what follows the header has no meaning.
  if (version > 1) {
    for (const element of sizedRecords(body, 2, 4)) {
      if (element.readUInt16BE(0) === 1 && element.length >= 8) return element.readUInt32BE(4);
    }
  }
  return version >= 31 ? 0xffffffff : 2 ** (version + 1) - 1;
}

/** @throws HostError EBADMSG */
export function refusal({ body }: Frame): OpenFlowRefusal {
  if (body.length < 4) throw malformed('an error without its type');
  return new OpenFlowRefusal(body.readUInt16BE(0), body.readUInt16BE(2));
}

/** `ofp_table_stats`: of 1.0 with its name in 32 bytes, of all later versions without. @throws HostError EBADMSG */
export function tables(version: Version, body: Buffer): TableCounters[] {
  if (version === 1) {
    return Array.from(evenRecords(body, 64), (record) => ({
      id: record[0],
      name: text(record.subarray(4, 36)),
      active: record.readUInt32BE(44),
      lookups: count64(record, 48),
      matches: count64(record, 56),
    }));
  }
  return Array.from(evenRecords(body, 24), (record) => ({
    id: record[0],
    name: '',
    active: record.readUInt32BE(4),
    lookups: count64(record, 8),
    matches: count64(record, 16),
  }));
}

/** `ofp_port_stats`. What 1.5 tells in properties is of no use here, but they must be some. @throws HostError EBADMSG */
export function ports(version: Version, body: Buffer): PortCounters[] {
  if (version === 1) return Array.from(evenRecords(body, 104), (record) => port(record.readUInt16BE(0), record, 8));
  if (version === 4) return Array.from(evenRecords(body, 112), (record) => port(shortPort(record.readUInt32BE(0)), record, 8));
  return Array.from(sizedRecords(body, 0, 80), (record) => {
    for (const _ of sizedRecords(record.subarray(80), 2, 4));
    return port(shortPort(record.readUInt32BE(4)), record, 16);
  });
}

/** Eight counters in the order of all versions. */
const port = (number: number, record: Buffer, at: number): PortCounters => ({
  number,
  rxPackets: count64(record, at),
  txPackets: count64(record, at + 8),
  rxBytes: count64(record, at + 16),
  txBytes: count64(record, at + 24),
  rxDrops: count64(record, at + 32),
  txDrops: count64(record, at + 40),
  rxErrors: count64(record, at + 48),
  txErrors: count64(record, at + 56),
});

/** Reserved ports have 16 bits in 1.0 and in OVSDB, and 32 later: 0xfffffffe is 65534, the bridge's own. */
const shortPort = (number: number): number => (number >= 0xffffff00 ? number - 0xffff0000 : number);

/** `ofp_meter_stats`, 40 bytes and 16 a band. @throws HostError EBADMSG */
export function meters(body: Buffer): MeterCounters[] {
  return Array.from(sizedRecords(body, 4, 40), (record) => ({
    id: record.readUInt32BE(0),
    flows: count32(record, 12),
    packets: count64(record, 16),
    bytes: count64(record, 24),
    bands: Array.from(evenRecords(record.subarray(40), 16), (band) => ({ packets: count64(band, 0), bytes: count64(band, 8) })),
  }));
}

/** `ofp_aggregate_stats_reply`. @throws HostError EBADMSG */
export function aggregate(version: Version, body: Buffer): AggregateCounters {
  if (version === 6) return aggregateOf15(body);
  if (body.length !== 24) throw malformed(`an aggregate of ${body.length} bytes`);
  return { packets: count64(body, 0), bytes: count64(body, 8), flows: count32(body, 16) };
}

/** `OFPXSC_OPENFLOW_BASIC`, class and field of an OXS header (OpenFlow 1.5, "Flow Statistics"). */
const OXS_FLOWS = 0x8002_03;
const OXS_PACKETS = 0x8002_04;
const OXS_BYTES = 0x8002_05;

/** `ofp_stats` of 1.5: a list of fields, each behind four bytes: class, field, length. What is not in it is not told. */
function aggregateOf15(body: Buffer): AggregateCounters {
  if (body.length < 4) throw malformed('an aggregate without its length');
  const end = body.readUInt16BE(2);
  if (end < 4 || end > body.length) throw malformed(`statistics of ${end} bytes`);
  const told = new Map<number, number | null>();
  for (let at = 4; at < end; ) {
    const bytes = at + 4 > end ? Number.POSITIVE_INFINITY : body[at + 3];
    if (at + 4 + bytes > end) throw malformed('a field beyond the end');
    const field = body.readUInt16BE(at) * 256 + (body[at + 2] >> 1);
    if (bytes === 8) told.set(field, count64(body, at + 4));
    if (bytes === 4) told.set(field, count32(body, at + 4));
    at += 4 + bytes;
  }
  const value = (field: number): number | null => told.get(field) ?? null;
  return { packets: value(OXS_PACKETS), bytes: value(OXS_BYTES), flows: value(OXS_FLOWS) };
}

/** Ends at the first NUL. */
function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? field.length : end);
}
