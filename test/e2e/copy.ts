import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootOf, story } from './stories.js';

/** A host of its own to change: a story's files below a temporary directory. */
export class CopiedHost {
  readonly root = mkdtempSync(join(tmpdir(), 'vmgauge-e2e-'));

  constructor(name: string) {
    cpSync(rootOf(story(name)), this.root, { recursive: true, verbatimSymlinks: true });
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
