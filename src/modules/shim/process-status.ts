import type { Subject } from '../../model/collector.js';
import { gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import type { Tables } from '../../model/tables.js';
import { parseStatusLines, STATUS_LENGTH, Status } from '../procfs/status.js';
import type { Role } from './roles.js';

/** Kata's item, our word, what it is; by slot of `Status`. */
const ITEMS = [
  ['vmpeak', 'virtual_peak_bytes', 'Largest address space so far.'],
  ['vmsize', 'virtual_bytes', 'Address space.'],
  ['vmlck', 'locked_bytes', 'Memory locked by mlock.'],
  ['vmpin', 'pinned_bytes', 'Memory whose pages cannot move because something has direct access to them.'],
  ['vmhwm', 'peak_rss_bytes', 'Largest resident set so far.'],
  ['vmrss', 'rss_bytes', 'Resident set: anonymous + file + shared.'],
  ['rssanon', 'anon_bytes', 'Resident anonymous memory.'],
  ['rssfile', 'file_bytes', 'Resident file mappings.'],
  ['rssshmem', 'shmem_bytes', 'Resident shared memory; guest RAM on memfd or tmpfs is in it for every process that maps it.'],
  ['vmdata', 'data_bytes', 'Private writable mappings.'],
  ['vmstk', 'stack_bytes', 'Stack of the main thread.'],
  ['vmexe', 'executable_bytes', 'Code of the program.'],
  ['vmlib', 'library_bytes', 'Code of its libraries.'],
  ['vmpte', 'page_tables_bytes', 'Page tables.'],
  ['vmpmd', 'pmd_bytes', 'Page tables of the second level; null since Linux 4.15, which counts them with the others.'],
  ['vmswap', 'swap_bytes', 'Anonymous memory that is swapped out.'],
  ['hugetlbpages', 'hugetlb_bytes', 'Memory on hugetlbfs, which no resident set size includes.'],
  ['voluntary_ctxt_switches', 'voluntary_switches', 'Voluntary context switches of the main thread alone.'],
  ['nonvoluntary_ctxt_switches', 'involuntary_switches', 'Involuntary context switches of the main thread alone.'],
] as const;

function metricsOf({ prefix, place, help }: Role): Metric[] {
  const family = gauge({ name: `${prefix}_proc_status`, help: help.status, identity: 'sandbox' });
  return ITEMS.map(([item, word, description], slot) =>
    metric({
      json: `${place}.status.${word}`,
      description,
      also: [{ family, labels: { item }, ...(slot < Status.voluntarySwitches ? { kib: true } : {}) }],
    }),
  );
}

const text = Buffer.allocUnsafeSlow(16_384);

/** Reads and parses /proc/<pid>/status into the slots of `Status`. */
export function readStatus(process: Pick<HeldProcess, 'readOnce'>, out: Float64Array): Outcome {
  try {
    return parseStatusLines(text, process.readOnce('status', text), out) ? Outcome.ok : Outcome.malformed;
  } catch (error) {
    return outcomeOfErrno(error);
  }
}

const values = new Float64Array(STATUS_LENGTH);

/** /proc/<pid>/status of one role, in cells of the sandbox table; 7 µs in the kernel. */
export class ProcessStatus {
  readonly metrics: readonly Metric[];
  private readonly columns;

  constructor(
    tables: Tables,
    private readonly role: Role,
  ) {
    this.metrics = metricsOf(role);
    this.columns = this.metrics.map((item) => tables.sandboxes.column(item));
  }

  collect(subject: Subject): Outcome {
    const process = this.role.process(subject);
    if (!process) return Outcome.gone;
    const outcome = readStatus(process, values);
    if (outcome !== Outcome.ok) return outcome;
    for (let slot = 0; slot < STATUS_LENGTH; slot++) this.columns[slot].back[subject.sandboxRow] = values[slot];
    return Outcome.ok;
  }
}
