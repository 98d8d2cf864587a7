import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** What a spec file leaves behind is undone in reverse order after its last test. */
export class Cleanup {
  private readonly steps: (() => unknown)[] = [];

  constructor() {
    afterAll(() => this.run());
  }

  add(step: () => unknown): void {
    this.steps.push(step);
  }

  /** An empty directory of this spec's own. */
  directory(): string {
    const path = mkdtempSync(join(tmpdir(), 'vmgauge-live-'));
    this.add(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  private async run(): Promise<void> {
    for (const step of this.steps.reverse()) await step();
  }
}
