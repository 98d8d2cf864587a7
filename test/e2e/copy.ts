import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recording } from './recordings.js';

/** A host of its own to change: a recording's files below a temporary directory. */
export class CopiedHost {
  readonly root = mkdtempSync(join(tmpdir(), 'vmgauge-e2e-'));

  /** @param name of its folder below fixtures/hosts */
  constructor(name: string) {
    cpSync(recording(name), this.root, { recursive: true, verbatimSymlinks: true });
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
