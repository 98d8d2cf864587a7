import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { answer, RawSocket } from '../../../test/raw-socket.js';
import { linesOf } from '../../../test/shim-reading.js';
import { FakeSubject } from '../../../test/subject.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { ShimScraper } from './scraper.js';
import { VOCABULARY } from './vocabulary.js';

/** Groups of src/runtime/virtcontainers/fc_metrics.go, a member of each, and what Kata's shim would print. */
const ROWS: Readonly<Record<string, string>> = {
  api_server: 'process_startup_time_us',
  block: 'read_bytes',
  get_api_requests: 'instance_info_count',
  i8042: 'error_count',
  latencies_us: 'pause_vm',
  logger: 'missed_metrics_count',
  mmds: 'rx_accepted',
  net: 'rx_bytes_count',
  patch_api_requests: 'drive_count',
  put_api_requests: 'actions_count',
  rtc: 'error_count',
  seccomp: 'num_faults',
  signals: 'sigbus',
  uart: 'write_count',
  vcpu: 'exit_io_in',
  vmm: 'panic_count',
  vsock: 'conns_added',
};
const TEXT = Object.entries(ROWS)
  .map(
    ([group, item], at) =>
      `# HELP kata_firecracker_${group} x\n# TYPE kata_firecracker_${group} gauge\nkata_firecracker_${group}{item="${item}"} ${at}\n`,
  )
  .join('');

let proc: FakeProc;
let root: string;
let socket: RawSocket;
let scraper: ShimScraper;
let subject: FakeSubject;
beforeEach(async () => {
  proc = new FakeProc();
  root = mkdtempSync(join(tmpdir(), 'vmgauge-firecracker-rows-'));
  const directory = join(root, 'one');
  mkdirSync(directory);
  socket = await RawSocket.listen(join(directory, 'shim-monitor.sock'), answer(TEXT));
  const shim = new FakeProcess();
  const uid = process.getuid?.() ?? Number.NaN;
  shim.files.set('status', `Name:\tshim\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
  const sandbox = { runtime: 'go', hypervisor: 'firecracker', vmmInShim: false, directory } as const;
  subject = new FakeSubject(new FakeProcess(), 'one', 'one', { id: 'one', hypervisor: 'firecracker', sandbox });
  subject.companions.set('shim', shim);
});
afterEach(async () => {
  scraper.onApplicationShutdown();
  await socket.close();
  rmSync(root, { recursive: true, force: true });
  proc.close();
});

async function settled(shimSocketRuntimes: readonly string[]): Promise<Outcome> {
  scraper = new ShimScraper(proc.host(), Object.assign(new Settings(), { shimSocketRuntimes }), new Tables());
  scraper.limits.deadlineMs = 20_000;
  scraper.look(subject);
  await scraper.settle(60_000);
  return scraper.look(subject).outcome;
}

it('all of Firecracker’s rows come through a shim of the Go runtime, with the sandbox’s labels and as gauges', async () => {
  expect(await settled(['go/firecracker'])).toBe(Outcome.ok);
  const families = scraper.families();
  expect(families.map(({ name, type }) => [name, type])).toEqual(Object.keys(ROWS).map((group) => [`kata_firecracker_${group}`, 'gauge']));
  expect(families.map(({ help, name }) => [name, help])).toEqual(families.map(({ name }) => [name, VOCABULARY.get(name)?.help]));
  const labels = 'sandbox_id="one",cri_uid="",cri_name="",cri_namespace=""';
  expect(linesOf(families)).toEqual(
    Object.entries(ROWS).map(([group, item], at) => `kata_firecracker_${group}{item="${item}",${labels}} ${at}`),
  );
  expect(linesOf(scraper.own('one'))).toContain('kata_firecracker_vcpu{item="exit_io_in"} 14');
});

it('none comes from a shim that may not be asked', async () => {
  expect(await settled(['go/qemu'])).toBe(Outcome.notConfigured);
  expect([scraper.families(), socket.accepted]).toEqual([[], 0]);
});
