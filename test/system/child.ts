import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { eventually, Hopeless } from './eventually.js';

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The first word of argv as the process shall see it, where it is not the program. */
  readonly argv0?: string;
  /** Descriptors of the test's that it gets as 3, 4, …: the very same open files. */
  readonly inherits?: readonly number[];
}

/** A process of a test: it dies with the test's own process, and is reaped before `kill` returns. */
export class Child {
  readonly pid: number;
  /** Everything it wrote to standard error. */
  complaints = '';
  private readonly lines: string[] = [];
  private rest = '';
  private reaped = false;
  private silent = false;

  private constructor(
    private readonly process: ChildProcess,
    private readonly command: string,
  ) {
    if (process.pid === undefined) throw new Error(`${command} could not be started`);
    this.pid = process.pid;
    process.on('exit', () => {
      this.reaped = true;
    });
    process.on('close', () => {
      this.silent = true;
    });
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.complaints += text;
    });
    process.stdout?.setEncoding('utf8').on('data', (text: string) => this.take(text));
    // A process that ended may leave lines unread: that is what the test wanted.
    process.stdin?.on('error', () => undefined);
  }

  /** Resolves when the program runs, not when it is ready. @throws when it cannot be started */
  static async start(argv: readonly string[], { env = {}, cwd, argv0, inherits = [] }: ChildOptions = {}): Promise<Child> {
    // The kernel's own tie to the parent, prctl(2) PR_SET_PDEATHSIG: a test run that is killed leaves nothing behind.
    const words = argv0 === undefined ? argv : ['bash', '-c', 'exec -a "$0" "$@"', argv0, ...argv];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...words], {
      ...{ env: { ...process.env, ...env }, cwd },
      stdio: ['pipe', 'pipe', 'pipe', ...inherits],
    });
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    return new Child(child, argv.join(' '));
  }

  get ended(): boolean {
    return this.reaped;
  }

  /** Next line of its standard output. */
  line(): Promise<string> {
    return eventually(`a line of ${this.command}`, () => {
      if (this.lines.length > 0) return this.lines.shift();
      if (this.silent) throw new Hopeless(`it ended: ${this.complaints}`);
      return undefined;
    });
  }

  /** The first line from now on that matches. */
  async lineThat(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(await this.line());
      if (match) return match;
    }
  }

  write(text: string): void {
    this.process.stdin?.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Ends it and waits until it is reaped. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal);
    await this.gone();
  }

  async gone(): Promise<void> {
    await eventually(`the end of ${this.command}`, () => this.reaped);
  }

  private take(text: string): void {
    const parts = (this.rest + text).split('\n');
    this.rest = parts.pop() ?? '';
    this.lines.push(...parts);
  }
}

/** Pids of a process's children, proc_pid_task_tid_children(5). */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

/** Field 22 of /proc/<pid>/stat, clock ticks after boot. */
export function startTicksOf(pid: number): number {
  const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[19]);
}
