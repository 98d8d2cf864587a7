import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, CollectorClass, Subject } from '../../model/collector.js';
import type { Metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { PartRows } from '../../model/part-rows.js';
import type { Part } from '../../model/parts.js';
import { type PartWords, Tables } from '../../model/tables.js';
import { isTold, type Told, type VmmAnswer } from './answer.js';
import { VmmAsker } from './asker.js';
import { droppedParts } from './dropped-parts.js';
import { hasAnswered, TopicCells, topic } from './topics.js';

/** A device as a VMM tells of it. */
export interface ToldPart<Word extends string> {
  readonly device: string;
  readonly numbers: Readonly<Partial<Record<Word, number>>>;
}

/** Devices of one kind, each with numbers under the words of its metrics. */
export interface PartsTopic<Word extends string, T extends ToldPart<Word>> {
  readonly about: CollectorAbout;
  readonly part: Part;
  readonly metrics: Readonly<Record<Word, Metric>>;
  /** Where the document says how many of them got no row. */
  readonly droppedAt: string;
  of(answer: VmmAnswer): Told<readonly T[]>;
  /** What is known of one in words, where that is anything. */
  words?(part: T): PartWords;
}

export type PartsCollector = CollectorClass & (new (tables: Tables, host: Host, asker?: VmmAsker) => Collector);

/** A collector that keeps a row for each device that the last answer tells of: to be given a name by `extends`. */
export function partsOf<Word extends string, T extends ToldPart<Word>>(kind: PartsTopic<Word, T>): PartsCollector {
  const { about, part, metrics, droppedAt, of, words } = kind;
  const DROPPED = { dropped: droppedParts(part, droppedAt) };

  @Injectable()
  class Parts implements Collector {
    static readonly about = about;
    readonly about = about;
    readonly metrics = Object.values(DROPPED);
    readonly partMetrics;
    private readonly columns;
    private readonly cells;
    private readonly rows;
    /** Answers that are in the tables already. */
    private readonly shown = new WeakMap<Subject, readonly T[]>();

    constructor(
      private readonly tables: Tables,
      _host: Host,
      @Optional() private readonly asker?: VmmAsker,
    ) {
      this.columns = tables.instances.columnsOf(DROPPED);
      this.cells = new TopicCells(tables[part], metrics);
      this.rows = new PartRows(tables[part], this.cells.columns);
      this.partMetrics = { [part]: this.cells.metrics };
    }

    concerns(subject: Subject): boolean {
      return hasAnswered(this.asker, subject);
    }

    collect(subject: Subject): Outcome {
      const parts = topic(this.asker, subject, of);
      if (!isTold(parts)) return parts;
      if (this.shown.get(subject) === parts) return Outcome.ok;
      this.shown.set(subject, parts);
      this.columns.dropped.back[subject.row] = this.rows.update(
        subject,
        parts,
        ({ device }) => device,
        (row, one) => this.put(row, one),
      );
      return Outcome.ok;
    }

    clear(subject: Subject): void {
      this.shown.delete(subject);
      this.rows.clear(subject);
    }

    detach(subject: Subject): void {
      this.clear(subject);
    }

    private put(row: number, one: T): void {
      this.cells.put(row, one.numbers);
      const key = this.tables[part].key(row);
      const said = words?.(one);
      if (key && said && !isSame(key.words, said)) key.words = said;
    }
  }
  return Parts;
}

const isSame = (one: PartWords | undefined, other: PartWords): boolean =>
  one !== undefined && one.file === other.file && one.format === other.format && one.readOnly === other.readOnly;
