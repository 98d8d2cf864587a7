import { Injectable } from '@nestjs/common';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { parseStatus } from './status.js';

const bytes = (word: string, help: string) =>
  metric({ json: `memory.${word}_bytes`, family: gauge({ name: `vmgauge_vm_memory_${word}_bytes`, help, unit: 'bytes' }) });

const METRICS = {
  resident: bytes(
    'resident',
    'Resident memory of the VMM process including hugetlbfs: anonymous + file + shared + hugetlb, from one reading.',
  ),
  anon: bytes('anon', 'Resident anonymous memory: guest memory without a file behind it, and the heap of the VMM.'),
  file: bytes('file', 'Resident file mappings: the VMM binary and its libraries, guest memory backed by a file.'),
  shmem: bytes('shmem', 'Resident shared memory: guest memory on memfd or tmpfs.'),
  hugetlb: bytes('hugetlb', 'Memory on hugetlbfs, which no resident set size includes.'),
  swap: bytes('swap', 'Anonymous memory of the VMM process that the host swapped out.'),
  peak: bytes('peak_rss', 'Largest resident set the VMM process ever had.'),
  pageTables: bytes('page_tables', 'Page tables of the VMM process.'),
  locked: bytes('locked', 'Memory locked by mlock; pinned pages of passed-through devices are not all among it.'),
};

const text = Buffer.allocUnsafeSlow(16_384);

/** /proc/<pid>/status, proc_pid_status(5): KiB by kind. The kernel needs 7 µs to print it, as much as all other files together. */
@Injectable()
export class MemoryDetailCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'memory_detail',
    tier: 'slow',
    reads: '`/proc/<pid>/status`: resident memory by kind, hugetlbfs, swap, peak',
    enabled: true,
  };
  readonly about = MemoryDetailCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    let status: ReturnType<typeof parseStatus>;
    try {
      status = parseStatus(text.toString('latin1', 0, process.readOnce('status', text)));
    } catch (error) {
      return outcomeOfErrno(error);
    }
    if (!status) return Outcome.malformed;
    const c = this.columns;
    c.anon.back[row] = status.anonBytes;
    c.file.back[row] = status.fileBytes;
    c.shmem.back[row] = status.shmemBytes;
    c.hugetlb.back[row] = status.hugetlbBytes;
    c.resident.back[row] = status.anonBytes + status.fileBytes + status.shmemBytes + status.hugetlbBytes;
    c.swap.back[row] = status.swapBytes;
    c.peak.back[row] = status.peakResidentBytes;
    c.pageTables.back[row] = status.pageTableBytes;
    c.locked.back[row] = status.lockedBytes;
    return Outcome.ok;
  }
}
