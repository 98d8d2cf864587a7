import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { HostError } from './host-error.js';
import { LineSplitter } from './line-splitter.js';

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 2000;
/** What a program wrote last may come after its end, and its own children may hold the pipes open for ever. */
const REST_MS = 500;
/** Of a whole line. */
const LIGHT = 1 / 10;
/** Kept of standard error: what came last. */
const COMPLAINT_BYTES = 16_384;

export interface ProgramLimits {
  /** Of one line of standard output, its end included. */
  readonly lineBytes: number;
  /** Of all standard output until the next `renew`. */
  readonly budgetBytes: number;
  /** Of lines of standard output until then: each has its price, however short. */
  readonly budgetLines: number;
  /** Lines of which ten count as one: next to nothing is done with them. */
  readonly isLight?: (line: string) => boolean;
  /** Between SIGTERM and SIGKILL, milliseconds. */
  readonly graceMs?: number;
}

export interface ProgramCall {
  /** An absolute path. No shell sees it or the arguments. */
  readonly path: string;
  readonly words: readonly string[];
  /** All of its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: ProgramLimits;
}

export interface ProgramEnd {
  /** Null where a signal ended it, or it never ran. */
  readonly status: number | null;
  readonly signal: string | null;
  /** Why it was ended from here: EFBIG for a flood, EPIPE for one that closed its output; or why it could not be started. */
  readonly error: Error | null;
  /** The end of what it wrote to standard error. */
  readonly complaint: string;
}

export interface ProgramListener {
  /** A whole line of standard output without its end. */
  line(text: string): void;
  /** Once, when it is reaped or could not be started; nothing comes after it. */
  ended(end: ProgramEnd): void;
}

/**
 * A program that runs for long and speaks in lines, with nothing on its standard input and in a process group of its own. It never keeps this process alive,
 * and this process leaves none behind: at its own end it kills them; after a SIGKILL of its own they find their output closed, SIGPIPE.
 */
export class Program {
  private readonly limits: ProgramLimits;
  private readonly splitter: LineSplitter;
  private budget: number;
  private lines: number;
  private complaint = Buffer.alloc(0);
  private error: Error | null = null;
  private isEnding = false;
  /** What it says is nobody's any more. */
  private isUnheard = false;
  private isReaped = false;
  private isOver = false;
  private grace: NodeJS.Timeout | undefined;
  private readonly child: ChildProcess;
  private readonly killNow = (): void => this.signal('SIGKILL');

  /** @throws the system's rarer errors, E2BIG and ENOMEM; the others are told as an end */
  constructor(
    { path, words, environment, limits }: ProgramCall,
    private readonly listener: ProgramListener,
  ) {
    this.limits = limits;
    this.budget = limits.budgetBytes;
    this.lines = limits.budgetLines;
    this.splitter = new LineSplitter(limits.lineBytes);
    this.child = spawn(path, words, { env: { ...environment }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.child.unref();
    process.on('exit', this.killNow);
    const { stdout, stderr } = this.child;
    // Node's types do not say that pipes are sockets.
    for (const stream of [stdout, stderr]) if (stream instanceof Socket) stream.unref();
    stdout?.on('data', (piece: Buffer) => this.take(piece));
    // At its own end, too, and then it is reaped in a moment.
    stdout?.on('end', () => setTimeout(() => this.stop(new HostError('EPIPE', 'it closed its output')), REST_MS).unref());
    stdout?.on('error', (error) => this.stop(error));
    stderr?.on('data', (piece: Buffer) => this.keep(piece));
    stderr?.on('error', () => undefined);
    this.child.once('error', (error) => this.refused(error));
    this.child.once('exit', (status, signal) => this.reaped(status, signal));
  }

  /** Null where it could not be started, and as soon as the number may be another's. */
  get pid(): number | null {
    return this.isReaped ? null : (this.child.pid ?? null);
  }

  renew(): void {
    this.budget = this.limits.budgetBytes;
    this.lines = this.limits.budgetLines;
  }

  /** SIGTERM, and SIGKILL where that does not help; what it still says is heard, and `ended` says when it is over. May be called twice. */
  end(): void {
    if (!this.isEnding) this.renew();
    this.stop(null);
  }

  private stop(error: Error | null): void {
    this.isUnheard ||= error !== null;
    if (this.isEnding || this.isReaped) return;
    this.isEnding = true;
    this.error = error;
    this.signal('SIGTERM');
    this.grace = setTimeout(this.killNow, this.limits.graceMs ?? GRACE_MS).unref();
  }

  /** The whole group. Until it is reaped, its number is nobody else's. */
  private signal(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid === undefined || this.isReaped) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It ended by itself, and is about to be reaped.
    }
  }

  private take(piece: Buffer): void {
    this.budget -= piece.length;
    // It must be taken nevertheless: it may wait for that.
    if (this.isUnheard) return;
    try {
      if (this.budget < 0) throw new HostError('EFBIG', `more than ${this.limits.budgetBytes} bytes`);
      for (const text of this.splitter.take(piece)) {
        if (this.isUnheard) return;
        this.lines -= this.limits.isLight?.(text) ? LIGHT : 1;
        if (this.lines < 0) throw new HostError('EFBIG', `more than ${this.limits.budgetLines} lines`);
        this.listener.line(text);
      }
    } catch (error) {
      this.stop(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private keep(piece: Buffer): void {
    const all = Buffer.concat([this.complaint, piece]);
    this.complaint = all.subarray(Math.max(0, all.length - COMPLAINT_BYTES));
  }

  private refused(error: Error): void {
    // Also told where a signal could not be sent, which is no end.
    if (this.child.pid === undefined) this.over({ status: null, signal: null, error });
  }

  private reaped(status: number | null, signal: string | null): void {
    this.isReaped = true;
    const finish = (): void => this.over({ status, signal, error: this.error });
    this.child.once('close', finish);
    setTimeout(finish, REST_MS).unref();
  }

  private over(end: Omit<ProgramEnd, 'complaint'>): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.grace);
    process.off('exit', this.killNow);
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
    this.listener.ended({ ...end, complaint: this.complaint.toString('utf8') });
  }
}

/**
 * Where a program is: a path as it is, a name in the directories of PATH. There nothing is taken that another user but root put there, or anybody
 * could have: it would run with our rights.
 * @returns null where no file there may be executed
 */
export function findProgram(name: string, searchPath: string): string | null {
  if (name.includes('/')) return isAbsolute(name) && isExecutable(name) ? name : null;
  const found = searchPath
    .split(':')
    .filter(isAbsolute)
    .map((directory) => ({ directory, path: join(directory, name) }))
    .find(({ directory, path }) => isExecutable(path) && isOurs(directory) && isOurs(path));
  return found?.path ?? null;
}

/** Root's or this user's, and not for everybody to write. */
function isOurs(path: string): boolean {
  const { uid, mode } = statSync(path);
  return (uid === 0 || uid === process.geteuid?.()) && (mode & 0o002) === 0;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
