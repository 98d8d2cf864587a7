import { type ChildProcess, spawn } from 'node:child_process';

/** Processes of a test, ended with it. */
export class Spawned {
  private readonly children: ChildProcess[] = [];

  /** A process that does nothing until it is killed. @param command argv of something else */
  async start(command: readonly string[] = ['sleep', '600']): Promise<ChildProcess & { pid: number }> {
    const child = spawn(command[0], command.slice(1), { stdio: 'ignore' });
    this.children.push(child);
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    const { pid } = child;
    if (pid === undefined) throw new Error('spawned without a pid');
    return Object.assign(child, { pid });
  }

  /** Kills and waits until the process is reaped: its pid is free then. */
  async end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  async close(): Promise<void> {
    await Promise.all(this.children.map((child) => this.end(child)));
  }
}
