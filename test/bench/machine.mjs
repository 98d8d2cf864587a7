// What the bench needs of the machine: programs, limits, a directory of its own, stand-ins. Nothing is installed.
import { execFile, execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Child } from './child.mjs';

export const HERE = dirname(fileURLToPath(import.meta.url));
export const run = promisify(execFile);

/** Why a part cannot be run here; not a defect. */
export class CannotRun extends Error {}

export function hasProgram(name) {
  return process.env.PATH.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @throws CannotRun */
export function need(...programs) {
  const missing = programs.filter((name) => !hasProgram(name));
  if (missing.length > 0) throw new CannotRun(`no ${missing.join(', ')} on this machine`);
}

/** Hard limit of open files: Node raises its soft limit to it by itself. */
export function descriptorLimit() {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

/** Five descriptors an instance, and some for everything else. @throws CannotRun */
export function needDescriptors(instances) {
  if (descriptorLimit() < 5 * instances + 200) {
    throw new CannotRun(`${instances} instances need ${5 * instances + 200} descriptors, the hard limit is ${descriptorLimit()}`);
  }
}

/** A directory of the bench's own, with the C programs in it. */
export class Workshop {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-bench-'));

  path(name) {
    return join(this.directory, name);
  }

  /** Builds a C program of the bench once. @throws CannotRun without gcc */
  build(source, name, ...flags) {
    const program = this.path(name);
    if (existsSync(program)) return program;
    need('gcc');
    execFileSync('gcc', ['-O2', '-o', program, join(HERE, source), ...flags]);
    return program;
  }

  remove() {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Idle processes that vmgauge takes for VMs, found by `executable`. They end with `stop`, or with the bench. */
export class StandIns {
  pids = [];

  constructor(executable, child, pidFile) {
    this.executable = executable;
    this.child = child;
    this.pidFile = pidFile;
  }

  /** @param name unlike that of other groups. @throws CannotRun */
  static async start(workshop, { name, count, threads = 1, first = 0, tapPrefix = '-' }) {
    // The name makes the QEMU driver claim them.
    const executable = workshop.build('standins.c', `qemu-system-${name}`, '-lpthread');
    const child = new Child(executable, [count, threads, first, tapPrefix].map(String));
    const group = new StandIns(executable, child, workshop.path(`${name}.pids`));
    try {
      for (let line = await child.line(); line !== 'ready'; line = await child.line()) group.pids.push(Number(line));
    } catch (error) {
      throw new CannotRun(`${count} stand-ins with ${threads} threads: ${error.message}`);
    }
    writeFileSync(group.pidFile, `${group.pids.join('\n')}\n`);
    return group;
  }

  stop() {
    return this.child.stop();
  }
}
