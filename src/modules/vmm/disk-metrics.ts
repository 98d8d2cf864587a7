import { counter, gauge, type Metric, metric } from '../../model/metric.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';
import type { DiskNumber } from './answer.js';

const NANOSECOND_DECIMALS = 9;
const identity = 'disk';

const bytes = (json: string, help: string): Metric =>
  metric({ json: `${json}_bytes`, family: counter({ name: `vmgauge_vm_disk_${json}_bytes_total`, help, unit: 'bytes', identity }) });
const count = (json: string, help: string): Metric =>
  metric({ json, family: counter({ name: `vmgauge_vm_disk_${json}_total`, help, identity }) });
const time = (json: string, help: string): Metric =>
  metric({
    json: `${json}_seconds`,
    decimals: NANOSECOND_DECIMALS,
    family: counter({ name: `vmgauge_vm_disk_${json}_seconds_total`, help, unit: 'seconds', identity }),
  });
const size = (json: string, help: string): Metric =>
  metric({ json: `${json}_bytes`, family: gauge({ name: `vmgauge_vm_disk_${json}_bytes`, help, unit: 'bytes', identity }) });

const latency = (operation: 'read' | 'write') => {
  const family = gauge({
    name: `vmgauge_vm_disk_lifetime_${operation}_latency_seconds`,
    help: `How long a ${operation} took at least, on average and at most since the VMM began: what is slow now does not show in it.`,
    unit: 'seconds',
    identity,
  });
  return (statistic: string, words: string): Metric =>
    metric({
      json: `lifetime_${operation}_latency_${statistic}_seconds`,
      description: `How long a ${operation} took ${words} since the VMM began.`,
      decimals: MICROSECOND_DECIMALS,
      family,
      labels: { statistic },
    });
};
const readLatency = latency('read');
const writeLatency = latency('write');

const limit = (unit: 'bytes' | 'operations') => {
  const family = gauge({
    name: `vmgauge_vm_disk_limit_${unit}_per_second`,
    help: `How many ${unit} a second the VMM allows, of all requests together or of one kind; no sample where there is no limit.`,
    identity,
  });
  return (json: string, operation: 'all' | 'read' | 'write'): Metric =>
    metric({
      json,
      description: `How many ${unit} a second the VMM allows of ${operation === 'all' ? 'all requests together' : `each ${operation}`}; null where there is no limit.`,
      family,
      labels: { operation },
    });
};
const byteLimit = limit('bytes');
const operationLimit = limit('operations');

/** Of each disk as the VMM counts it, which is what the guest asked of it: `/proc/<pid>/io` holds much else. */
export const DISK_METRICS: Readonly<Record<DiskNumber, Metric>> = {
  readBytes: bytes('read', 'Bytes the guest read from the disk.'),
  writtenBytes: bytes('written', 'Bytes the guest wrote to the disk.'),
  discardedBytes: bytes('discarded', 'Bytes of the disk the guest said it no longer needs.'),
  reads: count('reads', 'Reads the disk finished.'),
  writes: count('writes', 'Writes the disk finished.'),
  flushes: count('flushes', 'Flushes the disk finished.'),
  discards: count('discards', 'Discards the disk finished.'),
  readNanoseconds: time('read', 'Time reads took, those under way at once added up.'),
  writeNanoseconds: time('write', 'Time writes took, those under way at once added up.'),
  flushNanoseconds: time('flush', 'Time flushes took, those under way at once added up.'),
  mergedReads: count('merged_reads', 'Reads that the VMM made part of another one.'),
  mergedWrites: count('merged_writes', 'Writes that the VMM made part of another one.'),
  failedReads: count('failed_reads', 'Reads that ended in an error.'),
  failedWrites: count('failed_writes', 'Writes that ended in an error.'),
  failedFlushes: count('failed_flushes', 'Flushes that ended in an error.'),
  invalidReads: count('invalid_reads', 'Reads that the guest asked for and that cannot be.'),
  invalidWrites: count('invalid_writes', 'Writes that the guest asked for and that cannot be.'),
  invalidFlushes: count('invalid_flushes', 'Flushes that the guest asked for and that cannot be.'),
  failedRequests: count('failed_requests', 'Requests of any kind that ended in an error, where the VMM does not tell the kind.'),
  invalidRequests: count('invalid_requests', 'Requests of any kind that cannot be, where the VMM does not tell the kind.'),
  throttledRequests: count('throttled_requests', 'Times the VMM’s own limit held a request back.'),
  queueFullEvents: count('queue_full_events', 'Times the VMM’s own queue to the host had no room for a request.'),
  remainingRequests: count(
    'remaining_requests',
    'Requests that were left in the queue each time the VMM turned to something else, added up.',
  ),
  lifetimeReadLatencyMinMicroseconds: readLatency('min', 'at least'),
  lifetimeReadLatencyAverageMicroseconds: readLatency('average', 'on average'),
  lifetimeReadLatencyMaxMicroseconds: readLatency('max', 'at most'),
  lifetimeWriteLatencyMinMicroseconds: writeLatency('min', 'at least'),
  lifetimeWriteLatencyAverageMicroseconds: writeLatency('average', 'on average'),
  lifetimeWriteLatencyMaxMicroseconds: writeLatency('max', 'at most'),
  capacityBytes: size('capacity', 'Size of the disk as the guest sees it.'),
  allocatedBytes: size('allocated', 'What the image of the disk takes on the host.'),
  highestOffsetBytes: size('highest_offset', 'End of the furthest write since the VMM began.'),
  limitBytesPerSecond: byteLimit('limit_bytes_per_second', 'all'),
  limitReadBytesPerSecond: byteLimit('limit_read_bytes_per_second', 'read'),
  limitWriteBytesPerSecond: byteLimit('limit_write_bytes_per_second', 'write'),
  limitOperationsPerSecond: operationLimit('limit_operations_per_second', 'all'),
  limitReadsPerSecond: operationLimit('limit_reads_per_second', 'read'),
  limitWritesPerSecond: operationLimit('limit_writes_per_second', 'write'),
};
