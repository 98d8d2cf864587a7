import { HostError } from '../../../host/host-error.js';
import { HEADER_BYTES } from './openflow-frames.js';

/** Versions on the wire that this house speaks: OpenFlow 1.0, 1.3 and 1.5. */
export const VERSIONS = [1, 4, 6] as const;
export type Version = (typeof VERSIONS)[number];

/** `enum ofp_type`, where all versions agree. Statistics are called multipart from 1.3 on, and have moved. */
export const HELLO = 0;
export const ERROR = 1;
export const ECHO_REQUEST = 2;
export const ECHO_REPLY = 3;
/** Messages of a vendor; 1.0 only, as nothing of a vendor is asked for in another version. */
export const VENDOR = 4;
export const statsRequestType = (version: Version): number => (version === 1 ? 16 : 18);
export const statsReplyType = (version: Version): number => (version === 1 ? 17 : 19);

/** Everything that can be asked. Whoever may write to the socket may do all with the switch, so there are no words for anything else. */
export type Question = 'tables' | 'ports' | 'meters' | 'aggregate' | 'flowMonitor';

/** `enum ofp_stats_types`. */
export const STATS_TYPES: Readonly<Record<Question, number>> = { aggregate: 2, tables: 3, ports: 4, meters: 9, flowMonitor: 0xffff };

/** Extensions of Open vSwitch (include/openflow/nicira-ext.h). */
export const NICIRA = 0x2320;
export const FLOW_MONITOR = 2;
/** Everything but the flows that are there already and the actions: ADD, DELETE, MODIFY, and OWN, or our own would come abbreviated. */
const FLOW_MONITOR_FLAGS = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 5);

const ANY_PORT_16 = 0xffff;
const ANY = 0xffffffff;
const ALL_TABLES = 0xff;
/** `OFPFW_ALL`: every field of a match of 1.0 is a wildcard. */
const ALL_WILDCARDS = 0x3fffff;

/** The highest version in the header, and all of them in a bitmap (`ofp_hello_elem_versionbitmap`), which 1.0 switches do not read. */
export function hello(versions: readonly Version[], xid: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16BE(1, 0);
  body.writeUInt16BE(8, 2);
  body.writeUInt32BE(
    versions.reduce((bits, version) => bits | (1 << version), 0),
    4,
  );
  return message(Math.max(...versions), HELLO, xid, body);
}

export const echoRequest = (version: Version, xid: number): Buffer => message(version, ECHO_REQUEST, xid, Buffer.alloc(0));

/** @param data of the request, which its answer repeats */
export const echoReply = (version: Version, xid: number, data: Buffer): Buffer => message(version, ECHO_REPLY, xid, data);

/** @throws HostError EOPNOTSUPP where the version has no words for it */
export function question(what: Question, version: Version, xid: number): Buffer {
  const head = Buffer.alloc(version === 1 ? 4 : 8);
  head.writeUInt16BE(STATS_TYPES[what], 0);
  return message(version, statsRequestType(version), xid, Buffer.concat([head, BODIES[what](version)]));
}

const BODIES: Readonly<Record<Question, (version: Version) => Buffer>> = {
  tables: () => Buffer.alloc(0),
  ports: (version) =>
    version === 1 ? fields(8, (body) => body.writeUInt16BE(ANY_PORT_16, 0)) : fields(8, (body) => body.writeUInt32BE(ANY, 0)),
  meters: (version) => {
    if (version === 1) throw new HostError('EOPNOTSUPP', 'OpenFlow 1.0 knows no meters');
    return fields(8, (body) => body.writeUInt32BE(ANY, 0));
  },
  aggregate: (version) => (version === 1 ? aggregateOf10() : aggregate()),
  flowMonitor: (version) => {
    if (version !== 1) throw new HostError('EOPNOTSUPP', 'flows are monitored in OpenFlow 1.0');
    return flowMonitor();
  },
};

/** `ofp_flow_stats_request` of 1.0: a match of 40 bytes, table, out_port. */
const aggregateOf10 = (): Buffer =>
  fields(44, (body) => {
    body.writeUInt32BE(ALL_WILDCARDS, 0);
    body.writeUInt8(ALL_TABLES, 40);
    body.writeUInt16BE(ANY_PORT_16, 42);
  });

/** `ofp_flow_stats_request` of 1.3 and 1.5: table, out_port, out_group, cookie and its mask, then an empty OXM match of 8 bytes. */
const aggregate = (): Buffer =>
  fields(40, (body) => {
    body.writeUInt8(ALL_TABLES, 0);
    body.writeUInt32BE(ANY, 4);
    body.writeUInt32BE(ANY, 8);
    body.writeUInt16BE(1, 32);
    // Without its padding.
    body.writeUInt16BE(4, 34);
  });

/** `nicira10_stats_msg` after its type and flags, then `nx_flow_monitor_request`. */
const flowMonitor = (): Buffer =>
  fields(28, (body) => {
    body.writeUInt32BE(NICIRA, 0);
    body.writeUInt32BE(FLOW_MONITOR, 4);
    // The monitor's id, then what it hears; its match is empty.
    body.writeUInt32BE(1, 12);
    body.writeUInt16BE(FLOW_MONITOR_FLAGS, 16);
    body.writeUInt16BE(ANY_PORT_16, 18);
    body.writeUInt8(ALL_TABLES, 22);
  });

function fields(bytes: number, write: (body: Buffer) => void): Buffer {
  const body = Buffer.alloc(bytes);
  write(body);
  return body;
}

function message(version: number, type: number, xid: number, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  bytes.writeUInt8(version, 0);
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt32BE(xid, 4);
  body.copy(bytes, HEADER_BYTES);
  return bytes;
}
