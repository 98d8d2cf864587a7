import { gauge, type Metric, metric } from '../../model/metric.js';
import { isTold, MIGRATION_STATES } from './answer.js';
import { numbersOf } from './numbers-topic.js';

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
export class MigrationCollector extends numbersOf({
  about: {
    name: 'migration',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: state and progress of a live migration',
    enabled: true,
  },
  metrics: { state: STATE, ...PROGRESS },
  of: ({ migration }) => (isTold(migration) ? { ...migration, state: MIGRATION_STATES.indexOf(migration.state) } : migration),
}) {}
