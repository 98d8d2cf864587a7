import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '../src/host/clock.js';
import { Host } from '../src/host/host.js';
import { kernelSample, RECORDED } from './kernel-samples.js';

export const BOOT_SECONDS = 1_700_000_000;

/** Time that passes only when the test says so. */
export class StoppedClock implements Clock {
  ms = 1_000_000;
  now = (): number => BOOT_SECONDS * 1000 + this.ms;
  monotonic = (): number => this.ms;
}

const line = kernelSample(`${RECORDED[0]}/stat`);

/** A stat line of a recorded QEMU with these words changed. */
export function statLine(change: {
  pid?: number;
  comm?: string;
  state?: string;
  startTicks?: number;
  userTicks?: number;
  systemTicks?: number;
  guestTicks?: number;
  vsize?: number;
  parent?: number;
}): string {
  const { pid = 15376, comm = 'qemu-system-x86', state = 'S', startTicks = 271431, userTicks = 1, vsize = 604131328 } = change;
  const { systemTicks, guestTicks, parent = 1 } = change;
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  fields[0] = state;
  fields[1] = String(parent);
  fields[11] = String(userTicks);
  if (systemTicks !== undefined) fields[12] = String(systemTicks);
  if (guestTicks !== undefined) fields[40] = String(guestTicks);
  fields[19] = String(startTicks);
  fields[20] = String(vsize);
  return `${pid} (${comm}) ${fields.join(' ')}`;
}

/** A /proc of files in a directory of its own, to be removed by `close`. */
export class FakeProc {
  readonly root = mkdtempSync(join(tmpdir(), 'vmgauge-proc-'));
  readonly clock = new StoppedClock();

  constructor() {
    this.write('stat', `cpu 1 2 3\nbtime ${BOOT_SECONDS}\n`);
    this.write('sys/kernel/random/boot_id', '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11\n');
  }

  host(): Host {
    const at = (...parts: string[]): string => join(this.root, ...parts);
    return new Host({ proc: this.root, sys: at('sys'), cgroup: at('sys', 'fs', 'cgroup'), run: at('run') }, this.clock);
  }

  /** In place, so that descriptors already open see it too. */
  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text, 'latin1');
  }

  mkdir(path: string): void {
    mkdirSync(join(this.root, path), { recursive: true });
  }

  link(path: string, target: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    symlinkSync(target, join(this.root, path));
  }

  /** A process with the files of a recorded QEMU. */
  addProcess(pid: number, change: Parameters<typeof statLine>[0] = {}): void {
    this.write(`${pid}/stat`, statLine({ pid, ...change }));
    for (const name of ['statm', 'io', 'status', 'limits']) this.write(`${pid}/${name}`, kernelSample(`${RECORDED[0]}/${name}`));
    for (const name of ['schedstat', 'status']) this.write(`${pid}/task/${pid}/${name}`, kernelSample(`${RECORDED[0]}/${name}`));
    this.write(`${pid}/net/dev`, kernelSample(`${RECORDED[0]}/net-dev`));
    mkdirSync(join(this.root, `${pid}/fd`), { recursive: true });
  }

  /** As when the process is reaped: nothing is found any more. What is held open keeps its old content, unlike the kernel's. */
  removeProcess(pid: number): void {
    renameSync(join(this.root, String(pid)), join(this.root, `gone-${pid}-${Math.random()}`));
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
