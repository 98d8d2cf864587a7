import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { CpuGroup, CpuGroups } from './cpu-group.js';
import type { Throttling } from './cpu-stat.js';
import type { Chain } from './standing.js';

type Totals = { -readonly [Word in keyof Throttling]: number };

/** What one cgroup adds: its periods, and the time by cpu.stat.local or cpu.stat; null where a cgroup below tells that time already. */
interface Share {
  readonly periods: Throttling;
  readonly time: Throttling | null;
  /** By cpu.stat.local, which has the throttling of every level above. */
  readonly isLocal: boolean;
}

/**
 * What CPU quotas did to one VM, over all cgroups that its threads are in, as counters that never go back. At the first look they are what
 * those cgroups had counted by then; of one that the VM came into later only counts what it counts from there on.
 *
 * Time is that of the cgroups the threads are in: `cpu.stat.local` has the throttling of all they lie in. Before Linux 6.6 there is none: then
 * the times of all levels are added up, which counts twice what two of them throttle at once and what throttles others only.
 */
export class ThrottlingLedger {
  readonly totals: Totals = { periods: 0, throttledPeriods: 0, throttledMicroseconds: 0 };
  private chains: readonly (readonly CpuGroup[])[] = [];
  /** Those of all chains. */
  private held: readonly CpuGroup[] = [];
  private last = new Map<CpuGroup, Share>();
  private isNew = true;
  /** Of all its cgroups, when they were last added up; NaN for no such time. */
  private seen = Number.NaN;
  private told: Outcome = Outcome.busy;

  constructor(private readonly groups: CpuGroups) {}

  /** The VM's threads are here now. @throws errors of opening; it then stands nowhere */
  stand(chains: readonly Chain[]): void {
    const old = this.held;
    const taken: CpuGroup[][] = [];
    this.chains = taken;
    this.seen = Number.NaN;
    try {
      for (const chain of chains) {
        const own: CpuGroup[] = [];
        taken.push(own);
        for (const directory of chain) own.push(this.groups.take(directory));
      }
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.held = this.chains.flat();
      // After the new ones are taken: what is in both stays open.
      for (const group of old) this.groups.give(group);
    }
  }

  /** @param sweep another number for each sweep @returns gone when one of the cgroups was removed; notConfigured where none has the controller */
  read(sweep: number): Outcome {
    // Where nobody has a quota nothing ever changes.
    if (this.changes(sweep) === this.seen) return this.told;
    this.told = this.addAll(sweep);
    this.seen = this.changes(sweep);
    return this.told;
  }

  /** Each cgroup's number only grows, so their sum stays only where all do. NaN where one cannot be read. */
  private changes(sweep: number): number {
    const { held } = this;
    let changes = 0;
    try {
      for (let i = 0; i < held.length; i++) changes += held[i].changes(sweep);
      return changes;
    } catch {
      return Number.NaN;
    }
  }

  private addAll(sweep: number): Outcome {
    const shares = new Map<CpuGroup, Share>();
    for (const chain of this.chains) {
      const outcome = this.readChain(chain, sweep, shares);
      if (outcome !== Outcome.ok) return outcome;
    }
    if (shares.size === 0) return Outcome.notConfigured;
    for (const [group, share] of shares) this.add(share, this.last.get(group));
    this.last = shares;
    this.isNew = false;
    return Outcome.ok;
  }

  close(): void {
    for (const group of this.chains.flat()) this.groups.give(group);
    this.chains = [];
    this.held = [];
  }

  private readChain(chain: readonly CpuGroup[], sweep: number, shares: Map<CpuGroup, Share>): Outcome {
    let isTold = false;
    for (const group of chain) {
      try {
        const share = readShare(group, sweep, isTold);
        if (share === null) return Outcome.malformed;
        if (share === 'none') continue;
        isTold ||= share.isLocal;
        shares.set(group, share.time ? share : (shares.get(group) ?? share));
      } catch (error) {
        const outcome = outcomeOfErrno(error);
        if (outcome === Outcome.gone) this.groups.forget(group);
        return outcome;
      }
    }
    return Outcome.ok;
  }

  private add({ periods, time }: Share, before: Share | undefined): void {
    const { totals } = this;
    totals.periods += this.growth(periods, before?.periods, 'periods');
    totals.throttledPeriods += this.growth(periods, before?.periods, 'throttledPeriods');
    if (time) totals.throttledMicroseconds += this.growth(time, before?.time, 'throttledMicroseconds');
  }

  private growth(now: Throttling, before: Throttling | null | undefined, word: keyof Throttling): number {
    if (before) return Math.max(0, now[word] - before[word]);
    return this.isNew ? now[word] : 0;
  }
}

/** @param isTold whether a cgroup below told this one's time @returns 'none' where the controller is off, null for what is no number */
function readShare(group: CpuGroup, sweep: number, isTold: boolean): Share | 'none' | null {
  const periods = group.read(sweep);
  if (periods === 'none') return 'none';
  // A number that is not told would make every later sum unknown.
  if (!periods || Number.isNaN(periods.periods + periods.throttledPeriods + periods.throttledMicroseconds)) return null;
  if (isTold) return { periods, time: null, isLocal: false };
  const local = group.readLocal(sweep);
  if (local === 'none') return { periods, time: periods, isLocal: false };
  return !local || Number.isNaN(local.throttledMicroseconds) ? null : { periods, time: local, isLocal: true };
}
