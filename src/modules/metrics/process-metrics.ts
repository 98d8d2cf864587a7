import type { Provider } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { descriptorsHeld, descriptorsHoldable } from '../../host/held.js';
import { microsecondsToSeconds } from '../../model/units.js';

interface OwnGauge {
  readonly name: string;
  readonly help: string;
  readonly value: () => number;
}

const GAUGES: readonly OwnGauge[] = [
  {
    name: 'vmgauge_process_resident_memory_bytes',
    help: 'Resident memory of the agent.',
    value: () => process.memoryUsage.rss(),
  },
  {
    name: 'vmgauge_process_start_time_seconds',
    help: 'Start of the agent in seconds since 1970.',
    value: () => Math.round(performance.timeOrigin) / 1000,
  },
  {
    name: 'vmgauge_process_held_descriptors',
    help: 'Descriptors the agent holds open on the processes it watches: up to five for each.',
    value: descriptorsHeld,
  },
  {
    name: 'vmgauge_process_holdable_descriptors',
    help: 'Descriptors the agent may hold; beyond, files are opened for each reading. A higher hard limit (LimitNOFILE) raises it.',
    value: descriptorsHoldable,
  },
  {
    name: 'vmgauge_nodejs_heap_used_bytes',
    help: 'JavaScript heap in use.',
    value: () => process.memoryUsage().heapUsed,
  },
  {
    name: 'vmgauge_nodejs_external_memory_bytes',
    help: 'Memory of buffers outside the JavaScript heap.',
    value: () => process.memoryUsage().external,
  },
];

/**
 * The agent's own process, under our prefix: `process_*` is for the processes it watches. The client library's default metrics are not
 * used: three of its gauges carry counters' names, which promtool refuses.
 */
export const PROCESS_METRICS: readonly Provider[] = [
  makeCounterProvider({
    name: 'vmgauge_process_cpu_seconds_total',
    help: 'CPU time of the agent, user and system, all threads.',
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc(microsecondsToSeconds(user + system));
    },
  }),
  ...GAUGES.map(({ name, help, value }) =>
    makeGaugeProvider({
      name,
      help,
      collect() {
        this.set(value());
      },
    }),
  ),
];
