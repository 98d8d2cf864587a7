import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, CollectorClass, Subject } from '../../model/collector.js';
import type { Metric } from '../../model/metric.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isTold, type Told, type VmmAnswer } from './answer.js';
import { VmmAsker } from './asker.js';
import { hasAnswered, TopicCells, topic } from './topics.js';

/** Numbers of one instance under the words of its metrics. */
export interface NumbersTopic<Word extends string> {
  readonly about: CollectorAbout;
  readonly metrics: Readonly<Record<Word, Metric>>;
  /** What the last answer says of it, or why nothing; asked in every sweep, so that an age can grow. */
  of(answer: VmmAnswer, host: Host): Told<Readonly<Partial<Record<Word, number>>>>;
}

export type NumbersCollector = CollectorClass & (new (tables: Tables, host: Host, asker?: VmmAsker) => Collector);

/** A collector that copies numbers of the last answer into columns of the instance table: to be given a name by `extends`. */
export function numbersOf<Word extends string>({ about, metrics, of }: NumbersTopic<Word>): NumbersCollector {
  @Injectable()
  class Numbers implements Collector {
    static readonly about = about;
    readonly about = about;
    readonly metrics;
    private readonly cells;

    constructor(
      tables: Tables,
      private readonly host: Host,
      @Optional() private readonly asker?: VmmAsker,
    ) {
      this.cells = new TopicCells(tables.instances, metrics);
      this.metrics = this.cells.metrics;
    }

    concerns(subject: Subject): boolean {
      return hasAnswered(this.asker, subject);
    }

    collect(subject: Subject): Outcome {
      const said = topic(this.asker, subject, (answer) => of(answer, this.host));
      return isTold(said) ? this.cells.put(subject.row, said) : said;
    }
  }
  return Numbers;
}
