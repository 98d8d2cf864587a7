import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'vitest';

/** What a suite cannot do without; the text says what is missing, undefined that nothing is. */
export type Need = () => string | undefined;

export const program =
  (name: string): Need =>
  () => {
    const found = (process.env.PATH ?? '').split(delimiter).some((directory) => isExecutable(join(directory, name)));
    return found ? undefined : `the program ${name} is not installed`;
  };

export const file =
  (path: string): Need =>
  () =>
    existsSync(path) ? undefined : `${path} is not there`;

/** Network namespaces and taps. */
export const root: Need = () => (process.getuid?.() === 0 ? undefined : 'only root can make network and pid namespaces');

export const tap: Need = () => (existsSync('/dev/net/tun') ? undefined : '/dev/net/tun is not there');

/** Or a cache that knows the packages. */
export const packageRegistry: Need = () => {
  const { status } = spawnSync('npm', ['view', 'rxjs', 'version', '--prefer-offline', '--fetch-retries=0'], { timeout: 30_000 });
  return status === 0 ? undefined : 'no package registry answers';
};

/**
 * A suite on real programs. Where one of them is missing it is skipped with a printed reason, or fails when VMGAUGE_NO_SKIP=1: a machine
 * that is meant to run everything must not pass by running nothing.
 */
export function liveSuite(name: string, needs: readonly Need[], body: () => void): void {
  const missing = needs.map((need) => need()).filter((reason) => reason !== undefined);
  if (missing.length === 0) {
    describe(name, body);
  } else if (process.env.VMGAUGE_NO_SKIP === '1') {
    describe(name, () => {
      it('finds what it needs', () => {
        throw new Error(missing.join('; '));
      });
    });
  } else {
    process.stderr.write(`skipped: ${name}: ${missing.join('; ')}\n`);
    describe.skip(name, body);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
