import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { LimitWord } from './cgroup-metrics.js';
import { Growth } from './growth.js';
import { type Controller, controllerOf, EVENTS, type FileKind, LEAST, LIMIT_FILES, OWN } from './limit-files.js';
import type { OwnGroup } from './own-group.js';
import type { SweptFile, SweptFiles } from './swept-file.js';

/** By controller, where the instance has a cgroup of its own there. */
export type Groups = Readonly<Partial<Record<Controller, OwnGroup>>>;

export const LIMIT_WORDS: readonly LimitWord[] = [
  ...LEAST,
  ...OWN,
  ...EVENTS,
  'cores',
  'quota',
  'period',
  'burst',
  'cpuUsage',
  'workingSet',
];

/** Places among those. Object.fromEntries forgets the keys' names; they are those words. */
const AT = Object.fromEntries(LIMIT_WORDS.map((word, i) => [word, i])) as Readonly<Record<LimitWord, number>>;

interface Quota {
  readonly quota: SweptFile;
  /** null: the file of the quota has it. */
  readonly period: SweptFile | null;
  readonly burst: SweptFile | null;
}

/** cpu.shares of version 1 and cpu.weight of version 2 that mean the same to the scheduler. */
const WEIGHT_OF_A_SHARE = 100 / 1024;

/** What is read where the instance stands. */
class Stand {
  readonly held: SweptFile[] = [];
  readonly quotas: Quota[] = [];
  readonly least: { readonly at: number; readonly files: readonly SweptFile[] }[] = [];
  readonly own: { readonly at: number; readonly file: SweptFile; readonly factor: number }[] = [];
  readonly events: { readonly at: readonly number[]; readonly file: SweptFile }[] = [];
  cpuUsage: SweptFile | null = null;
  /** Read at its own pace. */
  inactive: SweptFile | null = null;

  constructor(private readonly files: SweptFiles) {}

  /** @throws errors of opening, but for files that are not there */
  open(groups: Groups): void {
    this.openCpu(groups);
    for (const word of LEAST) {
      const group = groups[controllerOf(word)];
      if (!group) continue;
      const kind = LIMIT_FILES[group.version].least[word];
      const files = group.chain.flatMap((directory) => this.take(directory, kind) ?? []);
      this.least.push({ at: AT[word], files });
    }
    for (const word of OWN) {
      const group = groups[controllerOf(word)];
      const file = group && this.take(group.chain[0], LIMIT_FILES[group.version].own[word]);
      if (file) this.own.push({ at: AT[word], file, factor: word === 'weight' && group.version === 1 ? WEIGHT_OF_A_SHARE : 1 });
    }
    if (groups.memory) this.openMemory(groups.memory);
  }

  close(): void {
    for (const file of this.held) this.files.give(file);
    if (this.inactive) this.files.give(this.inactive);
  }

  private openCpu({ cpu, cpuacct }: Groups): void {
    // Version 2 counts CPU time in every cgroup, version 1 in a hierarchy that may be another one.
    const counting = cpu?.version === 2 ? cpu : cpuacct;
    if (counting) this.cpuUsage = this.take(counting.chain[0], LIMIT_FILES[counting.version].cpuUsage);
    const names = cpu && LIMIT_FILES[cpu.version];
    for (const directory of cpu?.chain ?? []) {
      const quota = this.take(directory, names?.quota);
      if (quota) this.quotas.push({ quota, period: this.take(directory, names?.period), burst: this.take(directory, names?.burst) });
    }
  }

  private openMemory({ version, chain: [directory] }: OwnGroup): void {
    const { events, inactive } = LIMIT_FILES[version];
    for (const { words, file: kind } of events) {
      const file = this.take(directory, kind);
      if (file) this.events.push({ at: words.map((word) => AT[word]), file });
    }
    this.inactive = this.files.take(`${directory}/${inactive[0]}`, inactive[1]);
  }

  private take(directory: string, kind: FileKind | undefined): SweptFile | null {
    const file = kind ? this.files.take(`${directory}/${kind[0]}`, kind[1]) : null;
    if (file) this.held.push(file);
    return file;
  }
}

/**
 * The limits on one instance and what it uses of them. Counters go on where they were when the instance is moved to another cgroup.
 */
