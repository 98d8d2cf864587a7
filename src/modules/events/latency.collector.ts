import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import { PartRows } from '../../model/part-rows.js';
import type { Column } from '../../model/table.js';
import { Tables } from '../../model/tables.js';
import { GUEST_DNS, SOURCE, SOURCES, TIMINGS } from './latency-metrics.js';
import type { Measure, Timing } from './measure.js';
import { TimingCells } from './timing-cells.js';
import { metricsOf } from './timing-metrics.js';
import { TracedProcesses, type TracedReading } from './traced-processes.js';
import { TOTALS } from './traffic-metrics.js';
import { AMOUNTS, type BlockStates, LATENCIES } from './words.js';

/** What was put into the cells of an instance last time. */
interface Shown extends TracedReading {
  version: number;
  /** How many names and which blocks there were: with others all rows are made anew. */
  readonly names: number;
  readonly blocks: BlockStates | null;
  readonly rows: readonly { readonly row: number; readonly measure: Measure }[];
}

/** How slow the world of an instance is: latencies and bytes of its processes by name, and its guest's DNS. */
@Injectable()
export class LatencyCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'latency',
    tier: 'sweep',
    reads: 'what was counted in the kernel by the program that `tracing` runs, or what `sockets` read; nothing by itself',
    enabled: true,
  };
  readonly about = LatencyCollector.about;
  readonly metrics = [...metricsOf(GUEST_DNS), SOURCE];
  readonly partMetrics = { tracedProcesses: [...LATENCIES.flatMap((latency) => metricsOf(TIMINGS[latency])), ...Object.values(TOTALS)] };
  private readonly guest: TimingCells;
  private readonly source: Column;
  private readonly timings: readonly TimingCells[];
  private readonly totals;
  private readonly rows: PartRows;
  private readonly shown = new Map<Subject, Shown>();

  constructor(
    private readonly tables: Tables,
    _host: Host,
    @Optional() private readonly traced?: TracedProcesses,
  ) {
    const { instances, tracedProcesses } = tables;
    this.guest = new TimingCells(instances, GUEST_DNS);
    // Few hosts see a query of a guest, and many trace nothing: a distribution costs 23 columns.
    instances.sleep(this.guest.columns);
    this.source = instances.column(SOURCE);
    this.timings = LATENCIES.map((latency) => new TimingCells(tracedProcesses, TIMINGS[latency]));
    for (const { counted } of this.timings) tracedProcesses.sleep(counted);
    this.totals = tracedProcesses.columnsOf(TOTALS);
    this.rows = new PartRows(tracedProcesses, [...this.timings.flatMap(({ columns }) => columns), ...Object.values(this.totals)]);
  }

  begin(): Iterable<void> {
    this.traced?.look();
    return [];
  }

  attach(subject: Subject): void {
    this.traced?.attach(subject);
  }

  devices(subject: Subject): void {
    this.traced?.attach(subject);
  }

  collect(subject: Subject): Outcome {
    if (!subject.process) return Outcome.gone;
    const reading = this.traced?.of(subject) ?? Outcome.notConfigured;
    if (typeof reading === 'number') return reading;
    const { source, instance } = reading;
    const shown = this.shown.get(subject);
    const isSame =
      shown?.instance === instance &&
      shown.source === source &&
      shown.names === instance.names.size &&
      shown.blocks === (this.traced?.blocks ?? null);
    if (!isSame) this.show(subject, reading);
    else if (shown.version !== instance.version) this.update(subject, shown);
    return Outcome.ok;
  }

  clear(subject: Subject): void {
    this.shown.delete(subject);
    this.rows.clear(subject);
  }

  detach(subject: Subject): void {
    this.traced?.detach(subject);
    this.clear(subject);
  }

  private show(subject: Subject, reading: TracedReading): void {
    const { instance, source } = reading;
    this.source.back[subject.row] = SOURCES.indexOf(source);
    for (const { back, isAsleep } of this.guest.columns) if (!isAsleep) back[subject.row] = Number.NaN;
    const rows: { row: number; measure: Measure }[] = [];
    this.rows.update(
      subject,
      instance.names,
      ([name]) => name,
      (row, [, measure]) => rows.push({ row, measure }),
    );
    const shown = { ...reading, version: instance.version, names: instance.names.size, blocks: this.traced?.blocks ?? null, rows };
    this.shown.set(subject, shown);
    this.update(subject, shown);
  }

  /** What is shown only grows: cells are filled, and none is emptied. */
  private update({ row: own }: Subject, shown: Shown): void {
    const isTraced = shown.source === 'ebpf';
    shown.version = shown.instance.version;
    for (const { row, measure } of shown.rows) this.put(row, measure, isTraced);
    const guest = shown.instance.guest.timings.get('dns');
    if (!guest || !isTraced || !isWhole(guest)) return;
    this.tables.instances.wake(this.guest.columns);
    this.guest.put(own, guest);
  }

  private put(row: number, { timings, amounts }: Measure, isTraced: boolean): void {
    for (let i = 0; i < LATENCIES.length; i++) {
      const timing = timings.get(LATENCIES[i]);
      if (!timing) continue;
      const cells = this.timings[i];
      if (isTraced && isWhole(timing) && this.traced?.counts(LATENCIES[i])) {
        if (cells.isAsleep) this.tables.tracedProcesses.wake(cells.counted);
        cells.put(row, timing);
      } else cells.putLatest(row, timing);
    }
    for (const amount of AMOUNTS) {
      const value = amounts.get(amount);
      if (value !== undefined) this.totals[amount].back[row] = value;
    }
  }
}

/** How many and how long in all are told one after the other: the one without the other is no answer. */
const isWhole = ({ count, sumNanoseconds }: Timing): boolean => count > 0 && sumNanoseconds > 0;
