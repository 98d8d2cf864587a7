import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './run.js';

/** What promtool printed, from the root of the repository. @throws Error with that when it is not content */
export function promtool(...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { cwd: ROOT, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`promtool ${args.join(' ')}: ${stdout}${stderr}exit ${status}`);
  return stdout;
}

/** promtool on a file of its own, which ends with the call. JSON is YAML. @param args what stands before and behind its name */
export function promtoolOn(content: unknown, before: readonly string[], behind: readonly string[] = []): string {
  const directory = mkdtempSync(join(tmpdir(), 'vmgauge-promtool-'));
  try {
    const path = join(directory, 'content.json');
    writeFileSync(path, JSON.stringify(content));
    return promtool(...before, path, ...behind);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Lists of labels, and what stands in quotes or braces. */
const LABELS = /"[^"]*"|'[^']*'|\{[^}]*\}|\b(by|without|on|ignoring|group_left|group_right)\b(\s*\([^)]*\))?/g;

/** Metrics that a PromQL expression names: words with an underscore that are neither functions nor labels. */
export function metricsIn(expression: string): string[] {
  return [...expression.replace(LABELS, ' ').matchAll(/\b[a-z][a-z0-9]*_[a-z0-9_]+\b(?!\s*\()/g)].map(([name]) => name);
}
