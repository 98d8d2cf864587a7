import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import type { Need } from './needs.js';

const MOUNTS = '/sys/fs/cgroup';
/** Whose files a test writes. */
const CONTROLLERS = ['cpu', 'memory', 'pids', 'blkio'];
let made = 0;

/** Roots of all hierarchies that have a controller, and of version 2. */
function roots(): readonly string[] {
  if (existsSync(join(MOUNTS, 'cgroup.controllers'))) return [MOUNTS];
  return readdirSync(MOUNTS)
    .filter((name) => name !== 'systemd' && name !== 'cpuset')
    .map((name) => join(MOUNTS, name))
    .filter((root) => existsSync(join(root, 'cgroup.procs')));
}

/** A cgroup of the same name in every hierarchy, as a manager makes it for a VM. */
export class WholeCgroup {
  readonly path: string;
  private readonly directories: readonly string[];
  private readonly isVersion2 = existsSync(join(MOUNTS, 'cgroup.controllers'));

  private constructor(name: string) {
    this.path = `/vmgauge-system-${process.pid}-${made++}-${name}`;
    if (this.isVersion2)
      writeFileSync(
        join(MOUNTS, 'cgroup.subtree_control'),
        CONTROLLERS.filter(isInVersion2)
          .map((one) => `+${one}`)
          .join(' '),
      );
    this.directories = roots().map((root) => root + this.path);
    for (const directory of this.directories) mkdirSync(directory);
  }

  /** Removed with what else belongs to the test: whoever is in it must have ended by then. */
  static make(belongings: Belongings, name: string): WholeCgroup {
    const group = new WholeCgroup(name);
    belongings.own(() => eventually(`${name} is empty`, () => group.tryRemove()));
    return group;
  }

  /** Words that start the program behind them inside: memory belongs to the cgroup in which it was first touched. */
  get entrance(): readonly string[] {
    const lines = this.directories.map((directory) => `echo $$ > '${directory}/cgroup.procs'`).join(' && ');
    return ['sh', '-c', `${lines} && exec "$@"`, 'sh'];
  }

  limitMemory(bytes: number): void {
    this.write(this.isVersion2 ? 'memory.max' : 'memory.limit_in_bytes', String(bytes));
  }

  /** CPUs that all in it may use together. */
  limitCpus(cpus: number): void {
    const quota = Math.round(cpus * 100_000);
    if (this.isVersion2) this.write('cpu.max', `${quota} 100000`);
    else {
      this.write('cpu.cfs_period_us', '100000');
      this.write('cpu.cfs_quota_us', String(quota));
    }
  }

  private write(file: string, text: string): void {
    const directory = this.directories.find((one) => existsSync(join(one, file)));
    if (directory === undefined) throw new Error(`no cgroup has ${file}`);
    writeFileSync(join(directory, file), text);
  }

  private tryRemove(): boolean {
    try {
      for (const directory of this.directories) if (existsSync(directory)) rmdirSync(directory);
      return true;
    } catch {
      return false;
    }
  }
}

const isInVersion2 = (controller: string): boolean =>
  readFileSync(join(MOUNTS, 'cgroup.controllers'), 'utf8').trim().split(' ').includes(controller);

/** Limits of CPU and memory can be given. */
export const limits: Need = {
  missing: () => {
    const has = (file: string): boolean => roots().some((root) => existsSync(join(root, file)));
    if (existsSync(join(MOUNTS, 'cgroup.controllers')))
      return ['cpu', 'memory'].every(isInVersion2) ? undefined : 'version 2 without cpu and memory';
    return has('cpu.cfs_quota_us') && has('memory.limit_in_bytes') ? undefined : `no controllers of CPU and memory below ${MOUNTS}`;
  },
};
