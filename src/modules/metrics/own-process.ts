import { PerformanceObserver } from 'node:perf_hooks';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Stat } from '../../model/process.js';
import { microsecondsToSeconds, millisecondsToSeconds } from '../../model/units.js';
import { holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import { parseLimits } from '../procfs/limits.js';

/** What the kernel says of the agent's own process; null for what it does not tell. */
export interface OwnProcessReading {
  readonly threads: number | null;
  readonly openFds: number | null;
  readonly maxFds: number | null;
  readonly virtualBytes: number | null;
}

const NOTHING: OwnProcessReading = { threads: null, openFds: null, maxFds: null, virtualBytes: null };

/** The agent's own process, in its own /proc whatever tree it watches. Held from the first reading on. */
export class OwnProcess {
  private readonly text = Buffer.allocUnsafe(8192);
  private held: ProcfsProcess | null = null;
  private observer: PerformanceObserver | null = null;
  /** Garbage collections since `observe`, and the seconds they took. */
  readonly collections = { count: 0, seconds: 0 };

  read(): OwnProcessReading {
    try {
      this.held ??= holdProcess(new Host(), process.pid);
      const { held } = this;
      if (held.readStat() !== Outcome.ok) return NOTHING;
      const counted = held.descriptorCount();
      const limits = parseLimits(this.text.toString('latin1', 0, held.readOnce('limits', this.text)));
      return {
        threads: held.stat[Stat.threads],
        virtualBytes: held.stat[Stat.virtualBytes],
        openFds: counted < 0 ? held.countDescriptors() : counted,
        maxFds: limits?.maxOpenFiles ?? null,
      };
    } catch {
      return NOTHING;
    }
  }

  get cpuSeconds(): number {
    const { user, system } = process.cpuUsage();
    return microsecondsToSeconds(user + system);
  }

  get residentBytes(): number {
    return process.memoryUsage.rss();
  }

  /** Seconds since 1970. */
  get startSeconds(): number {
    return millisecondsToSeconds(Math.round(performance.timeOrigin));
  }

  /** Open handles, requests under way and timers: what Node waits for. */
  get waitedFor(): number {
    return process.getActiveResourcesInfo().length;
  }

  /** Counts garbage collections from now on; again is nothing. */
  observe(): void {
    if (this.observer) return;
    this.observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        this.collections.count++;
        this.collections.seconds += millisecondsToSeconds(duration);
      }
    });
    this.observer.observe({ entryTypes: ['gc'] });
  }

  close(): void {
    this.observer?.disconnect();
    this.observer = null;
    this.held?.close();
    this.held = null;
  }
}
