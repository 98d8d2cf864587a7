import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Cleanup } from './cleanup.js';
import { until } from './until.js';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** A program under test and everything it has written so far. */
export class Child {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private readonly process: ChildProcess;
  private end: Ended | undefined;

  constructor(command: string, args: readonly string[], { cwd, env, input }: ChildOptions = {}) {
    this.process = spawn(command, args, { cwd, env: { ...cleanEnvironment(), ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    // A program that ends without reading its input is no error of the test's.
    this.process.stdin?.on('error', () => undefined).end(input);
    collect(this.process.stdout, (text) => (this.stdout += text));
    collect(this.process.stderr, (text) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code, signal) => {
        this.end = { code, signal };
        resolve(this.end);
      });
    });
    // Who does not wait for the end is not told of a program that could not start; the wait for its output is.
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error('the program did not start');
    return this.process.pid;
  }

  get running(): boolean {
    return this.end === undefined;
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** Waits until what it wrote matches. @throws when it ends before, with all it wrote */
  wrote(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    const told = (): string => `${pattern} in\n${this.stdout}\n${this.stderr}`;
    return until(() => {
      const match = pattern.exec(this[stream]);
      if (!match && !this.running) throw new Error(`it ended without ${told()}`);
      return match ?? undefined;
    }, told);
  }

  /** Ends it, kindly and then not. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), 15_000);
    await this.ended;
    clearTimeout(timer);
  }
}

/** Runs a program to its end. */
export async function run(command: string, args: readonly string[], options: ChildOptions = {}): Promise<Child & Ended> {
  const child = new Child(command, args, options);
  return Object.assign(child, await child.ended);
}

/** @throws when it does not end with 0, with all it wrote */
export async function runWell(command: string, args: readonly string[], options: ChildOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

export function keep(cleanup: Cleanup, child: Child): Child {
  cleanup.add(() => child.stop());
  return child;
}

function collect(stream: Readable | null, take: (text: string) => void): void {
  stream?.setEncoding('utf8').on('data', take);
}

/** Without settings of the one who runs the tests, and without npm's and vitest's own words. */
function cleanEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) => !/^(VMGAUGE|HYPEMAN|VITEST|npm_|NODE_OPTIONS|NODE_ENV)/.test(name));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
