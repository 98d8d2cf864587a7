import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { describe, it, type TestContext } from 'vitest';

/** Something a test cannot do without. `missing` says what is not there, in words for whoever runs the tests; undefined when all is. */
export interface Need {
  missing(): string | undefined;
}

/** A suite that is skipped with a printed reason where the machine cannot run it; with VMGAUGE_NO_SKIP=1 it fails there. */
export function describeWith(title: string, needs: readonly Need[], body: () => void): void {
  const reasons = needs.flatMap((need) => need.missing() ?? []);
  if (reasons.length === 0) {
    describe(title, body);
  } else if (process.env.VMGAUGE_NO_SKIP === '1') {
    describe(title, () => {
      it('finds what it needs on this machine', () => {
        throw new Error(reasons.join('; '));
      });
    });
  } else {
    process.stderr.write(`skipped: ${title}: ${reasons.join('; ')}\n`);
    describe.skip(title, body);
  }
}

/** Ends a test on a machine that turns out to lack what it stands on: skipped with a printed reason, or failed, like a whole suite. */
export function expectOfMachine(context: TestContext, has: boolean, reason: string): void {
  if (has) return;
  if (process.env.VMGAUGE_NO_SKIP === '1') throw new Error(reason);
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  context.skip(reason);
}

const paths = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];

export const program = (name: string, debianPackage: string): Need => ({
  missing: () =>
    paths.some((directory) => existsSync(`${directory}/${name}`)) ? undefined : `no ${name} (Debian package ${debianPackage})`,
});

export const file = (path: string, hint: string): Need => ({ missing: () => (existsSync(path) ? undefined : `no ${path} (${hint})`) });

/** Namespaces, taps and other users' processes are root's to make. */
export const root: Need = { missing: () => (process.getuid?.() === 0 ? undefined : 'not root') };

const device = (path: string): Need => ({
  missing: () => {
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
      return undefined;
    } catch {
      return `${path} cannot be opened`;
    }
  },
});

export const kvm = device('/dev/kvm');
export const tun = device('/dev/net/tun');
export const qemu = program('qemu-system-x86_64', 'qemu-system-x86');
export const compiler = program('gcc', 'gcc');
export const iproute = program('ip', 'iproute2');
export const procps = program('ps', 'procps');
export const utilLinux = program('setpriv', 'util-linux');

/** What all suites here stand on. */
export const BASICS: readonly Need[] = [root, utilLinux];

/** A command that must succeed; its complaint is the reason. */
export const works = (what: string, command: readonly string[]): Need => ({
  missing: () => {
    try {
      execFileSync(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
      return undefined;
    } catch (error) {
      return `${what}: ${error instanceof Error ? error.message.split('\n').join(' ') : String(error)}`;
    }
  },
});
