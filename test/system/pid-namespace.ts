import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Belongings } from './belongings.js';
import { Child, childrenOf } from './child.js';
import { eventually } from './eventually.js';

/** A pid namespace of the test's own, with its /proc: nobody else's processes are in it, and its pids can be chosen. */
export class PidNamespace {
  private constructor(private readonly init: number) {}

  /** @param launcher compiled launcher.c, whose `init` reaps orphans */
  static async start(belongings: Belongings, launcher: string): Promise<PidNamespace> {
    const child = await Child.start(['unshare', '--pid', '--fork', '--mount-proc', '--kill-child=SIGKILL', '--', launcher, 'init']);
    // With its first process every process of the namespace ends.
    belongings.own(() => child.kill());
    const init = await eventually('the first process of the namespace', () => childrenOf(child.pid)[0]);
    const namespace = new PidNamespace(init);
    await eventually('its own /proc', async () => {
      const look = await Child.start([...namespace.entrance, 'readlink', '/proc/self']);
      return /^\d{1,3}$/.test(await look.line());
    });
    return namespace;
  }

  /** Words that put the program behind them into this namespace, as a child of theirs. */
  get entrance(): readonly string[] {
    return ['nsenter', '--target', String(this.init), '--pid', '--mount', '--'];
  }

  /** Its /proc, as the test sees it. */
  get proc(): string {
    return `/proc/${this.init}/root/proc`;
  }

  /** Processes that live now, by their pids in this namespace. */
  processes(): { readonly pid: number; readonly argv: readonly string[] }[] {
    return readdirSync(this.proc).flatMap((entry) => {
      if (!/^\d+$/.test(entry)) return [];
      try {
        return [{ pid: Number(entry), argv: readFileSync(`${this.proc}/${entry}/cmdline`, 'latin1').split('\0').slice(0, -1) }];
      } catch {
        return [];
      }
    });
  }

  /** @param pid in this namespace */
  kill(pid: number, signal = 'KILL'): void {
    execFileSync(this.entrance[0], [...this.entrance.slice(1), 'kill', `-${signal}`, String(pid)]);
  }
}
