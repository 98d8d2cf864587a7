import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import type { Need } from './needs.js';

const ROOTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];
let made = 0;

/** Where version 2 is mounted. */
const root = (): string | undefined => ROOTS.find((directory) => existsSync(join(directory, 'cgroup.controllers')));

/** Cgroups of version 2 tell their pressure, whichever controllers they have. */
export const pressureOfCgroups: Need = {
  missing: () => {
    try {
      const group = new UnifiedCgroup('probe');
      const tells = existsSync(join(group.directory, 'cpu.pressure'));
      rmdirSync(group.directory);
      return tells ? undefined : 'cgroups of version 2 do not tell their pressure (boot with psi=1)';
    } catch (error) {
      return `no cgroup of version 2 can be made: ${error instanceof Error ? error.message : String(error)}`;
    }
  },
};

/** A cgroup of version 2 of the test's own. */
export class UnifiedCgroup {
  readonly directory: string;

  constructor(name: string) {
    this.directory = join(root() ?? '/sys/fs/cgroup/unified', `vmgauge-system-${process.pid}-${made++}-${name}`);
    mkdirSync(this.directory);
  }

  /** Removed with what else belongs to the test: whoever is in it must have ended by then. */
  static make(belongings: Belongings, name: string): UnifiedCgroup {
    const group = new UnifiedCgroup(name);
    belongings.own(() => eventually(`${name} is empty`, () => group.tryRemove()));
    return group;
  }

  take(pid: number): void {
    this.write('cgroup.procs', String(pid));
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.directory, file), text);
  }

  remove(): void {
    rmdirSync(this.directory);
  }

  /** Whole microseconds, as the kernel says now. */
  stalled(resource: 'cpu' | 'memory' | 'io', stall: 'some' | 'full'): number {
    return stalledIn(readFileSync(join(this.directory, `${resource}.pressure`), 'utf8'), stall);
  }

  private tryRemove(): boolean {
    try {
      if (existsSync(this.directory)) this.remove();
      return true;
    } catch {
      return false;
    }
  }
}

/** Of the whole host. */
export const stalledOfHost = (resource: 'cpu' | 'memory' | 'io', stall: 'some' | 'full'): number =>
  stalledIn(readFileSync(`/proc/pressure/${resource}`, 'utf8'), stall);

const stalledIn = (text: string, stall: string): number => Number(new RegExp(`^${stall} .*total=(\\d+)$`, 'm').exec(text)?.[1]);
