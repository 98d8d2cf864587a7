import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { TICK_DECIMALS } from '../../model/units.js';
import { parseBlockIoDelay } from './block-io-delay.js';
import { delayAccounting } from './delay-accounting.js';
import { ThreadTotals, updateFromThreads } from './thread-totals.js';

const METRICS = {
  delay: metric({
    json: 'process.block_io_delay_seconds',
    decimals: TICK_DECIMALS,
    family: counter({
      name: 'vmgauge_vm_block_io_delay_seconds_total',
      help: 'Time that threads of the VMM waited for block I/O to end, summed over threads. The kernel counts it only while kernel.task_delayacct is 1, and only for threads that began after that was set: threads of an older VMM have none, and cannot be told from those that never waited.',
      unit: 'seconds',
    }),
    rate: 'block_io_delayed_threads',
  }),
};
const WORDS = ['blockIoDelayTicks'] as const;

interface Watched {
  readonly totals: ThreadTotals<(typeof WORDS)[number]>;
  /** It lived while the kernel did not count: for threads that began by then it never will. */
  isOlder: boolean;
}

/** Field 42 of /proc/<pid>/task/<tid>/stat of every thread: the line of the process covers its main thread only. */
@Injectable()
export class BlockIoDelayCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'block_io_delay',
    tier: 'threads',
    reads: '`/proc/<pid>/task/*/stat`: delay of block I/O, summed over threads, while `/proc/sys/kernel/task_delayacct` is 1',
    enabled: true,
  };
  readonly about = BlockIoDelayCollector.about;
  readonly metrics = Object.values(METRICS);
  private readonly columns;
  private readonly watched = new Map<number, Watched>();
  /** Of this sweep, once anybody asked. */
  private accounting: Outcome | undefined;

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    this.columns = tables.instances.columnsOf(METRICS);
  }

  attach({ row }: Subject): void {
    this.watched.set(row, { totals: new ThreadTotals(WORDS), isOlder: false });
  }

  detach({ row }: Subject): void {
    this.watched.delete(row);
  }

  begin(): Iterable<void> {
    this.accounting = undefined;
    return [];
  }

  collect({ row, process }: Subject): Outcome {
    const watched = this.watched.get(row);
    if (!process || !watched) return Outcome.gone;
    this.accounting ??= delayAccounting(this.host);
    if (this.accounting === Outcome.notConfigured) watched.isOlder = true;
    if (this.accounting !== Outcome.ok) return this.accounting;
    if (watched.isOlder) return Outcome.notConfigured;
    const outcome = updateFromThreads(watched.totals, process, 'stat', parseBlockIoDelay);
    if (outcome !== Outcome.ok) return outcome;
    this.columns.delay.back[row] = watched.totals.totals.blockIoDelayTicks;
    return Outcome.ok;
  }
}
