import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import type { Need } from './needs.js';

const MOUNTS = '/sys/fs/cgroup';
const PERIOD_US = 100_000;
let made = 0;

/** Root of the hierarchy with the cpu controller, and its version. */
function hierarchy(): { readonly root: string; readonly version: 1 | 2 } | undefined {
  const first = ['cpu,cpuacct', 'cpu'].map((name) => join(MOUNTS, name)).find((root) => existsSync(join(root, 'cpu.cfs_quota_us')));
  if (first) return { root: first, version: 1 };
  const controllers = join(MOUNTS, 'cgroup.controllers');
  return existsSync(controllers) && /\bcpu\b/.test(readFileSync(controllers, 'utf8')) ? { root: MOUNTS, version: 2 } : undefined;
}

/** A directory below it can be made, and a quota be given to it. */
export const cpuQuotas: Need = {
  missing: () => {
    try {
      const group = new CpuCgroup('probe');
      group.limit(0.5);
      group.remove();
      return undefined;
    } catch (error) {
      return `no cgroup with a CPU quota can be made: ${error instanceof Error ? error.message : String(error)}`;
    }
  },
};

/** A cgroup of the test's own, of whichever version has the cpu controller here. */
export class CpuCgroup {
  readonly directory: string;
  private readonly version: 1 | 2;

  /** @param name may be of several levels, the outer ones made before */
  constructor(name: string) {
    const found = hierarchy();
    if (!found) throw new Error(`no cpu controller below ${MOUNTS}`);
    this.version = found.version;
    if (found.version === 2) writeFileSync(join(found.root, 'cgroup.subtree_control'), '+cpu');
    this.directory = join(found.root, `vmgauge-system-${process.pid}-${made++}-${name}`);
    mkdirSync(this.directory);
  }

  /** Emptied and removed with what else belongs to the test: whoever is in it must have ended by then. */
  static make(belongings: Belongings, name: string): CpuCgroup {
    const group = new CpuCgroup(name);
    belongings.own(() => eventually(`${name} is empty`, () => group.tryRemove()));
    return group;
  }

  /** CPUs that all in it may use together. */
  limit(cpus: number): void {
    const quota = Math.round(cpus * PERIOD_US);
    if (this.version === 2) this.write('cpu.max', `${quota} ${PERIOD_US}`);
    else {
      this.write('cpu.cfs_period_us', String(PERIOD_US));
      this.write('cpu.cfs_quota_us', String(quota));
    }
  }

  take(pid: number): void {
    this.write('cgroup.procs', String(pid));
  }

  /** One thread; in version 2 only among cgroups made for that, which these are not. */
  takeThread(tid: number): void {
    this.write('tasks', String(tid));
  }

  get isOfVersion1(): boolean {
    return this.version === 1;
  }

  /** Whole microseconds, as the kernel says now: of the cgroup itself where it tells that. */
  get throttledMicroseconds(): number {
    const local = join(this.directory, 'cpu.stat.local');
    const text = readFileSync(existsSync(local) ? local : join(this.directory, 'cpu.stat'), 'utf8');
    const [, name, digits] = /^throttled_(usec|time) (\d+)$/m.exec(text) ?? [];
    return name === 'usec' ? Number(digits) : Math.floor(Number(digits) / 1000);
  }

  get periods(): number {
    return Number(/^nr_periods (\d+)$/m.exec(readFileSync(join(this.directory, 'cpu.stat'), 'utf8'))?.[1]);
  }

  remove(): void {
    rmdirSync(this.directory);
  }

  tryRemove(): boolean {
    try {
      if (existsSync(this.directory)) this.remove();
      return true;
    } catch {
      return false;
    }
  }

  private write(file: string, text: string): void {
    writeFileSync(join(this.directory, file), text);
  }
}
