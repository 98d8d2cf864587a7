import { counter, type Metric, metric } from '../../model/metric.js';
import { VMM_EVENTS, type VmmEvent } from './answer.js';
import { numbersOf } from './numbers-topic.js';

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
export class VmmEventsCollector extends numbersOf({
  about: {
    name: 'vmm_events',
    tier: 'sweep',
    reads: 'what the VMM told `vmm` on its own or counts: panics, resets, I/O errors, watchdogs',
    enabled: true,
  },
  metrics: METRICS,
  of: ({ events }) => events,
}) {}
