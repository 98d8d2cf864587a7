import type { HostFamily } from '../../model/host-family.js';
import { labels } from '../../model/labels.js';

/** How the tracing itself goes. What is not known has no sample. */
export interface TracingState {
  /** Share of each map's places that are taken, by its name in order. */
  readonly fill: readonly (readonly [map: string, ratio: number])[];
  /** Since the first life; null before it. */
  readonly lost: number | null;
  /** Since the first life; null where the kernel does not tell. */
  readonly missed: number | null;
  readonly unreadable: number | null;
  readonly processes: number | null;
}

export function tracingFamilies(state: () => TracingState): readonly HostFamily[] {
  const one = (value: number | null) => (value === null ? [] : [{ labels: '', value }]);
  return [
    {
      name: 'vmgauge_tracing_map_fill_ratio',
      type: 'gauge',
      unit: 'ratio',
      help: 'Share of the places of a map of the tracing program that are taken. From 0.7 on the program is started anew, where that helps.',
      labelNames: ['map'],
      samples: () => state().fill.map(([map, value]) => ({ labels: labels({ map }), value })),
    },
    {
      name: 'vmgauge_tracing_lost_events_total',
      labelNames: [],
      type: 'counter',
      help: 'Events that the tracing program says it could not count or tell: maps that are full, among others.',
      samples: () => one(state().lost),
    },
    {
      name: 'vmgauge_tracing_missed_events_total',
      labelNames: [],
      type: 'counter',
      help: 'Events of the whole host that the kernel did not show to the tracing program, as another one ran on that CPU or its maps were being read. From Linux 6.7 on.',
      samples: () => one(state().missed),
    },
    {
      name: 'vmgauge_tracing_unreadable_lines_total',
      labelNames: [],
      type: 'counter',
      help: 'Lines of the tracing program that were cut, garbage or too many. They tell totals, which are told again.',
      samples: () => one(state().unreadable),
    },
    {
      name: 'vmgauge_tracing_processes',
      labelNames: [],
      type: 'gauge',
      help: 'Processes that are traced, by the word of the tracing program.',
      samples: () => one(state().processes),
    },
  ];
}
