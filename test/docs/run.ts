import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const readRoot = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

/** A program of the repository, run to its end by this Node. @returns what it printed unless it succeeded, else nothing */
export function complaintsOf(...command: readonly string[]): string {
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const { status, stdout, stderr, error } = spawnSync(process.execPath, command, { cwd: ROOT, encoding: 'utf8', env });
  if (error) return error.message;
  return status === 0 ? '' : `${stdout}${stderr}exit ${status}`;
}
