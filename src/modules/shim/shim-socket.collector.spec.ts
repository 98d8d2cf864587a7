import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BOOT_SECONDS, FakeProc } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { answer, RawSocket } from '../../../test/raw-socket.js';
import { FakeSubject } from '../../../test/subject.js';
import type { Hypervisor } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { Sampler } from '../collection/sampler.js';
import { ShimScraper } from './scraper.js';
import { ShimSocketCollector } from './shim-socket.collector.js';

const TEXT = 'kata_agent_x 1\nkata_agent_y{sandbox_id="other"} 1\nkata_guest_load 5\nkata_shim_vm 1\n# TYPE go_x counter\ngo_x 3\n';

let proc: FakeProc;
let directory: string;
let socket: RawSocket;
let settings: Settings;
let tables: Tables;
let scraper: ShimScraper;
let subject: FakeSubject;
let sampler: Sampler;
beforeEach(async () => {
  proc = new FakeProc();
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-shim-'));
  socket = await RawSocket.listen(join(directory, 'shim-monitor.sock'), answer(TEXT));
  settings = Object.assign(new Settings(), { shimSocketRuntimes: ['go/qemu'], shimExcludeFamilies: ['kata_shim_vm'] });
  tables = new Tables();
  const host = proc.host();
  scraper = new ShimScraper(host, settings, tables);
  scraper.limits.deadlineMs = 20_000;
  const collector = new ShimSocketCollector(tables, host, scraper);
  const report = (_: string, error: unknown): never => {
    throw error;
  };
  sampler = new Sampler(
    tables,
    [collector],
    () => true,
    () => ({ slow: 0, threads: 0 }),
    host.clock,
    report,
  );
  subject = sandbox('one');
});
afterEach(async () => {
  scraper.onApplicationShutdown();
  await socket.close();
  rmSync(directory, { recursive: true, force: true });
  proc.close();
});

function sandbox(id: string, hypervisor: Hypervisor = 'qemu', runtime: 'go' | 'rust' = 'go'): FakeSubject {
  const subject = new FakeSubject(new FakeProcess(), id, id, {
    id,
    hypervisor,
    sandbox: { runtime, hypervisor, vmmInShim: false, directory },
  });
  const shim = new FakeProcess();
  const uid = process.getuid?.() ?? 0;
  shim.files.set('status', `Uid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
  subject.companions.set('shim', shim);
  return subject;
}

function attach(one: FakeSubject): void {
  tables.begin();
  one.row = tables.instances.add(one);
  one.sandboxRow = tables.sandboxes.add({ parent: one });
  sampler.attach(one);
  tables.publish();
}

/** @returns the outcome, and the numbers of the stats document that are known */
function sweep(one = subject): { outcome: number; numbers: Record<string, number> } {
  tables.begin();
  for (const _ of sampler.shared());
  sampler.sample(one, 1e12);
  tables.publish();
  const cells = tables.sandboxes.columns.map(
    ({ metric, front }) => [metric.json.replace('shim.socket.', ''), front[one.sandboxRow]] as const,
  );
  return {
    outcome: sampler.states[0].outcome.front[one.row],
    numbers: Object.fromEntries(cells.filter(([, value]) => !Number.isNaN(value))),
  };
}

describe('the collector of shims’ sockets', () => {
  it('concerns sandboxes alone', () => {
    const vm = new FakeSubject(new FakeProcess());
    sampler.attach(vm);
    sampler.devices(vm);
    expect(sampler.states[0].collector.concerns?.(vm)).toBe(false);
  });

  it('is busy until the first answer, then says what it came to', async () => {
    attach(subject);
    expect(sweep()).toEqual({ outcome: Outcome.busy, numbers: {} });
    await scraper.settle(20_000);
    proc.clock.ms += 2500;
    const { outcome, numbers } = sweep();
    expect(outcome).toBe(Outcome.ok);
    expect(numbers).toEqual({
      ...{ series: 2, answer_bytes: TEXT.length, dropped: 2, question_seconds: 0, age_seconds: 2500, failures: 0 },
      ...{ dropped_malformed: 0, dropped_label: 1, dropped_duplicate: 0, dropped_misfit: 0, dropped_conflict: 1, dropped_foreign: 0 },
      ...{ dropped_limit: 0, dropped_ours: 0, dropped_excluded: 1 },
      last_success_timestamp_seconds: BOOT_SECONDS * 1000 + 1_000_000,
    });
  });

  it('counts what other sandboxes contradict', async () => {
    attach(subject);
    await scraper.settle(20_000);
    socket.reply = answer('# TYPE kata_agent_x counter\nkata_agent_x 1\n');
    const others = ['two', 'three'].map((id) => sandbox(id));
    others.forEach(attach);
    await scraper.settle(20_000);
    expect(sweep().numbers).toMatchObject({ series: 1, dropped: 3, dropped_conflict: 2 });
    expect(sweep(others[0]).numbers).toMatchObject({ series: 1, dropped: 0, dropped_conflict: 0 });
  });

  it('says why there is no answer, and when there last was one', async () => {
    attach(subject);
    await scraper.settle(20_000);
    sweep();
    settings.shimSocketIntervalMs = 5;
    socket.reply = answer('', '500 Internal Server Error');
    scraper.look(subject).askedAt = null;
    await scraper.settle(20_000);
    const { outcome, numbers } = sweep();
    expect(outcome).toBe(Outcome.ioError);
    expect(Object.keys(numbers).sort()).toEqual(['age_seconds', 'failures', 'last_success_timestamp_seconds', 'question_seconds']);
    expect(numbers.failures).toBeGreaterThan(0);
    proc.clock.ms += 100;
    expect(Object.keys(sweep().numbers)).not.toContain('age_seconds');
  });

  it.each([
    ['not configured', 'cloud-hypervisor', 'go', Outcome.notConfigured],
    ['unsupported', 'qemu', 'rust', Outcome.unsupported],
    ['unsupported', 'firecracker', 'rust', Outcome.unsupported],
  ] as const)('is %s for %s of %s', (_, hypervisor, runtime, expected) => {
    const other = sandbox('other', hypervisor, runtime);
    attach(other);
    expect(sweep(other)).toEqual({ outcome: expected, numbers: {} });
    expect(socket.accepted).toBe(0);
  });

  it('is gone where shim or VMM are', () => {
    attach(subject);
    subject.companions.clear();
    expect(sweep().outcome).toBe(Outcome.gone);
    subject.process = null;
    expect(sweep().outcome).toBe(Outcome.gone);
  });

  it('asks nobody where there is nobody to ask for it', () => {
    const alone = new ShimSocketCollector(new Tables(), proc.host());
    subject.sandboxRow = 0;
    alone.attach(subject);
    for (const _ of alone.begin());
    expect(alone.collect(subject)).toBe(Outcome.notConfigured);
    alone.detach(subject);
  });

  it('forgets a sandbox that is detached', async () => {
    attach(subject);
    await scraper.settle(20_000);
    expect(scraper.families()).not.toEqual([]);
    sampler.detach(subject);
    expect(scraper.families()).toEqual([]);
  });
});
