import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, gauge, type Metric, metric } from '../../model/metric.js';
import { Outcome } from '../../model/outcome.js';
import { PartRows } from '../../model/part-rows.js';
import { Tables } from '../../model/tables.js';
import { isTold, type KvmStatistics } from './answer.js';
import { VmmAsker } from './asker.js';
import { droppedParts } from './dropped-parts.js';
import { HighWater } from './high-water.js';
import { KvmDebugfs } from './kvm-debugfs.js';
import { KvmSource } from './kvm-source.js';
import { TopicCells, told } from './topics.js';

const NANOSECOND_DECIMALS = 9;
const EXIT = /_exits$/;
/** All exits together, whatever their reason. */
const ALL = 'exits';

const HALT = counter({
  name: 'vmgauge_vm_kvm_halt_seconds_total',
  help: 'Time KVM spent on vCPUs that had nothing to do: waiting, or polling first, with and without success.',
  unit: 'seconds',
});
const MAPPED = gauge({
  name: 'vmgauge_vm_kvm_mapped_bytes',
  help: 'Guest memory that KVM has mapped, by the size of the pages it is mapped with.',
  unit: 'bytes',
});
const halt = (kind: string, description: string): Metric =>
  metric({ json: `exits.kvm.halt_${kind}_seconds`, description, decimals: NANOSECOND_DECIMALS, family: HALT, labels: { kind } });
const mapped = (word: string, size: string): Metric =>
  metric({
    json: `memory.kvm.mapped_${word}_bytes`,
    description: `Guest memory that KVM has mapped in pages of ${size}.`,
    family: MAPPED,
    labels: { page_size: size },
  });

/** By the kernel's names. */
const DURATIONS = {
  halt_wait_ns: halt('wait', 'Time vCPUs waited, their threads asleep.'),
  halt_poll_success_ns: halt('poll_success', 'Time KVM polled before it put a vCPU to sleep, and something came.'),
  halt_poll_fail_ns: halt('poll_fail', 'Time KVM polled before it put a vCPU to sleep, for nothing.'),
};
const PAGES = { pages_4k: mapped('small', '4KiB'), pages_2m: mapped('large', '2MiB'), pages_1g: mapped('huge', '1GiB') };
const PAGE_BYTES = [2 ** 12, 2 ** 21, 2 ** 30];
const METRICS = {
  all: metric({
    json: 'exits.kvm.total',
    family: counter({
      name: 'vmgauge_vm_kvm_guest_exits_total',
      help: 'Times the guest was left for KVM, whatever the reason; those by reason are part of it.',
    }),
  }),
  droppedReasons: droppedParts('kvmExits', 'exits.kvm.dropped_reasons'),
  droppedEvents: droppedParts('kvmEvents', 'exits.kvm.dropped_events'),
};
const REASON = metric({
  json: 'exits',
  family: counter({
    name: 'vmgauge_vm_kvm_exits_total',
    help: 'Times the guest was left for KVM, by the kernel’s name of the reason. Which names there are depends on the kernel; directions are not told.',
    identity: 'kvm_exit',
  }),
});
const EVENT = metric({
  json: 'count',
  family: counter({
    name: 'vmgauge_vm_kvm_events_total',
    help: 'What KVM counts of the VM beside exits, by the kernel’s name. Which names there are depends on the kernel.',
    identity: 'kvm_event',
  }),
});

/** What KVM counts of a VM, all vCPUs together: without directions, and by whatever names the kernel has. */
@Injectable()
export class KvmCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'kvm',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm` of KVM, else `/sys/kernel/debug/kvm`, off the sweep: exits by reason, events, halts, mapped pages',
    enabled: true,
  };
  readonly about = KvmCollector.about;
  readonly metrics;
  readonly partMetrics = { kvmExits: [REASON], kvmEvents: [EVENT] };
  private readonly columns;
  private readonly durations;
  private readonly pages;
  private readonly reason;
  private readonly event;
  private readonly reasons;
  private readonly events;
  private readonly source;
  private readonly counters = new HighWater();
  private readonly halts = new HighWater();
  /** Readings that are in the tables already. */
  private readonly shown = new WeakMap<Subject, KvmStatistics>();

  constructor(tables: Tables, host: Host, @Optional() asker?: VmmAsker) {
    this.columns = tables.instances.columnsOf(METRICS);
    this.durations = new TopicCells(tables.instances, DURATIONS);
    this.pages = new TopicCells(tables.instances, PAGES);
    this.metrics = [...Object.values(METRICS), ...this.durations.metrics, ...this.pages.metrics];
    this.reason = tables.kvmExits.column(REASON);
    this.event = tables.kvmEvents.column(EVENT);
    this.reasons = new PartRows(tables.kvmExits, [this.reason]);
    this.events = new PartRows(tables.kvmEvents, [this.event]);
    this.source = new KvmSource(asker, KvmDebugfs.of(host));
  }

  concerns(subject: Subject): boolean {
    return this.source.concerns(subject);
  }

  collect(subject: Subject): Outcome {
    const statistics = this.source.read(subject);
    if (!isTold(statistics)) return statistics;
    if (this.shown.get(subject) === statistics) return Outcome.ok;
    this.shown.set(subject, statistics);
    this.put(subject, statistics);
    return Outcome.ok;
  }

  clear(subject: Subject): void {
    this.shown.delete(subject);
    this.reasons.clear(subject);
    this.events.clear(subject);
  }

  detach(subject: Subject): void {
    this.clear(subject);
  }

  private put(subject: Subject, statistics: KvmStatistics): void {
    const { gauges } = statistics;
    const counters = this.counters.raise(subject, statistics.counters);
    const durations = this.halts.raise(subject, statistics.durations);
    const { row } = subject;
    const parts = [...counters].filter(([name, value]) => name !== ALL && !Number.isNaN(told(value)));
    const exits = parts.filter(([name]) => EXIT.test(name));
    const others = parts.filter(([name]) => !EXIT.test(name));
    const { all, droppedReasons, droppedEvents } = this.columns;
    all.back[row] = told(counters.get(ALL));
    droppedReasons.back[row] = this.reasons.update(subject, exits, reasonOf, (part, [, value]) => {
      this.reason.back[part] = told(value);
    });
    droppedEvents.back[row] = this.events.update(subject, others, eventOf, (part, [, value]) => {
      this.event.back[part] = told(value);
    });
    this.durations.put(row, Object.fromEntries(durations));
    this.pages.put(row, Object.fromEntries(Object.keys(PAGES).map((name, i) => [name, bytesOf(gauges.get(name), PAGE_BYTES[i])])));
  }
}

type Counter = readonly [name: string, value: number];
const reasonOf = ([name]: Counter): string => name.replace(EXIT, '');
const eventOf = ([name]: Counter): string => name;
const bytesOf = (pages: number | undefined, size: number): number | undefined => (pages === undefined ? undefined : pages * size);
