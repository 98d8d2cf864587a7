import type { DiskNumber, VmmExits, VnicNumber } from './answer.js';
import { countOf, type Fields, fieldsOf } from './json-fields.js';

const NANOSECONDS = 1000;

export type Numbers<Word extends string> = Partial<Record<Word, number>>;
/** What a line says, by path below its group, and what one of it is worth. Several are added up. */
export type Rules<Word extends string> = readonly (readonly [word: Word, path: string, scale?: number])[];

/** Since the last line: devices/virtio/block/virtio/metrics.rs. */
export const DISK_DELTAS: Rules<DiskNumber> = [
  ['readBytes', 'read_bytes'],
  ['writtenBytes', 'write_bytes'],
  ['reads', 'read_count'],
  ['writes', 'write_count'],
  ['flushes', 'flush_count'],
  ['readNanoseconds', 'read_agg.sum_us', NANOSECONDS],
  ['writeNanoseconds', 'write_agg.sum_us', NANOSECONDS],
  ['failedRequests', 'execute_fails'],
  ['invalidRequests', 'invalid_reqs_count'],
  ['throttledRequests', 'rate_limiter_throttled_events'],
  ['queueFullEvents', 'io_engine_throttled_events'],
  // A running sum of the queue's length at each request, and so a counter, whatever its name says.
  ['remainingRequests', 'remaining_reqs_count'],
];
/** Since the VMM began; 0 before the first request. */
export const DISK_STORED: Rules<DiskNumber> = [
  ['lifetimeReadLatencyMinMicroseconds', 'read_agg.min_us'],
  ['lifetimeReadLatencyMaxMicroseconds', 'read_agg.max_us'],
  ['lifetimeWriteLatencyMinMicroseconds', 'write_agg.min_us'],
  ['lifetimeWriteLatencyMaxMicroseconds', 'write_agg.max_us'],
];
/** devices/virtio/net/metrics.rs. Bytes as the VMM counts them: 12 of virtio's header in each frame, answers of its MMDS among the received. */
export const VNIC_DELTAS: Rules<VnicNumber> = [
  ['receivedBytes', 'rx_bytes_count'],
  ['receivedFrames', 'rx_packets_count'],
  ['receiveFailures', 'rx_fails'],
  ['receiveFailures', 'tap_read_fails'],
  ['receiveThrottled', 'rx_rate_limiter_throttled'],
  ['receiveNoBuffer', 'no_rx_avail_buffer'],
  ['transmittedBytes', 'tx_bytes_count'],
  ['transmittedFrames', 'tx_packets_count'],
  ['transmitFailures', 'tx_fails'],
  ['transmitFailures', 'tap_write_fails'],
  ['transmitThrottled', 'tx_rate_limiter_throttled'],
  ['malformedFrames', 'tx_malformed_frames'],
  ['spoofedMacFrames', 'tx_spoofed_mac_count'],
];
export const EXIT_DELTAS: Rules<keyof VmmExits> = [
  ['ioIn', 'exit_io_in'],
  ['ioOut', 'exit_io_out'],
  ['mmioRead', 'exit_mmio_read'],
  ['mmioWrite', 'exit_mmio_write'],
  ['failures', 'failures'],
];
export const BALLOON_DELTAS: Rules<'inflations' | 'deflations'> = [
  ['inflations', 'inflate_count'],
  ['deflations', 'deflate_count'],
];
/** Adds what a group of a line says. */
export function addTo<Word extends string>(numbers: Numbers<Word>, rules: Rules<Word>, group: Fields | undefined): void {
  if (!group) return;
  for (const [word, path, scale = 1] of rules) {
    const delta = at(group, path);
    if (delta === undefined) continue;
    const before: number | undefined = numbers[word];
    numbers[word] = before === undefined ? delta * scale : before + delta * scale;
  }
}

/** The number at a path of a group, where it is one. */
export function at(group: Fields, path: string): number | undefined {
  const [name, member] = path.split('.');
  return countOf(member === undefined ? group[name] : fieldsOf(group[name])?.[member]);
}
