import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { CGROUP_METRICS } from './cgroup-metrics.js';
import { CONTROLLERS, type Controller } from './limit-files.js';
import { LIMIT_WORDS, Limits } from './limits.js';
import { Lookout, pauseFrom } from './lookout.js';
import { type OwnGroup, OwnGroups } from './own-group.js';
import { ParsedFiles } from './parsed-file.js';

/** Reading memory.stat makes the kernel add up the counters of all CPUs. */
const THOROUGH_MS = 15_000;

interface Watched {
  readonly limits: Limits;
  readonly lookout: Lookout;
  /** Monotonic milliseconds of the next reading of what hardly changes. */
  thoroughAt: number;
}

/** Limits of the instance's own cgroup and of all it lies in, and what it uses of them. */
@Injectable()
export class CgroupCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'cgroup',
    tier: 'sweep',
    reads:
      'limits, usage and events of the cpu, memory and pids controllers of the VM’s own cgroup, and limits of those it lies in: 11 files, 2 µs each by held descriptors; weight, protection, burst, peaks and `memory.stat` every 15 s; who stands in the cgroup once a minute (0.3 ms)',
    enabled: true,
  };
  /** Cells in microseconds and bytes. */
  static readonly quota = CGROUP_METRICS.quota;
  static readonly period = CGROUP_METRICS.period;
  static readonly usage = CGROUP_METRICS.cpuUsage;
  static readonly memoryLimit = CGROUP_METRICS.memoryMax;
  static readonly memoryUsage = CGROUP_METRICS.memoryUsage;
  readonly about = CgroupCollector.about;
  readonly metrics = Object.values(CGROUP_METRICS);
  private readonly columns;
  private readonly files: ParsedFiles;
  private readonly groups: OwnGroups;
  private readonly watched = new Map<number, Watched>();
  private sweeps = 0;

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    const columns = tables.instances.columnsOf(CGROUP_METRICS);
    this.columns = LIMIT_WORDS.map((word) => columns[word]);
    this.files = new ParsedFiles(host);
    this.groups = new OwnGroups(host);
  }

  attach({ row }: Subject): void {
    const lookout = new Lookout(this.host.clock, row);
    this.watched.set(row, { limits: new Limits(this.files), lookout, thoroughAt: Number.NEGATIVE_INFINITY });
  }

  devices({ row }: Subject): void {
    this.watched.get(row)?.lookout.soon();
  }

  detach({ row }: Subject): void {
    this.watched.get(row)?.limits.close();
    this.watched.delete(row);
  }

  begin(): Iterable<void> {
    this.sweeps++;
    return [];
  }

  collect(subject: Subject): Outcome {
    const { row, process } = subject;
    const watched = this.watched.get(row);
    if (!process || !watched) return Outcome.gone;
    const outcome = watched.lookout.turn({ stand: () => this.stand(watched, subject), read: () => this.read(watched, row) });
    if (outcome !== Outcome.ok) return outcome;
    const { values } = watched.limits;
    for (let i = 0; i < values.length; i++) this.columns[i].back[row] = values[i];
    return Outcome.ok;
  }

  private read(watched: Watched, row: number): Outcome {
    const now = this.host.clock.monotonic();
    const isThorough = now >= watched.thoroughAt;
    const outcome = watched.limits.read(this.sweeps, isThorough);
    // One that failed is done again in the next sweep: until then there is nothing to be held to.
    if (isThorough)
      watched.thoroughAt = outcome === Outcome.ok ? now + pauseFrom(watched.thoroughAt, THOROUGH_MS, row) : Number.NEGATIVE_INFINITY;
    return outcome;
  }

  private stand(watched: Watched, subject: Subject): Outcome {
    const { limits, lookout } = watched;
    // Of files that are new nothing was read.
    watched.thoroughAt = Math.min(watched.thoroughAt, this.host.clock.monotonic());
    try {
      const found = this.groups.findAll(subject, CONTROLLERS);
      const groups: Partial<Record<Controller, OwnGroup>> = {};
      let outcome: Outcome = Outcome.unsupported;
      for (const [i, group] of found.entries()) {
        if (typeof group !== 'number') groups[CONTROLLERS[i]] = group;
        // Why there is none is told by what matters most: it has none of its own, before there is no such controller.
        else if (group !== Outcome.unsupported) outcome = group;
      }
      limits.stand(groups);
      if (Object.keys(groups).length === 0) return outcome;
      // A cgroup in which nothing is found has been removed since.
      if (!limits.areKnown) lookout.soon();
      return Outcome.ok;
    } catch (error) {
      limits.close();
      return outcomeOfErrno(error);
    }
  }
}
