import { Injectable } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { spread } from '../../host/pacing.js';
import type { Collector, CollectorAbout, Subject } from '../../model/collector.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import { Tables } from '../../model/tables.js';
import { CGROUP_METRICS } from './cgroup-metrics.js';
import { CONTROLLERS, type Controller } from './limit-files.js';
import { LIMIT_WORDS, Limits } from './limits.js';
import { type OwnGroup, OwnGroups } from './own-group.js';
import { SweptFiles } from './swept-file.js';

/** A VM is moved when it is set up, and hardly ever later; looking for that costs more than all readings. */
const LOOK_MS = 60_000;
/** Reading memory.stat makes the kernel add up the counters of all CPUs. */
const WORKING_SET_MS = 15_000;

interface Watched {
  readonly limits: Limits;
  /** Whether it has a cgroup of its own, by the last look; or why that is not known. */
  standing: Outcome;
  /** Monotonic milliseconds of the next look, and of the next reading of memory.stat. */
  nextAt: number;
  workingSetAt: number;
}

/** Limits of the instance's own cgroup and of all it lies in, and what it uses of them. */
@Injectable()
export class CgroupCollector implements Collector {
  static readonly about: CollectorAbout = {
    name: 'cgroup',
    tier: 'sweep',
    reads:
      'limits, usage and events of the cpu, memory and pids controllers of the VM’s own cgroup, and limits of those it lies in: 16 files, 2 µs each by held descriptors; `memory.stat` every 15 s (8 µs); who stands in the cgroup once a minute (0.3 ms)',
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
  private readonly files: SweptFiles;
  private readonly groups: OwnGroups;
  private readonly watched = new Map<number, Watched>();
  private sweeps = 0;

  constructor(
    tables: Tables,
    private readonly host: Host,
  ) {
    const columns = tables.instances.columnsOf(CGROUP_METRICS);
    this.columns = LIMIT_WORDS.map((word) => columns[word]);
    this.files = new SweptFiles(host);
    this.groups = new OwnGroups(host);
  }

  attach({ row }: Subject): void {
    const never = Number.NEGATIVE_INFINITY;
    this.watched.set(row, { limits: new Limits(this.files), standing: Outcome.busy, nextAt: never, workingSetAt: never });
  }

  devices({ row }: Subject): void {
    const watched = this.watched.get(row);
    if (watched) watched.nextAt = Number.NEGATIVE_INFINITY;
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
    if (this.host.clock.monotonic() >= watched.nextAt) this.look(watched, subject);
    let outcome = this.read(watched, row);
    if (outcome === Outcome.gone && watched.standing === Outcome.ok) {
      // A cgroup was removed, which takes that nobody is in it: the process, which lives, was moved before.
      this.look(watched, subject);
      outcome = this.read(watched, row);
      if (outcome === Outcome.gone && watched.standing === Outcome.ok) return Outcome.busy;
    }
    if (outcome !== Outcome.ok) return outcome;
    const { values } = watched.limits;
    for (let i = 0; i < values.length; i++) this.columns[i].back[row] = values[i];
    return Outcome.ok;
  }

  private read(watched: Watched, row: number): Outcome {
    const { limits, standing } = watched;
    if (standing !== Outcome.ok) return standing;
    const outcome = limits.read(this.sweeps);
    const now = this.host.clock.monotonic();
    if (outcome !== Outcome.ok || now < watched.workingSetAt) return outcome;
    const found = limits.readWorkingSet(this.sweeps);
    // One that failed is asked again in the next sweep: until then there is nothing to be held to.
    watched.workingSetAt = found === Outcome.ok ? now + pause(watched.workingSetAt, WORKING_SET_MS, row) : Number.NEGATIVE_INFINITY;
    return found;
  }

  private look(watched: Watched, subject: Subject): void {
    watched.standing = this.stand(watched.limits, subject);
    // A cgroup in which nothing is found has been removed since.
    const isBusy = watched.standing === Outcome.busy || (watched.standing === Outcome.ok && !watched.limits.areKnown);
    watched.nextAt = isBusy ? Number.NEGATIVE_INFINITY : this.host.clock.monotonic() + pause(watched.nextAt, LOOK_MS, subject.row);
    watched.workingSetAt = Math.min(watched.workingSetAt, this.host.clock.monotonic());
  }

  private stand(limits: Limits, subject: Subject): Outcome {
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
      return Object.keys(groups).length > 0 ? Outcome.ok : outcome;
    } catch (error) {
      limits.close();
      return outcomeOfErrno(error);
    }
  }
}

/** The first one is shorter, so that not all instances have their turn at the same moment. */
const pause = (before: number, ms: number, row: number): number => (before === Number.NEGATIVE_INFINITY ? ms * (1 - spread(row)) : ms);
