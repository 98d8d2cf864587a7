import { known } from '../../../model/known.js';
import type { Disk, DiskNumber } from '../answer.js';
import { type Fields, fieldsIn, fieldsOf, sumOf, textOf } from '../json-fields.js';

const NAME_LIMIT = 256;
const FILE_LIMIT = 1024;
const FORMAT_LIMIT = 32;

/** Member of BlockDeviceStats (qapi/block-core.json) → word of the house. Times are nanoseconds. */
const STATISTICS: readonly (readonly [string, DiskNumber])[] = [
  ['rd_bytes', 'readBytes'],
  ['wr_bytes', 'writtenBytes'],
  ['unmap_bytes', 'discardedBytes'],
  ['rd_operations', 'reads'],
  ['wr_operations', 'writes'],
  ['flush_operations', 'flushes'],
  ['unmap_operations', 'discards'],
  ['rd_total_time_ns', 'readNanoseconds'],
  ['wr_total_time_ns', 'writeNanoseconds'],
  ['flush_total_time_ns', 'flushNanoseconds'],
  ['rd_merged', 'mergedReads'],
  ['wr_merged', 'mergedWrites'],
  ['failed_rd_operations', 'failedReads'],
  ['failed_wr_operations', 'failedWrites'],
  ['failed_flush_operations', 'failedFlushes'],
  ['invalid_rd_operations', 'invalidReads'],
  ['invalid_wr_operations', 'invalidWrites'],
  ['invalid_flush_operations', 'invalidFlushes'],
  ['wr_highest_offset', 'highestOffsetBytes'],
];

/** Member of BlockDeviceInfo → word; 0 is no limit. */
const LIMITS: readonly (readonly [string, DiskNumber])[] = [
  ['bps', 'limitBytesPerSecond'],
  ['bps_rd', 'limitReadBytesPerSecond'],
  ['bps_wr', 'limitWriteBytesPerSecond'],
  ['iops', 'limitOperationsPerSecond'],
  ['iops_rd', 'limitReadsPerSecond'],
  ['iops_wr', 'limitWritesPerSecond'],
];

type Numbers = Disk['numbers'];

/** What query-block tells of a device: its medium, its size, its limits. */
export type Medium = Pick<Disk, 'file' | 'format' | 'readOnly' | 'numbers'>;

/** By `keyOf`. */
export function parseBlock(value: unknown): ReadonlyMap<string, Medium> | undefined {
  if (!Array.isArray(value)) return undefined;
  return new Map(fieldsIn(value).map((device) => [keyOf(device), mediumOf(fieldsOf(device.inserted) ?? {})]));
}

function mediumOf(inserted: Fields): Medium {
  const image = fieldsOf(inserted.image) ?? {};
  return known<Medium>({
    file: fileOf(inserted.file),
    format: textOf(inserted.drv, FORMAT_LIMIT),
    readOnly: typeof inserted.ro === 'boolean' ? inserted.ro : undefined,
    numbers: {
      ...pick(inserted, LIMITS, (value) => value > 0),
      ...pick(
        image,
        [
          ['virtual-size', 'capacityBytes'],
          ['actual-size', 'allocatedBytes'],
        ],
        () => true,
      ),
    },
  });
}

/** A path only: the URLs and the JSON that stand here for network disks may carry passwords. */
const fileOf = (file: unknown): string | undefined =>
  typeof file === 'string' && !/^[a-z][a-z0-9+.-]*:/i.test(file) ? textOf(file, FILE_LIMIT) : undefined;

/** Of query-blockstats: the devices of the guest, one row each. Of `parent` and `backing` nothing: they are layers below, not disks. */
export function parseBlockStatistics(value: unknown, media: ReadonlyMap<string, Medium>): readonly Disk[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const taken = new Set<string>();
  return fieldsIn(value).flatMap((device) => {
    const name = namesOf(device).find((candidate) => !taken.has(candidate));
    const statistics = fieldsOf(device.stats);
    if (name === undefined || !statistics) return [];
    taken.add(name);
    const medium = media.get(keyOf(device));
    return [{ ...medium, device: name, numbers: { ...medium?.numbers, ...pick(statistics, STATISTICS, () => true) } }];
  });
}

/** Both commands name a device by the same two words; `device` is empty with `-blockdev`, `qdev` missing for a drive without a device. */
export const keyOf = ({ qdev, device }: Fields): string => JSON.stringify([qdev, device]);

/**
 * The id given to `-device` where there is one, else the drive's name or that of a node that somebody named, else the path in the device tree,
 * which moves when a device comes before it. QEMU's own names for nodes begin with `#` and change with each start.
 */
function namesOf(device: Fields): readonly string[] {
  const qdev = textOf(device.qdev, NAME_LIMIT);
  const id = qdev === undefined ? undefined : /^\/machine\/peripheral\/([^/]+)(\/virtio-backend)?$/.exec(qdev)?.[1];
  const node = textOf(device['node-name'], NAME_LIMIT);
  const named = node?.startsWith('#') ? undefined : node;
  return [id, textOf(device.device, NAME_LIMIT), named, qdev, node].filter((name) => name !== undefined);
}

function pick(fields: Fields, words: readonly (readonly [string, DiskNumber])[], isTold: (value: number) => boolean): Numbers {
  const numbers: Partial<Record<DiskNumber, number>> = {};
  for (const [member, word] of words) {
    const value = sumOf(fields[member]);
    if (value !== undefined && isTold(value)) numbers[word] = value;
  }
  return numbers;
}
