import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { oneLine } from '../../model/labels.js';
import { Outcome } from '../../model/outcome.js';
import { type PartWords, Tables } from '../../model/tables.js';
import { type Disk, isTold } from './answer.js';
import { VmmAsker } from './asker.js';
import { DISK_METRICS } from './disk-metrics.js';
import { droppedParts, PartRows } from './part-rows.js';
import { hasAnswered, TopicCells, topic } from './topics.js';

const METRICS = { dropped: droppedParts('disks', 'vmm.dropped.disks') };
/** Longer paths and formats are cut: they become labels. */
const WORD_LIMIT = 512;

/** What the guest asked of each of its disks, by the VMM's count. */
@Injectable()
export class DisksCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'disks',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: bytes, requests, time, errors, limits and sizes of each disk',
    enabled: true,
  };
  readonly about = DisksCollector.about;
  readonly metrics = Object.values(METRICS);
  readonly partMetrics;
  private readonly columns;
  private readonly cells;
  private readonly rows;
  /** Answers that are in the tables already. */
  private readonly shown = new WeakMap<Subject, readonly Disk[]>();

  constructor(
    private readonly tables: Tables,
    _host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.cells = new TopicCells(tables.disks, DISK_METRICS);
    this.rows = new PartRows(tables.disks, this.cells.columns);
    this.partMetrics = { disks: this.cells.metrics };
  }

  concerns(subject: Subject): boolean {
    return hasAnswered(this.asker, subject);
  }

  collect(subject: Subject): Outcome {
    const disks = topic(this.asker, subject, ({ disks }) => disks);
    if (!isTold(disks)) return disks;
    if (this.shown.get(subject) === disks) return Outcome.ok;
    this.shown.set(subject, disks);
    const dropped = this.rows.update(subject, disks, nameOf, (row, disk) => {
      this.cells.put(row, disk.numbers);
      this.describe(row, disk);
    });
    this.columns.dropped.back[subject.row] = dropped;
    return Outcome.ok;
  }

  clear(subject: Subject): void {
    this.shown.delete(subject);
    this.rows.clear(subject);
  }

  detach(subject: Subject): void {
    this.clear(subject);
  }

  private describe(row: number, disk: Disk): void {
    const key = this.tables.disks.key(row);
    const words = wordsOf(disk);
    if (key && !isSame(key.words, words)) key.words = words;
  }
}

const nameOf = ({ device }: Disk): string => device;

const wordsOf = ({ file, format, readOnly }: Disk): PartWords => ({
  ...(file === undefined ? {} : { file: oneLine(file, WORD_LIMIT) }),
  ...(format === undefined ? {} : { format: oneLine(format, WORD_LIMIT) }),
  ...(readOnly === undefined ? {} : { readOnly }),
});

const isSame = (one: PartWords | undefined, other: PartWords): boolean =>
  one !== undefined && one.file === other.file && one.format === other.format && one.readOnly === other.readOnly;
