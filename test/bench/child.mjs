// Children of the bench: started once, then told on their standard input what to do, one command and one answer at a time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const ANSWER_MS = 120_000;

/** CPU time of this process, user and system, all threads. */
export function cpuMicroseconds() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** In a child: answers `<command> [argument]` with a line of JSON until the input ends. */
export async function answerCommands(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, argument] = line.split(' ');
    const number = Number(argument);
    const answer = await commands[command](Number.isFinite(number) ? number : argument);
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

/** In the bench: a child process that answers lines with lines. It ends with the bench, as its input does. */
export class Child {
  #process;
  #lines;
  #complaints = '';

  constructor(command, args, options = {}) {
    this.#process = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.stderr.on('data', (chunk) => {
      this.#complaints = (this.#complaints + chunk).slice(-4096);
    });
    this.#process.stdin.on('error', () => undefined);
    this.#process.on('error', (error) => {
      this.#complaints += error.message;
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  get pid() {
    return this.#process.pid;
  }

  /** The next line of its output. @throws with what it complained of, when there is none */
  async line() {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), late]);
      if (done) throw new Error(this.#complaints.trim() || 'it ended without a word');
      return value;
    } finally {
      clearTimeout(timer);
    }
  }

  async ask(command) {
    this.#process.stdin.write(`${command}\n`);
    return this.line();
  }

  async askJson(command) {
    return JSON.parse(await this.ask(command));
  }

  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
    await exited;
    clearTimeout(timer);
  }
}
