import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DIST } from './agent-process.js';
import type { Belongings } from './belongings.js';
import { Child, childrenOf } from './child.js';
import { eventually, Hopeless } from './eventually.js';
import type { Need } from './needs.js';

const MODULE = join(DIST, 'modules/events/tracing.js');
export const builtTracing: Need = { missing: () => (existsSync(MODULE) ? undefined : `no ${MODULE} (npm run build)`) };

/** What has tracing looked after twice a second, and says as JSON lines what it hears. Numbers that come are rung; null asks for another life. */
const SCRIPT = `
  import 'reflect-metadata';
  import { createInterface } from 'node:readline';
  const { Host } = await import(process.argv[2] + '/host/host.js');
  const { Settings } = await import(process.argv[2] + '/model/settings.js');
  const { Tracing } = await import(process.argv[2] + '/modules/events/tracing.js');
  const { Logger } = await import('@nestjs/common');
  Logger.overrideLogger(false);
  const tracing = new Tracing(new Host(), Object.assign(new Settings(), { tracing: 'auto' }, JSON.parse(process.argv[3])));
  const say = (what) => console.log(JSON.stringify(what));
  let session = null;
  tracing.serve({
    isWanted: () => true,
    slots: () => 2048,
    began: (begun) => { session = begun; say({ began: begun.blocks }); },
    line: (line) => say({ line }),
    ended: (reason) => say({ ended: reason }),
  });
  createInterface({ input: process.stdin }).on('line', (text) => {
    const numbers = JSON.parse(text);
    if (numbers) session?.ring(numbers);
    else session?.renew();
  });
  for (;;) {
    const outcome = await tracing.supervise();
    say({ outcome, hindrance: tracing.hindrance, blocks: tracing.blocks, ends: [...tracing.ends], failures: tracing.attachFailures });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
`;

export interface State {
  readonly outcome: number;
  readonly hindrance: { readonly reason: string; readonly words: string } | null;
  readonly blocks: Readonly<Record<string, string | null>> | null;
  readonly ends: readonly (readonly [string, number])[];
  readonly failures: readonly { readonly block: string; readonly reason: string; readonly count: number }[];
}

/** The compiled room of tracing alone in a process, which may be another user's. */
export class TracingDriver {
  state: State | null = null;
  readonly begun: Readonly<Record<string, string | null>>[] = [];
  readonly ended: string[] = [];
  readonly lines: string[] = [];
  /** Of each life that ended: what it said after its last tick. */
  readonly lastWords: (readonly string[])[] = [];

  private constructor(readonly child: Child) {
    void this.follow();
  }

  static async start(
    belongings: Belongings,
    settings: Readonly<Record<string, unknown>>,
    through: readonly string[] = [],
  ): Promise<TracingDriver> {
    const given = JSON.stringify({ tracingIntervalMs: 1000, ...settings });
    // From there packages are found.
    const options = { cwd: join(DIST, '..') };
    const words = [process.execPath, '--input-type=module', '--eval', SCRIPT, '--', 'driver', DIST, given];
    const child = await Child.start([...through, ...words], options);
    belongings.own(() => child.kill());
    return new TracingDriver(child);
  }

  ring(numbers: readonly number[]): void {
    this.child.write(`${JSON.stringify(numbers)}\n`);
  }

  renew(): void {
    this.child.write('null\n');
  }

  /** Waits for what it says. */
  async until(what: string, holds: (driver: this) => boolean): Promise<void> {
    await eventually(what, () => {
      if (this.child.ended) throw new Hopeless(`it ended: ${this.child.complaints}`);
      return holds(this);
    });
  }

  /** Pid of bpftrace, or of what stands for it. */
  program(): number {
    const [pid] = childrenOf(this.child.pid);
    if (pid === undefined) throw new Error('it runs no program');
    return pid;
  }

  private async follow(): Promise<void> {
    try {
      for (;;) this.take(await this.child.line());
    } catch {
      // It ended, or is silent for longer than anybody waits: that is what the test sees.
    }
  }

  private take(text: string): void {
    const said = JSON.parse(text) as Partial<State> & { began?: State['blocks']; line?: string; ended?: string };
    if (said.began) this.begun.push(said.began);
    else if (said.line !== undefined) this.lines.push(said.line);
    else if (said.ended !== undefined) this.end(said.ended);
    else this.state = said as State;
  }

  private end(reason: string): void {
    this.lastWords.push(this.lines.slice(this.lines.findLastIndex((line) => line.includes('"tick ')) + 1));
    this.ended.push(reason);
  }
}
