import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { ApiError } from '../../model/errors.js';
import { Settings } from '../../model/settings.js';
import { Registry } from '../instances/registry.js';
import { type OwnFamily, type OwnSample, one } from './own-families.js';
import { OwnProcess, type OwnProcessReading } from './own-process.js';

/** kata-monitor's buckets, milliseconds. */
const BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** Duration of what was done, as a histogram: how many fell into each bucket, the last one without a bound. */
class Durations {
  private readonly counts = Array.from({ length: BOUNDS.length + 1 }, () => 0);
  private sum = 0;

  observe(ms: number): void {
    const bucket = BOUNDS.findIndex((bound) => ms <= bound);
    this.counts[bucket < 0 ? BOUNDS.length : bucket]++;
    this.sum += ms;
  }

  *samples(): Iterable<OwnSample> {
    let total = 0;
    for (const [i, count] of this.counts.entries()) {
      total += count;
      yield { suffix: '_bucket', labels: `le="${BOUNDS[i] ?? '+Inf'}"`, value: total };
    }
    yield { suffix: '_sum', labels: '', value: this.sum };
    yield { suffix: '_count', labels: '', value: total };
  }
}

/**
 * What kata-monitor says of itself, so that its dashboard and alerts work here. Counted from the start; read from the kernel and from Node
 * only by a page that prints it.
 */
@Injectable()
export class KataMonitor implements OnApplicationShutdown {
  private scrapes = 0;
  private failures = 0;
  private readonly durations = new Durations();
  private readonly own = new OwnProcess();

  constructor(
    private readonly registry: Registry,
    private readonly host: Host,
    private readonly settings: Settings,
  ) {}

  onApplicationShutdown(): void {
    this.own.close();
  }

  /** A scrape of the page of all, counted and timed. What the client asked wrongly is no failure. */
  async scrape<T>(work: () => Promise<T>): Promise<T> {
    const started = this.host.clock.monotonic();
    this.scrapes++;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status >= 500 || error.code === 'rate_limited') this.failures++;
      throw error;
    } finally {
      this.durations.observe(this.host.clock.monotonic() - started);
    }
  }

  /** Without what the agent says of its own work where that is switched off: such a page of a frozen host is the same each time. */
  families(): OwnFamily[] {
    const running: OwnFamily = {
      name: 'kata_monitor_running_shim_count',
      type: 'gauge',
      help: 'Kata shims that live, as of the last rescan, with or without a VMM.',
      samples: () => one(this.shims()),
    };
    if (!this.settings.exporterMetrics) return [running];
    this.own.observe();
    return [running, ...this.scrapeFamilies(), ...this.processFamilies(), ...this.runtimeFamilies()];
  }

  private shims(): number {
    let shims = 0;
    for (const { listed, record } of this.registry.all()) if (listed && record.companions?.some(({ role }) => role === 'shim')) shims++;
    return shims;
  }

  private scrapeFamilies(): OwnFamily[] {
    return [
      {
        name: 'kata_monitor_scrape_count',
        type: 'counter',
        help: 'Times somebody asked for the Prometheus page, this time included.',
        samples: () => one(this.scrapes),
      },
      {
        name: 'kata_monitor_scrape_failed_count',
        type: 'counter',
        help: 'Times it was refused because too many asked at once, or could not be made.',
        samples: () => one(this.failures),
      },
      {
        name: 'kata_monitor_scrape_durations_histogram_milliseconds',
        type: 'histogram',
        help: 'Time from the request for the page to its answer, earlier requests only. Shims are asked apart from it.',
        samples: () => this.durations.samples(),
      },
    ];
  }

  private processFamilies(): OwnFamily[] {
    const { own } = this;
    const kernel = this.kernelReading();
    const gauge = (word: string, help: string, value: () => number | null, unit?: string): OwnFamily => ({
      name: `kata_monitor_process_${word}`,
      type: 'gauge',
      help,
      ...(unit === undefined ? {} : { unit }),
      samples: () => one(value()),
    });
    return [
      {
        name: 'kata_monitor_process_cpu_seconds_total',
        type: 'counter',
        help: 'CPU time of the agent, user and system, all threads.',
        unit: 'seconds',
        samples: () => one(own.cpuSeconds),
      },
      gauge('open_fds', 'Open file descriptors of the agent.', () => kernel().openFds),
      gauge('max_fds', 'How many it may have open.', () => kernel().maxFds),
      gauge('virtual_memory_bytes', 'Address space of the agent; V8 reserves far more than it uses.', () => kernel().virtualBytes, 'bytes'),
      gauge('resident_memory_bytes', 'Resident memory of the agent.', () => own.residentBytes, 'bytes'),
      gauge('start_time_seconds', 'Start of the agent in seconds since 1970.', () => own.startSeconds, 'seconds'),
    ];
  }

  private runtimeFamilies(): OwnFamily[] {
    const { own } = this;
    const kernel = this.kernelReading();
    return [
      {
        name: 'kata_monitor_go_goroutines',
        type: 'gauge',
        help: 'The agent is a Node process and has no goroutines: handles, requests and timers that it waits for.',
        samples: () => one(own.waitedFor),
      },
      {
        name: 'kata_monitor_go_threads',
        type: 'gauge',
        help: 'The agent is a Node process: its threads in the kernel.',
        samples: () => one(kernel().threads),
      },
      {
        name: 'kata_monitor_go_gc_duration_seconds',
        type: 'summary',
        help: 'The agent is a Node process: garbage collections of V8 and the time they took, since the first page that shows this.',
        unit: 'seconds',
        samples: () => [
          { suffix: '_sum', labels: '', value: own.collections.seconds },
          { suffix: '_count', labels: '', value: own.collections.count },
        ],
      },
    ];
  }

  /** One reading a page, and none for a page that prints none of it. */
  private kernelReading(): () => OwnProcessReading {
    let reading: OwnProcessReading | null = null;
    return () => {
      reading ??= this.own.read();
      return reading;
    };
  }
}
