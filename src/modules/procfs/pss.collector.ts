import { Injectable } from '@nestjs/common';
import { withDeadline } from '../../host/deadline.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { gauge, metric } from '../../model/metric.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { parseSmapsRollup } from './smaps-rollup.js';

const METRICS = {
  pss: metric({
    json: 'memory.pss_bytes',
    family: gauge({
      name: 'vmgauge_vm_memory_pss_bytes',
      help: 'Proportional set size of the VMM process: pages shared with n other processes count 1/n. Read on its own slow timer.',
      unit: 'bytes',
    }),
  }),
};
const DEADLINE_MS = 30_000;

/**
 * /proc/<pid>/smaps_rollup. The kernel walks every page: 11 ms per GiB in pages of 4 KiB, and holds the address-space lock of the VM
 * meanwhile. Off by default, one instance at a time, in the thread pool.
 */
@Injectable()
export class PssCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'pss',
    tier: 'detached',
    reads:
      '`/proc/<pid>/smaps_rollup`: proportional set size; 11 ms of CPU per GiB and the VM waits for its own memory map meanwhile, so it is off',
    enabled: false,
  };
  readonly about = PssCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly bytes = new Map<number, number>();

  constructor(tables: Tables) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  collect({ row, process }: Subject): Outcome {
    if (!process) return Outcome.gone;
    const bytes = this.bytes.get(row);
    if (bytes === undefined) return Outcome.busy;
    this.columns.pss.back[row] = bytes;
    return Outcome.ok;
  }

  async collectDetached(subject: Subject): Promise<Outcome> {
    const { row, process } = subject;
    if (!process) return Outcome.gone;
    try {
      const text = await withDeadline(process.readAsync('smaps_rollup'), DEADLINE_MS, `smaps_rollup of ${process.pid}`);
      const rollup = parseSmapsRollup(text);
      if (!rollup) return Outcome.malformed;
      // The row may have passed to another VM meanwhile.
      if (subject.row !== row || subject.process !== process) return Outcome.gone;
      this.bytes.set(row, rollup.pssBytes);
      return Outcome.ok;
    } catch (error) {
      return outcomeOfErrno(error);
    }
  }

  detach({ row }: Subject): void {
    this.bytes.delete(row);
  }
}
