import { oneLine } from '../../model/labels.js';
import type { Disk } from './answer.js';
import { DISK_METRICS } from './disk-metrics.js';
import { partsOf } from './parts-topic.js';

/** Longer paths and formats are cut: they become labels. */
const WORD_LIMIT = 512;

/** What the guest asked of each of its disks, by the VMM's count. */
export class DisksCollector extends partsOf({
  about: {
    name: 'disks',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: bytes, requests, time, errors, limits and sizes of each disk',
    enabled: true,
  },
  part: 'disks',
  metrics: DISK_METRICS,
  droppedAt: 'vmm.dropped.disks',
  of: ({ disks }) => disks,
  words: ({ file, format, readOnly }: Disk) => ({
    ...(file === undefined ? {} : { file: oneLine(file, WORD_LIMIT) }),
    ...(format === undefined ? {} : { format: oneLine(format, WORD_LIMIT) }),
    ...(readOnly === undefined ? {} : { readOnly }),
  }),
}) {}
