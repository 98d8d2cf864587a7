import { known } from '../../../model/known.js';
import { MIGRATION_STATES, type Migration, type MigrationState } from '../answer.js';
import { countOf, fieldsOf } from '../json-fields.js';

const BYTES_PER_MEGABIT = 125_000;

const isState = (text: string): text is MigrationState => MIGRATION_STATES.some((word) => word === text);

/** Of query-migrate; an empty reply says that there never was a migration. Times are milliseconds, `mbps` megabits a second. */
export function parseMigration(value: unknown): Migration | undefined {
  const info = fieldsOf(value);
  if (!info) return undefined;
  const ram = fieldsOf(info.ram) ?? {};
  const [dirtyPages, pageBytes] = [countOf(ram['dirty-pages-rate']), countOf(ram['page-size'])];
  return known<Migration>({
    state: stateOf(info.status),
    totalBytes: countOf(ram.total),
    transferredBytes: countOf(ram.transferred),
    remainingBytes: countOf(ram.remaining),
    dirtyBytesPerSecond: dirtyPages === undefined || pageBytes === undefined ? undefined : countOf(dirtyPages * pageBytes),
    sentBytesPerSecond:
      typeof ram.mbps === 'number' && ram.mbps >= 0 && ram.mbps < 1e9 ? Math.round(ram.mbps * BYTES_PER_MEGABIT) : undefined,
    iterations: countOf(ram['dirty-sync-count']),
    elapsedMilliseconds: countOf(info['total-time']),
    downtimeMilliseconds: countOf(info.downtime),
    expectedDowntimeMilliseconds: countOf(info['expected-downtime']),
  });
}

function stateOf(status: unknown): MigrationState {
  if (status === undefined) return 'none';
  if (typeof status !== 'string') return 'other';
  // StratoVirt spells it as American English does.
  const word = status.toLowerCase() === 'canceled' ? 'cancelled' : status.toLowerCase();
  return isState(word) ? word : 'other';
}
