import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { answer, RawSocket } from '../../../test/raw-socket.js';
import { dragonballText, goShimText } from '../../../test/shim-texts.js';
import { FakeSubject } from '../../../test/subject.js';
import type { Hypervisor, Runtime } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { ShimScraper } from './scraper.js';
import { ShimRpcCollector } from './shim-rpc.collector.js';

let proc: FakeProc;
let directory: string;
let socket: RawSocket;
let settings: Settings;
let tables: Tables;
let scraper: ShimScraper;
let collector: ShimRpcCollector;
beforeEach(async () => {
  proc = new FakeProc();
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-rpc-'));
  socket = await RawSocket.listen(join(directory, 'shim-monitor.sock'), answer(goShimText()));
  settings = Object.assign(new Settings(), { shimSocketRuntimes: ['go/qemu', 'rust/dragonball'], shimSocketIntervalMs: 3_600_000 });
  tables = new Tables();
  scraper = new ShimScraper(proc.host(), settings, tables);
  scraper.limits.deadlineMs = 20_000;
  collector = new ShimRpcCollector(tables, proc.host(), scraper);
});
afterEach(async () => {
  scraper.onApplicationShutdown();
  await socket.close();
  rmSync(directory, { recursive: true, force: true });
  proc.close();
});

function sandbox(runtime: Runtime, hypervisor: Hypervisor): FakeSubject {
  const vmmInShim = hypervisor === 'dragonball';
  const shim = new FakeProcess();
  const uid = process.getuid?.();
  shim.files.set('status', `Uid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
  const words = { runtime, hypervisor, vmmInShim, directory };
  const subject = new FakeSubject(vmmInShim ? shim : new FakeProcess(), 'one', 'one', { id: 'one', hypervisor, sandbox: words });
  subject.companions.set('shim', shim);
  tables.begin();
  subject.sandboxRow = tables.sandboxes.add({ parent: subject });
  tables.publish();
  return subject;
}
async function asked(subject: FakeSubject): Promise<Outcome> {
  scraper.look(subject);
  await scraper.settle(60_000);
  return collector.collect(subject);
}
const numbers = (): number[] => tables.sandboxes.columns.map(({ back }) => back[0]);

describe('durations of calls', () => {
  it('are counted by series where the shim has them', async () => {
    const subject = sandbox('go', 'qemu');
    expect(await asked(subject)).toBe(Outcome.ok);
    const lines = (name: string): number => goShimText().match(new RegExp(`^${name}_(bucket|sum|count)\\{`, 'gm'))?.length ?? Number.NaN;
    expect(numbers()).toEqual([
      lines('kata_shim_rpc_durations_histogram_milliseconds'),
      lines('kata_shim_agent_rpc_durations_histogram_milliseconds'),
    ]);
  });

  it('are unsupported where the shim was asked and has none', async () => {
    socket.reply = answer(dragonballText());
    expect(await asked(sandbox('rust', 'dragonball'))).toBe(Outcome.unsupported);
    expect(numbers()).toEqual([Number.NaN, Number.NaN]);
  });

  it('are not there for the reason for which there is no answer', async () => {
    const subject = sandbox('go', 'qemu');
    expect(collector.collect(subject)).toBe(Outcome.notConfigured);
    scraper.look(subject);
    expect(collector.collect(subject)).toBe(Outcome.busy);
    socket.reply = answer('', '500 Sorry');
    await scraper.settle(60_000);
    expect(collector.collect(subject)).toBe(Outcome.ioError);
    settings.shimSocketRuntimes = [];
    scraper.look(subject);
    expect(collector.collect(subject)).toBe(Outcome.notConfigured);
  });

  it('are unsupported of a shim that must not be asked, and looking for them asks nobody', () => {
    const subject = sandbox('rust', 'qemu');
    collector.collect(subject);
    scraper.look(subject);
    expect(collector.collect(subject)).toBe(Outcome.unsupported);
    expect(socket.accepted).toBe(0);
  });
});
