import { Injectable, Optional } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { counter, type Metric, metric } from '../../model/metric.js';
import type { Outcome } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { isTold, VMM_EVENTS, type VmmEvent } from './answer.js';
import { VmmAsker } from './asker.js';
import { hasAnswered, TopicCells, topic } from './topics.js';

const EVENTS = counter({
  name: 'vmgauge_vm_events_total',
  help: 'What happened to the VM by the VMM’s word. Only of VMMs that are listened to all the time, or that count themselves.',
});

const METRICS = Object.fromEntries(
  VMM_EVENTS.map((event) => [
    event,
    metric({
      json: `events.${event.replaceAll('-', '_')}`,
      description: `How often the VMM said: ${event.replaceAll('-', ' ')}.`,
      family: EVENTS,
      labels: { event: event.replaceAll('-', '_') },
    }),
  ]),
  // Object.fromEntries forgets the keys' names; they are those of VMM_EVENTS.
) as Readonly<Record<VmmEvent, Metric>>;

/** Panics, resets, I/O errors and the like. What a VMM does not tell is missing: nobody listened, which is not 0. */
@Injectable()
export class VmmEventsCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'vmm_events',
    tier: 'sweep',
    reads: 'what the VMM told `vmm` on its own or counts: panics, resets, I/O errors, watchdogs',
    enabled: true,
  };
  readonly about = VmmEventsCollector.about;
  readonly metrics;
  private readonly cells;

  constructor(
    tables: Tables,
    _host: Host,
    @Optional() private readonly asker?: VmmAsker,
  ) {
    this.cells = new TopicCells(tables.instances, METRICS);
    this.metrics = this.cells.metrics;
  }

  concerns(subject: Subject): boolean {
    return hasAnswered(this.asker, subject);
  }

  collect(subject: Subject): Outcome {
    const events = topic(this.asker, subject, ({ events }) => events);
    return isTold(events) ? this.cells.put(subject.row, events) : events;
  }
}
