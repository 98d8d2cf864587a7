import { malformed } from './openflow-frames.js';

const ALL_ONES = 0xffffffff;

/** A counter of 64 bits; null for all ones, by which OpenFlow says that it is not counted. Exact to 2^53, beyond that rounded. */
export function count64(body: Buffer, at: number): number | null {
  const high = body.readUInt32BE(at);
  const low = body.readUInt32BE(at + 4);
  return high === ALL_ONES && low === ALL_ONES ? null : high * 2 ** 32 + low;
}

/** The same of 32 bits. */
export function count32(body: Buffer, at: number): number | null {
  const count = body.readUInt32BE(at);
  return count === ALL_ONES ? null : count;
}

/** Records of one size. @throws HostError EBADMSG when they do not come out even */
export function* evenRecords(body: Buffer, bytes: number): Generator<Buffer> {
  if (body.length % bytes !== 0) throw malformed(`${body.length} bytes of records of ${bytes}`);
  for (let at = 0; at < body.length; at += bytes) yield body.subarray(at, at + bytes);
}

/**
 * Records that carry their own length, each beginning on a multiple of 8 bytes.
 * @param lengthAt where in a record its length of 16 bits stands
 * @param leastBytes of the shortest record
 * @throws HostError EBADMSG for a length that is too small or beyond the end
 */
export function* sizedRecords(body: Buffer, lengthAt: number, leastBytes: number): Generator<Buffer> {
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    const length = left < leastBytes ? 0 : body.readUInt16BE(at + lengthAt);
    if (length < leastBytes || length > left) throw malformed(`a record of ${length} bytes where ${left} are left`);
    yield body.subarray(at, at + length);
    at += Math.ceil(length / 8) * 8;
  }
}
