import { constants as flags, openSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Clock } from '../../src/host/clock.js';
import type { HeldDirectory, HeldFile } from '../../src/host/held.js';
import { Host } from '../../src/host/host.js';
import { BreakableDirectory, BreakableFile, Faults } from './faults.js';

/** An hour after the boot time in the stories' proc/stat. */
const NOW_MS = Date.parse('2026-01-02T04:00:00Z');

/** Stands still until it is told to go on. */
export class StoppedClock implements Clock {
  private passedMs = 0;

  now(): number {
    return NOW_MS + this.passedMs;
  }

  monotonic(): number {
    return 3_600_000 + this.passedMs;
  }

  advance(ms: number): void {
    this.passedMs += ms;
  }
}

/** A host that is a directory of files: recorded trees, a stopped clock, pages of the machine they were recorded on. */
export class RecordedHost extends Host {
  override readonly pageBytes = 4096;
  readonly faults = new Faults();

  constructor(
    readonly root: string,
    override readonly clock: StoppedClock = new StoppedClock(),
  ) {
    const at = (...parts: string[]): string => join(root, ...parts);
    super({ proc: at('proc'), sys: at('sys'), cgroup: at('sys', 'fs', 'cgroup'), run: at('run') }, clock);
  }

  override readInto(path: string, buffer: Buffer): number {
    const content = this.faults.at(relative(this.root, path));
    return content === undefined ? super.readInto(path, buffer) : buffer.write(content);
  }

  override list(path: string): string[] {
    this.faults.at(relative(this.root, path));
    return super.list(path);
  }

  override holdDirectory(path: string): HeldDirectory {
    const where = relative(this.root, path);
    this.faults.at(where);
    return new BreakableDirectory(openSync(path, flags.O_RDONLY | flags.O_DIRECTORY), where, this.faults);
  }

  override holdFile(path: string): HeldFile {
    const where = relative(this.root, path);
    this.faults.at(where);
    return new BreakableFile(openSync(path, flags.O_RDONLY), where, this.faults);
  }
}
