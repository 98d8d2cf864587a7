import { type ChildProcess, spawn } from 'node:child_process';
import { HostError } from './host-error.js';
import { findProgram } from './program.js';

/** Where programs of the system are, whatever PATH we were started with. */
const SYSTEM_PATHS = '/usr/sbin:/usr/bin:/sbin:/bin';
const COMPLAINT_BYTES = 1024;

export interface CommandCall {
  /** A name that is looked for in PATH, or an absolute path. No shell sees it or the arguments. */
  readonly program: string;
  readonly words: readonly string[];
  /** All of its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of its standard output. */
  readonly limitBytes: number;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs a program that answers and ends, with nothing on its standard input. Past the limit or the deadline it is killed and not waited for;
 * what it started itself is not followed.
 * @returns what it wrote, a byte a character
 * @throws ENOENT where there is no such program; EFBIG, ETIMEDOUT, ECANCELED; EIO where it failed, with the end of its complaint; EACCES, EAGAIN, EMFILE … where
 * it cannot be started
 */
export async function runCommand({ program, words, environment, limitBytes, deadlineMs, signal }: CommandCall): Promise<string> {
  const path = findProgram(program, `${process.env.PATH ?? ''}:${SYSTEM_PATHS}`);
  if (path === null) throw new HostError('ENOENT', `no program ${program}`);
  if (signal?.aborted) throw new HostError('ECANCELED', `${program} is not wanted any more`);
  // Without streams where descriptors are used up, whatever Node's more exact type says.
  const child: ChildProcess = spawn(path, words, { env: { ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  const forget = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      const fail = (code: string, message: string): void => reject(new HostError(code, `${program} ${message}`));
      timer = setTimeout(() => fail('ETIMEDOUT', `took longer than ${deadlineMs} ms`), deadlineMs);
      signal?.addEventListener('abort', () => fail('ECANCELED', 'is not wanted any more'), { signal: forget.signal });
      const output = collect(child, limitBytes, () => fail('EFBIG', `wrote more than ${limitBytes} bytes`));
      child.on('error', reject);
      child.on('close', (status, killer) => {
        if (status === 0) resolve(output.text());
        else fail('EIO', `ended with ${status ?? killer}: ${output.complaint()}`);
      });
    });
  } finally {
    forget.abort();
    clearTimeout(timer);
    // Does nothing to one that has ended: Node knows whether it was reaped.
    child.kill('SIGKILL');
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

function collect(child: ChildProcess, limitBytes: number, tooMuch: () => void): { text(): string; complaint(): string } {
  const pieces: Buffer[] = [];
  let total = 0;
  let complaint = '';
  child.stdout?.on('data', (piece: Buffer) => {
    total += piece.length;
    if (total > limitBytes) return tooMuch();
    pieces.push(piece);
  });
  child.stderr?.on('data', (piece: Buffer) => {
    complaint = (complaint + piece.toString('latin1')).slice(-COMPLAINT_BYTES);
  });
  return { text: () => Buffer.concat(pieces, total).toString('latin1'), complaint: () => complaint.trim() };
}
