import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { LimitWord } from './cgroup-metrics.js';
import { Growth } from './growth.js';
import { type Controller, controllerOf, EVENTS, type FileKind, LEAST, LIMIT_FILES, OWN, SELDOM } from './limit-files.js';
import type { Numbers } from './limit-texts.js';
import type { OwnGroup } from './own-group.js';
import type { ParsedFile, ParsedFiles } from './parsed-file.js';

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

type File = ParsedFile<Numbers>;

interface Quota {
  readonly quota: File;
  /** null: the file of the quota has it. */
  readonly period: File | null;
  readonly burst: File | null;
}

/** A peak that was read a while ago may have been passed since. */
const PEAKS = [
  [AT.memoryPeak, AT.memoryUsage],
  [AT.pidsPeak, AT.pids],
] as const;

/** cpu.shares of version 1 and cpu.weight of version 2 that mean the same to the scheduler. */
const WEIGHT_OF_A_SHARE = 100 / 1024;

/** What is read where the instance stands. */
class Stand {
  /** Read in each sweep. */
  readonly often: File[] = [];
  readonly seldom: File[] = [];
  readonly quotas: Quota[] = [];
  readonly least: { readonly at: number; readonly files: readonly File[] }[] = [];
  readonly own: { readonly at: number; readonly file: File; readonly factor: number }[] = [];
  readonly events: { readonly at: readonly number[]; readonly file: File }[] = [];
  cpuUsage: File | null = null;
  inactive: File | null = null;

  constructor(private readonly files: ParsedFiles) {}

  /** @throws errors of opening, but for files that are not there */
  open(groups: Groups): void {
    this.openCpu(groups);
    for (const word of LEAST) {
      const group = groups[controllerOf(word)];
      if (!group) continue;
      const kind = LIMIT_FILES[group.version].least[word];
      const files = group.chain.flatMap((directory) => this.take(this.often, directory, kind) ?? []);
      this.least.push({ at: AT[word], files });
    }
    for (const word of OWN) {
      const group = groups[controllerOf(word)];
      const files = SELDOM.has(word) ? this.seldom : this.often;
      const file = group && this.take(files, group.chain[0], LIMIT_FILES[group.version].own[word]);
      if (file) this.own.push({ at: AT[word], file, factor: word === 'weight' && group.version === 1 ? WEIGHT_OF_A_SHARE : 1 });
    }
    if (groups.memory) this.openMemory(groups.memory);
  }

  close(): void {
    for (const file of this.all()) this.files.give(file);
  }

  all(): readonly File[] {
    return [...this.often, ...this.seldom];
  }

  private openCpu({ cpu, cpuacct }: Groups): void {
    // Version 2 counts CPU time in every cgroup, version 1 in a hierarchy that may be another one.
    const counting = cpu?.version === 2 ? cpu : cpuacct;
    if (counting) this.cpuUsage = this.take(this.often, counting.chain[0], LIMIT_FILES[counting.version].cpuUsage);
    const names = cpu && LIMIT_FILES[cpu.version];
    for (const directory of cpu?.chain ?? []) {
      const quota = this.take(this.often, directory, names?.quota);
      if (!quota) continue;
      const [period, burst] = [this.take(this.often, directory, names?.period), this.take(this.seldom, directory, names?.burst)];
      this.quotas.push({ quota, period, burst });
    }
  }

  private openMemory({ version, chain: [directory] }: OwnGroup): void {
    const { events, inactive } = LIMIT_FILES[version];
    for (const { words, file: kind } of events) {
      const file = this.take(this.often, directory, kind);
      if (file) this.events.push({ at: words.map((word) => AT[word]), file });
    }
    this.inactive = this.take(this.seldom, directory, inactive);
  }

  private take(files: File[], directory: string, kind: FileKind | undefined): File | null {
    const file = kind ? this.files.take(`${directory}/${kind[0]}`, kind[1]) : null;
    if (file) files.push(file);
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

  constructor(private readonly files: ParsedFiles) {
    this.stood = new Stand(files);
  }

  /** Whether any of the files is there. */
  get areKnown(): boolean {
    return this.stood.often.length > 0;
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

  /**
   * @param isThorough whether to read what hardly changes as well: at the first reading since it stands here, and now and then
   * @returns gone when one of the cgroups was removed; notConfigured where none of the files is there
   */
  read(sweep: number, isThorough: boolean): Outcome {
    const { often, seldom } = this.stood;
    if (often.length === 0) return Outcome.notConfigured;
    try {
      for (const file of often) file.read(sweep);
      if (isThorough) for (const file of seldom) file.read(sweep);
    } catch (error) {
      const outcome = outcomeOfErrno(error);
      if (outcome === Outcome.gone) this.forget();
      return outcome;
    }
    this.tell(isThorough);
    return Outcome.ok;
  }

  close(): void {
    this.stood.close();
    this.stood = new Stand(this.files);
    this.values.fill(Number.NaN);
  }

  /** A cgroup was removed: the next look opens all its files anew, so that none is of the one that was. */
  private forget(): void {
    for (const file of this.stood.all()) this.files.forget(file);
  }

  private tell(isThorough: boolean): void {
    const { values } = this;
    const { own, events, least, cpuUsage, inactive } = this.stood;
    const workingSet = values[AT.workingSet];
    values.fill(Number.NaN);
    this.tellQuota();
    for (const { at, files } of least) values[at] = leastOf(files);
    for (const { at, file, factor } of own) values[at] = finite(first(file) * factor);
    for (const [peak, usage] of PEAKS) if (values[usage] > values[peak]) values[peak] = values[usage];
    if (cpuUsage) values[AT.cpuUsage] = this.growths[AT.cpuUsage].add(first(cpuUsage), cpuUsage);
    for (const { at, file } of events)
      for (let i = 0; i < at.length; i++) values[at[i]] = this.growths[at[i]].add(file.value?.[i] ?? Number.NaN, file);
    // Both its numbers are of one moment.
    values[AT.workingSet] = isThorough ? Math.max(0, values[AT.memoryUsage] - (inactive ? first(inactive) : Number.NaN)) : workingSet;
  }

  private tellQuota(): void {
    let cores = Number.POSITIVE_INFINITY;
    let level: Quota | undefined;
    for (const one of this.stood.quotas) {
      const ofLevel = first(one.quota) / periodOf(one);
      if (!(ofLevel < cores)) continue;
      cores = ofLevel;
      level = one;
    }
    const { values } = this;
    values[AT.cores] = finite(cores);
    values[AT.quota] = level ? first(level.quota) : Number.NaN;
    values[AT.period] = level ? periodOf(level) : Number.NaN;
    values[AT.burst] = level?.burst ? first(level.burst) : Number.NaN;
  }
}

/** NaN for what the kernel does not tell. */
const first = ({ value }: File): number => value?.[0] ?? Number.NaN;
const periodOf = ({ quota, period }: Quota): number => (period ? first(period) : (quota.value?.[1] ?? Number.NaN));
const finite = (value: number): number => (Number.isFinite(value) ? value : Number.NaN);

/** What a level does not tell limits nobody. */
function leastOf(files: readonly File[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const file of files) if (first(file) < least) least = first(file);
  return finite(least);
}
