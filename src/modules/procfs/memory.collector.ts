import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { allocatedMemory, type Collector, type CollectorAbout, type Subject } from '../../model/collector.js';
import { FLOAT, gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { parseNumberLine } from './numbers.js';

const METRICS = {
  rss: metric({
    json: 'memory_rss_bytes',
    alias: 'memory.rss_bytes',
    description: 'Resident pages of the VMM process as statm counts them; pages on hugetlbfs are not among them.',
    family: gauge({
      name: 'hypeman_vm_memory_rss_bytes',
      help: 'Resident Set Size (physical memory)',
      unit: 'bytes',
      identity: 'id_and_name',
    }),
    also: [
      {
        family: gauge({
          name: 'vmgauge_vm_memory_rss_bytes',
          help: 'Resident pages of the VMM process (statm). Includes the VMM itself, excludes pages on hugetlbfs.',
          unit: 'bytes',
        }),
      },
    ],
  }),
  virtual: metric({
    json: 'memory_vms_bytes',
    alias: 'memory.virtual_bytes',
    description: 'Address space of the VMM process.',
    family: gauge({ name: 'hypeman_vm_memory_vms_bytes', help: 'Virtual Memory Size', unit: 'bytes', identity: 'id_and_name' }),
    also: [
      {
        family: gauge({
          name: 'vmgauge_vm_memory_virtual_bytes',
          help: 'Address space of the VMM process; says nothing about memory in use.',
          unit: 'bytes',
        }),
      },
    ],
  }),
  shared: metric({
    json: 'memory.shared_bytes',
    family: gauge({
      name: 'vmgauge_vm_memory_shared_bytes',
      help: 'Resident pages that are file or shared memory: guest memory on memfd is among them.',
      unit: 'bytes',
    }),
  }),
  ratio: metric({
    json: 'memory_utilization_ratio',
    description: 'Resident over allocated memory. Can pass 1 (VMM overhead) and ignores guest memory on hugetlbfs.',
    decimals: FLOAT,
    family: gauge({
      name: 'hypeman_vm_memory_utilization_ratio',
      help: 'RSS / allocated memory',
      unit: 'ratio',
      identity: 'id_and_name',
    }),
  }),
};

const line = Buffer.allocUnsafeSlow(256);
const pages = new Float64Array(3);

/** /proc/<pid>/statm, proc_pid_statm(5): size, resident, shared in pages. */
@Injectable()
export class MemoryCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'memory',
    tier: 'sweep',
    reads: '`/proc/<pid>/statm`: resident, shared and virtual size',
    enabled: true,
  };
  readonly about = MemoryCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly pageBytes: number;

  constructor(tables: Tables, host: Host) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.pageBytes = host.pageBytes;
  }

  collect(subject: Subject): Outcome {
    const { row, process } = subject;
    if (!process) return Outcome.gone;
    try {
      if (!parseNumberLine(line, process.read('statm', line), pages, 3)) return Outcome.malformed;
    } catch (error) {
      return outcomeOfErrno(error);
    }
    // No process that runs is of size 0: it began to end since `stat` was read.
    if (pages[0] === 0) return Outcome.gone;
    const { rss, virtual, shared, ratio } = this.columns;
    const resident = pages[1] * this.pageBytes;
    virtual.back[row] = pages[0] * this.pageBytes;
    rss.back[row] = resident;
    shared.back[row] = pages[2] * this.pageBytes;
    const allocated = allocatedMemory(subject);
    ratio.back[row] = allocated !== undefined && allocated > 0 ? resident / allocated : Number.NaN;
    return Outcome.ok;
  }
}
