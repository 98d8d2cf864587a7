import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Belongings } from './belongings.js';
import { Child, type ChildOptions } from './child.js';

/** Compiled once per suite. Static, so that they run in a jail with nothing else in it. */
export class StandInPrograms {
  readonly directory = mkdtempSync(join(tmpdir(), 'vmgauge-system-'));
  readonly launcher: string;
  private readonly original: string;

  constructor(belongings: Belongings) {
    belongings.own(() => rmSync(this.directory, { recursive: true, force: true }));
    this.original = this.compile('stand-in');
    this.launcher = this.compile('launcher');
    // Other users run them too.
    execFileSync('chmod', ['755', this.directory]);
  }

  /** A copy under a VMM's name. @returns its path */
  named(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) copyFileSync(this.original, path);
    return path;
  }

  private compile(name: string): string {
    const path = join(this.directory, name);
    execFileSync('gcc', ['-O1', '-static', '-o', path, join(import.meta.dirname, `${name}.c`)], { stdio: ['ignore', 'ignore', 'inherit'] });
    return path;
  }
}

/** A running stand-in that does what it is told. */
export class StandIn {
  private constructor(
    readonly child: Child,
    readonly pid: number,
  ) {}

  /**
   * @param argv what is to be executed, namespaces and launchers first
   * @param orders obeyed before `start` resolves; @see stand-in.c
   */
  static async start(
    belongings: Belongings,
    argv: readonly string[],
    orders: readonly string[] = [],
    options: ChildOptions = {},
  ): Promise<StandIn> {
    const child = await Child.start(argv, { ...options, env: { STAND_IN: orders.join(';'), ...options.env } });
    belongings.own(() => child.kill());
    const [, pid] = await child.lineThat(/^(?:ready|child (\d+))$/);
    if (pid !== undefined) await child.lineThat(/^ready$/);
    return new StandIn(child, pid === undefined ? child.pid : Number(pid));
  }

  /** @returns the numbers of its answer. @throws when it could not do it */
  async tell(order: string): Promise<number[]> {
    this.child.write(`${order}\n`);
    const answer = await this.child.line();
    if (!answer.startsWith('ok')) throw new Error(`${order}: ${answer}`);
    return answer.split(' ').slice(1).map(Number);
  }
}