export class Limits {
  /** As of the last `read`, in the order of LIMIT_WORDS: microseconds, bytes, counts; NaN for what is not known and for a limit that is none. */
  readonly values = new Float64Array(LIMIT_WORDS.length).fill(Number.NaN);
  private stood: Stand;
  private readonly growths: readonly Growth[] = LIMIT_WORDS.map(() => new Growth());

  constructor(private readonly files: SweptFiles) {
    this.stood = new Stand(files);
  }

  /** Whether any of the files is there. */
  get areKnown(): boolean {
    return this.stood.held.length > 0;
  }

  /** It stands here now. @throws errors of opening, but for files that are not there; it then stands nowhere */
  stand(groups: Groups): void {
    const before = this.stood;
    const now = new Stand(this.files);
    this.stood = now;
    try {
      now.open(groups);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      // After the new ones are taken: what is in both stays open.
      before.close();
    }
    if (before.inactive !== now.inactive) this.values[AT.workingSet] = Number.NaN;
  }

  /** @returns gone when one of the cgroups was removed; notConfigured where none of the files is there */
  read(sweep: number): Outcome {
    const { held, own, events, least, cpuUsage } = this.stood;
    if (held.length === 0) return Outcome.notConfigured;
    for (const file of held) {
      const outcome = this.tryRead(file, sweep);
      if (outcome !== Outcome.ok) return outcome;
    }
    const { values } = this;
    const workingSet = values[AT.workingSet];
    values.fill(Number.NaN);
    values[AT.workingSet] = workingSet;
    this.tellQuota();
    for (const { at, files } of least) values[at] = leastOf(files);
    for (const { at, file, factor } of own) values[at] = finite(file.values[0] * factor);
    if (cpuUsage) values[AT.cpuUsage] = this.growths[AT.cpuUsage].add(cpuUsage.values[0], cpuUsage);
    for (const { at, file } of events) for (let i = 0; i < at.length; i++) values[at[i]] = this.growths[at[i]].add(file.values[i], file);
    return Outcome.ok;
  }

  /** After a `read` that was ok. The kernel adds up what all CPUs counted when it is asked for this. */
  readWorkingSet(sweep: number): Outcome {
    const { inactive } = this.stood;
    const outcome = inactive ? this.tryRead(inactive, sweep) : Outcome.ok;
    const usage = this.values[AT.memoryUsage];
    this.values[AT.workingSet] = inactive && outcome === Outcome.ok ? Math.max(0, usage - inactive.values[0]) : Number.NaN;
    return outcome;
  }

  close(): void {
    this.stood.close();
    this.stood = new Stand(this.files);
    this.values.fill(Number.NaN);
  }

  /** A cgroup was removed: the next look opens all its files anew, so that none is of the one that was. */
  private forget(): void {
    const { held, inactive } = this.stood;
    for (const file of held) this.files.forget(file);
    if (inactive) this.files.forget(inactive);
  }

  private tryRead(file: SweptFile, sweep: number): Outcome {
    try {
      file.read(sweep);
      return Outcome.ok;
    } catch (error) {
      const outcome = outcomeOfErrno(error);
      if (outcome === Outcome.gone) this.forget();
      return outcome;
    }
  }

  private tellQuota(): void {
    let cores = Number.POSITIVE_INFINITY;
    let level: Quota | undefined;
    for (const one of this.stood.quotas) {
      const ofLevel = one.quota.values[0] / periodOf(one);
      if (!(ofLevel < cores)) continue;
      cores = ofLevel;
      level = one;
    }
    const { values } = this;
    values[AT.cores] = finite(cores);
    values[AT.quota] = level?.quota.values[0] ?? Number.NaN;
    values[AT.period] = level ? periodOf(level) : Number.NaN;
    values[AT.burst] = level?.burst?.values[0] ?? Number.NaN;
  }
}

const periodOf = ({ quota, period }: Quota): number => (period ? period.values[0] : quota.values[1]);
const finite = (value: number): number => (Number.isFinite(value) ? value : Number.NaN);

/** What a level does not tell limits nobody. */
function leastOf(files: readonly SweptFile[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { values } of files) if (values[0] < least) least = values[0];
  return finite(least);
}
