import { spawnSync } from 'node:child_process';

/** Why promtool cannot be run here; undefined when it can. Under VMGAUGE_NO_SKIP=1 it must be there. */
export function promtoolMissing(): string | undefined {
  const { error } = spawnSync('promtool', ['--version']);
  if (!error) return undefined;
  if (process.env.VMGAUGE_NO_SKIP === '1') throw new Error('promtool is not installed, and VMGAUGE_NO_SKIP=1 asks for it');
  return 'promtool is not installed (Debian: prometheus)';
}

/** What `promtool check metrics` has to say about a page; empty when it is content. */
export function promtoolComplaints(page: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
  const complaints = `${stdout}${stderr}`.trim();
  return status === 0 ? complaints : `${complaints}\nexit ${status}`.trim();
}
