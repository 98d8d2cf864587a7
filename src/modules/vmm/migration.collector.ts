import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isTold, MIGRATION_STATES } from './answer.js';
import { VmmAsker } from './asker.js';
import { hasAnswered, TopicCells, topic } from './topics.js';

const MILLISECOND_DECIMALS = 3;

const STATE = metric({
  json: 'migration.state',
  words: { label: 'state', list: MIGRATION_STATES },
  family: gauge({
    name: 'vmgauge_vm_migration_state',
    help: 'Always 1 for how the last migration of the VM goes or went; none where there never was one. The other states have no sample.',
  }),
});

const size = (word: string, help: string): Metric =>
  metric({ json: `migration.${word}_bytes`, family: gauge({ name: `vmgauge_vm_migration_${word}_bytes`, help, unit: 'bytes' }) });
const plain = (word: string, help: string): Metric =>
  metric({ json: `migration.${word}`, family: gauge({ name: `vmgauge_vm_migration_${word}`, help }) });
const time = (word: string, help: string): Metric =>
  metric({
    json: `migration.${word}_seconds`,
    decimals: MILLISECOND_DECIMALS,
    family: gauge({ name: `vmgauge_vm_migration_${word}_seconds`, help, unit: 'seconds' }),
  });

/** Progress of one migration: all of it begins anew with the next, so nothing here is a counter. */
const PROGRESS = {
  totalBytes: size('total', 'Memory of the VM that the migration has to move.'),
  transferredBytes: size('transferred', 'Bytes the migration has sent, pages that were sent again included.'),
  remainingBytes: size('remaining', 'Memory of the VM that the migration has still to send.'),
  dirtyBytesPerSecond: plain(
    'dirty_bytes_per_second',
    'How fast the guest changes memory; a migration that sends more slowly does not end.',
  ),
  sentBytesPerSecond: plain('sent_bytes_per_second', 'How fast the migration sends.'),
  iterations: plain('iterations', 'How often the migration went through the memory that changed.'),
  elapsedMilliseconds: time('elapsed', 'Time since the migration began, or that it took.'),
  downtimeMilliseconds: time('downtime', 'How long the guest stood still for the migration.'),
  expectedDowntimeMilliseconds: time('expected_downtime', 'How long the guest would have to stand still if the migration ended now.'),
};

/** How a live migration goes, as its outgoing side tells. */
@Injectable()
export class MigrationCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'migration',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: state and progress of a live migration',
    enabled: true,
  };
  readonly about = MigrationCollector.about;
  readonly metrics;
  private readonly state;
  private readonly progress;

  constructor(
    tables: Tables,
    _host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.state = tables.instances.column(STATE);
    this.progress = new TopicCells(tables.instances, PROGRESS);
    this.metrics = [STATE, ...this.progress.metrics];
  }

  concerns(subject: Subject): boolean {
    return hasAnswered(this.asker, subject);
  }

  collect(subject: Subject): Outcome {
    const migration = topic(this.asker, subject, ({ migration }) => migration);
    if (!isTold(migration)) return migration;
    this.state.back[subject.row] = MIGRATION_STATES.indexOf(migration.state);
    this.progress.put(subject.row, migration);
    return Outcome.ok;
  }
}
