import { spawnSync } from 'node:child_process';

/** Why promtool cannot be run here; undefined when it can. Under VMGAUGE_NO_SKIP=1 it must be there. */
export function promtoolMissing(): string | undefined {
  const { error } = spawnSync('promtool', ['--version']);
  if (!error) return undefined;
  if (process.env.VMGAUGE_NO_SKIP === '1') throw new Error('promtool is not installed, and VMGAUGE_NO_SKIP=1 asks for it');
  return 'promtool is not installed (Debian: prometheus)';
}

const KATA_MONITOR = 'kata-monitor’s own name, which its dashboard asks for';
const SHIM = 'the name that Kata’s shims give it';
const PODTRACE = 'Podtrace’s own name, which its queries and dashboard ask for';
/** Names of Antrea's agent, ours or passed on. */
const ANTREA = /^antrea_agent_/;
/** Names that somebody else fixed and that the linter dislikes; what it says of any other is a defect of ours. */
const FIXED_NAMES: Readonly<Record<string, string>> = {
  kata_monitor_running_shim_count: KATA_MONITOR,
  kata_monitor_scrape_count: KATA_MONITOR,
  kata_monitor_scrape_failed_count: KATA_MONITOR,
  kata_monitor_scrape_durations_histogram_milliseconds: KATA_MONITOR,
  kata_agent_scrape_count: SHIM,
  kata_hypervisor_scrape_count: SHIM,
  kata_shim_rpc_durations_histogram_milliseconds: SHIM,
  kata_shim_agent_rpc_durations_histogram_milliseconds: SHIM,
  ...Object.fromEntries(
    ['dns_latency', 'fs_latency', 'cpu_block'].flatMap((what) => [
      [`podtrace_${what}_seconds_gauge`, PODTRACE],
      [`podtrace_${what}_seconds_histogram`, PODTRACE],
    ]),
  ),
};
/** Its exit status where it only dislikes something. */
const DISLIKES = 3;

/** What `promtool check metrics` has to say about a page, besides names that are not ours; empty when it is content. */
export function promtoolComplaints(page: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
  const complaints = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line !== '' && !(line.split(' ')[0] in FIXED_NAMES || ANTREA.test(line)))
    .join('\n');
  return status === 0 || (status === DISLIKES && complaints === '') ? complaints : `${complaints}\nexit ${status}`.trim();
}
