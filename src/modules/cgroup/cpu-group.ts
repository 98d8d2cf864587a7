import type { Host } from '../../host/host.js';
import { HostError } from '../../host/host-error.js';
import { parseThrottling } from './cpu-stat.js';
import { GroupFile, unlessMissing } from './group-file.js';

/** cpu.stat has 8 lines. */
const text = Buffer.allocUnsafeSlow(4096);

type Reading = ReturnType<typeof parseThrottling>;

/** A file of a cgroup, read at most once a sweep. */
class StatFile {
  private readonly file: GroupFile;
  /** How often it said something new. */
  changes = 0;
  private readAt = -1;
  private reading: Reading = null;

  /** @throws ENOENT, EACCES and the like */
  constructor(
    host: Host,
    path: string,
    /** What an empty file says. */
    private readonly empty: 'none' | null,
  ) {
    this.file = new GroupFile(host, path);
  }

  /** @throws ENODEV for a cgroup that was removed */
  read(sweep: number): Reading {
    if (this.readAt === sweep) return this.reading;
    const length = this.file.read(text);
    const reading = length === 0 ? this.empty : parseThrottling(text.toString('latin1', 0, length));
    if (!isSame(reading, this.reading)) this.changes++;
    this.reading = reading;
    this.readAt = sweep;
    return this.reading;
  }

  close(): void {
    this.file.close();
  }
}

/**
 * A directory of the cpu hierarchy. Held, it answers ENODEV once the cgroup was removed, whatever is made at its path then. VMs share those
 * that all of them lie in.
 */
export class CpuGroup {
  users = 0;
  private readonly stat: StatFile | null;
  private local: StatFile | null | undefined;

  /** @throws ENOENT for a directory that is not there */
  constructor(
    private readonly host: Host,
    readonly directory: string,
  ) {
    this.stat = this.open('cpu.stat', null);
    if (!this.stat && !host.exists(directory)) throw new HostError('ENOENT', `no cgroup ${directory}`);
  }

  /** What quotas did to it; 'none' where its cpu controller is off, null for a text that is none. @throws ENODEV, EACCES */
  read(sweep: number): Reading {
    return this.stat ? this.stat.read(sweep) : 'none';
  }

  /**
   * How long it was kept from running by its own quota or by that of any cgroup it lies in, while something in it could run: 'none' before
   * Linux 6.6. Otherwise as `read`; of the numbers only the time.
   */
  readLocal(sweep: number): Reading {
    if (this.local === undefined) this.local = this.open('cpu.stat.local', 'none');
    return this.local ? this.local.read(sweep) : 'none';
  }

  /** Counts what its files said anew, as far as anybody wanted to know; grows when one of them is first opened. @throws as `read` */
  changes(sweep: number): number {
    const { stat, local } = this;
    stat?.read(sweep);
    local?.read(sweep);
    return (stat?.changes ?? NEVER) + (local?.changes ?? NEVER);
  }

  close(): void {
    this.stat?.close();
    this.local?.close();
  }

  /** null where the kernel has no such file. */
  private open(file: string, empty: 'none' | null): StatFile | null {
    return unlessMissing(() => new StatFile(this.host, `${this.directory}/${file}`, empty));
  }
}

/** Of a file that is not there. */
const NEVER = 0;
const NUMBERS = ['periods', 'throttledPeriods', 'throttledMicroseconds'] as const;

function isSame(a: Reading, b: Reading): boolean {
  if (a === b) return true;
  if (a === null || b === null || a === 'none' || b === 'none') return false;
  // NaN is what a file does not tell: cpu.stat.local has no periods.
  return NUMBERS.every((word) => Object.is(a[word], b[word]));
}

/** The cgroups that VMs stand in, each held once. */
export class CpuGroups {
  private readonly groups = new Map<string, CpuGroup>();

  constructor(private readonly host: Host) {}

  /** @throws as the constructor of CpuGroup */
  take(directory: string): CpuGroup {
    const group = this.groups.get(directory) ?? new CpuGroup(this.host, directory);
    this.groups.set(directory, group);
    group.users++;
    return group;
  }

  /** The last user's is closed. */
  give(group: CpuGroup): void {
    if (--group.users > 0) return;
    group.close();
    if (this.groups.get(group.directory) === group) this.groups.delete(group.directory);
  }

  /** It was removed: who takes its directory from now on gets what is there then. */
  forget({ directory }: CpuGroup): void {
    this.groups.delete(directory);
  }
}
