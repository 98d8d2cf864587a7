import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import type { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';

/** A mount namespace of the test's own: what is mounted here is seen by nobody else, and goes with it. */
export class MountNamespace {
  private constructor(private readonly pid: number) {}

  static async start(belongings: Belongings): Promise<MountNamespace> {
    const child = await Child.start(['unshare', '--mount', '--propagation', 'private', 'sleep', 'infinity']);
    belongings.own(() => child.kill());
    const outside = readlinkSync('/proc/self/ns/mnt');
    await eventually('a mount namespace of its own', () => readlinkSync(`/proc/${child.pid}/ns/mnt`) !== outside);
    return new MountNamespace(child.pid);
  }

  /** Words that put the program behind them into this namespace. */
  get entrance(): readonly string[] {
    return ['nsenter', '--target', String(this.pid), '--mount', '--'];
  }

  /** A line as a shell takes it. @throws when it fails */
  shell(line: string): void {
    const [program, ...words] = [...this.entrance, 'sh', '-ec', line];
    execFileSync(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
