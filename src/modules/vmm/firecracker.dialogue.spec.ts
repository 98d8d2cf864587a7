import { type ChildProcess, execFileSync, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeFirecracker } from '../../../test/fake-firecracker.js';
import { FirecrackerMetricsWriter } from '../../../test/firecracker-metrics.js';
import { FakeSubject } from '../../../test/subject.js';
import { systemClock } from '../../host/clock.js';
import { Host } from '../../host/host.js';
import type { InstanceRecord } from '../../model/instance.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import type { VmmAnswer } from './answer.js';
import type { Conversation } from './dialogue.js';
import { firecrackerDialogue } from './firecracker.dialogue.js';

const PATIENT_MS = 20_000;

let directory: string;
let held: ProcfsProcess;
let fake: FakeFirecracker | undefined;
const writers: FirecrackerMetricsWriter[] = [];
const children: ChildProcess[] = [];
const heldOnes: ProcfsProcess[] = [];
let conversation: Conversation | undefined;
const host = new Host();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-firecracker-'));
  held = holdProcess(host, process.pid);
});
afterEach(async () => {
  conversation?.end();
  await fake?.close();
  fake = undefined;
  for (const writer of writers.splice(0)) writer.close();
  for (const one of children.splice(0)) one.kill('SIGKILL');
  for (const one of [held, ...heldOnes.splice(0)]) one.close();
  rmSync(directory, { recursive: true, force: true });
});

async function listen(): Promise<FakeFirecracker> {
  fake = await FakeFirecracker.listen(join(directory, 'fc.sock'));
  return fake;
}

function begin(settings: Partial<Settings> = {}, record: Partial<InstanceRecord> = {}, vmm = held, stays = true): Conversation {
  const subject = new FakeSubject(vmm, 'vm-1', 'one', {
    ...{ id: 'vm-1', hypervisor: 'firecracker', sockets: fake ? [fake.path] : [] },
    ...record,
  });
  const tools = { host, settings: Object.assign(new Settings(), settings), shims: null, stays: () => stays };
  conversation = firecrackerDialogue.begin(subject, vmm, tools);
  return conversation;
}

type Vmm = ChildProcess & { readonly held: ProcfsProcess };

/** A process that plays the VMM where the test's own cannot. */
async function child(command: string, words: readonly string[], stdio: StdioOptions): Promise<Vmm> {
  const started = spawn(command, words, { cwd: directory, stdio });
  children.push(started);
  await once(started, 'spawn');
  const its = holdProcess(host, started.pid ?? Number.NaN);
  heldOnes.push(its);
  return Object.assign(started, { held: its });
}

async function answerOf(asked: Conversation): Promise<VmmAnswer> {
  const answer = await asked.ask(PATIENT_MS);
  if (typeof answer === 'number') throw new Error(`outcome ${answer}`);
  return answer;
}

/** The VM began long enough ago for the first line to be its first flush. */
const write = (name: string): FirecrackerMetricsWriter => {
  const writer = new FirecrackerMetricsWriter(join(directory, name), Date.now(), { drives: ['rootfs', 'data'] });
  writer.add('put_api_requests.metrics_count', 1);
  writers.push(writer);
  return writer;
};

describe('over the API', () => {
  it('tells state, version, memory, balloon, guest memory and drives with their limits', async () => {
    const api = await listen();
    const answer = await answerOf(begin({ firecrackerMetrics: 'off' }));
    expect(answer).toEqual({
      version: 'Firecracker 1.17.0',
      state: { word: 'running', state: 'running' },
      vcpus: Outcome.unsupported,
      memory: { bytes: 640 << 20, hotpluggedBytes: 128 << 20, maxBytes: 1536 << 20 },
      guest: { totalBytes: 500_000_000, freeBytes: 100_000_000, availableBytes: 300_000_000 },
      balloon: { heldBytes: 32 << 20, targetHeldBytes: 64 << 20 },
      disks: [
        { device: 'rootfs', file: '/rootfs.ext4', readOnly: true, numbers: {} },
        {
          ...{ device: 'data', file: '/data.img', readOnly: false },
          numbers: { limitBytesPerSecond: 20 << 20, limitOperationsPerSecond: 3000 },
        },
        { device: 'shared', numbers: {} },
      ],
      vnics: Outcome.notConfigured,
      exits: Outcome.notConfigured,
      kvm: Outcome.unsupported,
      migration: Outcome.unsupported,
      events: Outcome.notConfigured,
    });
    expect(api.requests).toEqual(['/', '/vm/config', '/balloon/statistics', '/hotplug/memory']);
    for (const head of api.heads) expect(head).toMatch(/^GET \S+ HTTP\/1\.1\r\n[\s\S]*Connection: close/i);
  });

  it('asks for the configuration once, and for what changes each time', async () => {
    const api = await listen();
    const asked = begin({ firecrackerMetrics: 'off' });
    await answerOf(asked);
    api.state = 'Paused';
    api.heldPages = 256;
    const { state, balloon } = await answerOf(asked);
    expect([state, balloon]).toEqual([
      { word: 'paused', state: 'paused' },
      { heldBytes: 1 << 20, targetHeldBytes: 64 << 20 },
    ]);
    expect(api.requests.filter((path) => path === '/vm/config')).toHaveLength(1);
    expect(asked.intrusion).toMatchObject({ connections: 7, questions: 7 });
    // Twenty rounds later a drive may have been changed.
    for (let round = 0; round < 20; round++) await answerOf(asked);
    expect(api.requests.filter((path) => path === '/vm/config')).toHaveLength(2);
    // What it was stays known where it cannot be had.
    api.instead = (path, connection) => path === '/vm/config' && connection.write('HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n');
    for (let round = 0; round < 21; round++) expect((await answerOf(asked)).disks).toMatchObject([{}, { file: '/data.img' }, {}]);
    expect(api.requests.filter((path) => path === '/vm/config').length).toBeGreaterThan(2);
  });

  it('never leaves a connection open', async () => {
    const api = await listen();
    const asked = begin({ firecrackerMetrics: 'off' });
    for (let round = 0; round < 5; round++) await answerOf(asked);
    await expect.poll(() => api.connections, { timeout: PATIENT_MS }).toBe(0);
  });

  it('has nothing to say of a VM that was not started', async () => {
    const api = await listen();
    api.state = 'Not started';
    const { state, memory, guest, balloon, disks } = await answerOf(begin({ firecrackerMetrics: 'off' }));
    expect(state).toEqual({ word: 'not-started', state: 'created' });
    expect([memory, guest, balloon, disks]).toEqual(Array(4).fill(Outcome.notConfigured));
    expect(api.requests).toEqual(['/']);
  });

  it('tells what the balloon was told to hold where statistics are off, and nothing where there is no balloon', async () => {
    const api = await listen();
    if (api.config.balloon) api.config.balloon.stats_polling_interval_s = 0;
    const without = await answerOf(begin({ firecrackerMetrics: 'off' }));
    expect([without.guest, without.balloon]).toEqual([Outcome.notConfigured, { targetHeldBytes: 64 << 20 }]);
    api.config.balloon = null;
    const none = await answerOf(begin({ firecrackerMetrics: 'off' }));
    expect([none.guest, none.balloon]).toEqual([Outcome.notConfigured, Outcome.notConfigured]);
  });

  it('asks the parts of a version that has no /vm/config', async () => {
    const api = await listen();
    api.instead = (path, connection) =>
      path === '/vm/config' &&
      connection.write('HTTP/1.1 400 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}');
    const { memory, balloon, disks } = await answerOf(begin({ firecrackerMetrics: 'off' }));
    expect([memory, balloon, disks]).toEqual([
      { bytes: 512 << 20 },
      { heldBytes: 32 << 20, targetHeldBytes: 64 << 20 },
      Outcome.notConfigured,
    ]);
  });

  it('is told busy where ten others are connected, and takes nobody’s place', async () => {
    const api = await listen();
    const script = `const net = require('node:net'); for (let i = 0; i < 10; i++) net.connect(${JSON.stringify(api.path)});`;
    await child(process.execPath, ['-e', script], 'inherit');
    await expect.poll(() => api.connections, { timeout: PATIENT_MS }).toBe(10);
    expect(await begin({ firecrackerMetrics: 'off' }).ask(PATIENT_MS)).toBe(Outcome.busy);
    expect(api.connections).toBe(10);
  });

  it('does not take a socket that another process listens on', async () => {
    await listen();
    const other = await child('sleep', ['600'], 'ignore');
    expect(await begin({ firecrackerMetrics: 'off' }, {}, other.held).ask(PATIENT_MS)).toBe(Outcome.notPermitted);
    expect(fake?.accepted).toBe(0);
  });
});

describe('a VMM that hangs', () => {
  it('costs the whole answer, though its metrics could be read', async () => {
    const api = await listen();
    api.instead = () => true;
    write('metrics.json').flush();
    expect(await begin().ask(300)).toBe(Outcome.timeout);
  });

  it('is not asked again while our last question still waits behind its door', async () => {
    const path = join(directory, 'fc.sock');
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('ready'));`;
    const vmm = await child(process.execPath, ['-e', script], ['ignore', 'pipe', 'inherit']);
    await once(vmm.stdout ?? vmm, 'data');
    vmm.kill('SIGSTOP');
    const asked = begin({ firecrackerMetrics: 'off' }, { sockets: [path] }, vmm.held);
    expect([await asked.ask(500), await asked.ask(PATIENT_MS)]).toEqual([Outcome.timeout, Outcome.timeout]);
    expect(asked.intrusion).toMatchObject({ connections: 1, questions: 1 });
  });
});

describe('where it writes', () => {
  /** A process with this command line, which has the writer's file open as the VMM has. */
  const vmmWith = (writer: FirecrackerMetricsWriter, ...words: string[]): Promise<Vmm> =>
    child('sh', ['-c', 'read line', 'firecracker', ...words], ['pipe', 'ignore', 'inherit', writer.fd]);
  const ioIn = async (vmm: Vmm): Promise<unknown> => {
    const answer = await begin({ firecrackerApi: false }, {}, vmm.held).ask(PATIENT_MS);
    return typeof answer === 'number' ? answer : answer.exits;
  };
  const writing = (name: string): FirecrackerMetricsWriter => {
    const writer = write(name);
    writer.add('vcpu.exit_io_in', 3);
    writer.flush();
    return writer;
  };
  const THREE = { ioIn: 3, ioOut: 0, mmioRead: 0, mmioWrite: 0, failures: 0 };

  it('is what its command line names, whatever that is called, seen from where it stands', async () => {
    const writer = writing('m');
    symlinkSync('m', join(directory, 'link'));
    expect(await ioIn(await vmmWith(writer, '--metrics-path', 'm'))).toEqual(THREE);
    expect(await ioIn(await vmmWith(writer, '--metrics-path', join(directory, 'link')))).toEqual(THREE);
    expect(await ioIn(await vmmWith(writer))).toBe(Outcome.notConfigured);
    expect(await ioIn(await vmmWith(writer, '--metrics-path', join(directory, 'none')))).toBe(Outcome.notConfigured);
  });

  it('is what its configuration file names', async () => {
    const writer = writing('m');
    const configuration = join(directory, 'vm.json');
    const vmm = await vmmWith(writer, '--config-file', 'vm.json');
    expect(await ioIn(vmm)).toBe(Outcome.notConfigured);
    writeFileSync(configuration, JSON.stringify({ metrics: { metrics_path: join(directory, 'm') } }));
    expect(await ioIn(vmm)).toEqual(THREE);
  });

  it('is still known after its name was deleted', async () => {
    const writer = writing('m');
    const vmm = await vmmWith(writer, '--metrics-path', join(directory, 'm'));
    rmSync(writer.path);
    expect(await ioIn(vmm)).toEqual(THREE);
  });

  it('is no file that it has open in another way, as it has its disks', async () => {
    const disk = openSync(join(directory, 'metrics.img'), 'w+');
    writeSync(disk, '{"utc_timestamp_ms":1,"vcpu":{"exit_io_in":1}}\n');
    expect(await begin({ firecrackerApi: false }).ask(PATIENT_MS)).toBe(Outcome.notConfigured);
    closeSync(disk);
  });

  it('is not looked for any more once the VM runs: from then on none can be set', async () => {
    await listen();
    const asked = begin();
    await answerOf(asked);
    await answerOf(asked);
    write('metrics.json').flush();
    expect((await answerOf(asked)).exits).toBe(Outcome.notConfigured);
  });

  it('is looked for no more where there is no API either, once it has had time to begin', async () => {
    const record = new FakeSubject(held, 'vm-1', 'one', { id: 'vm-1', sockets: [] });
    const tools = { host: new Host({}, { ...systemClock, now: () => Date.now() + 60_000 }), settings: new Settings(), shims: null };
    const young = { ...tools, host: new Host({}, { ...systemClock, now: () => (host.bootMs ?? Number.NaN) + held.startTicks * 10 }) };
    expect(await firecrackerDialogue.begin(record, held, young).ask(PATIENT_MS)).toBe(Outcome.notConfigured);
    expect(firecrackerDialogue.standing(record, tools)).toBe(Outcome.ok);
    expect(await firecrackerDialogue.begin(record, held, tools).ask(PATIENT_MS)).toBe(Outcome.notConfigured);
    expect(firecrackerDialogue.standing(record, tools)).toBe(Outcome.notConfigured);
    // What is known of one process says nothing of another.
    const other = await child('sleep', ['600'], 'ignore');
    expect(firecrackerDialogue.standing(new FakeSubject(other.held, 'vm-1', 'one', { id: 'vm-1', sockets: [] }), tools)).toBe(Outcome.ok);
  });

  it('is looked for as long as the VM was not started', async () => {
    const api = await listen();
    api.state = 'Not started';
    const asked = begin();
    await answerOf(asked);
    await answerOf(asked);
    api.state = 'Running';
    write('metrics.json').flush();
    expect((await answerOf(asked)).exits).toMatchObject({ ioIn: 0 });
  });
});

describe('what it writes into a file', () => {
  const asked = (settings: Partial<Settings> = {}): Conversation => begin({ firecrackerApi: false, ...settings });

  it('becomes counters since the VM began, whatever the agent saw of it', async () => {
    const writer = write('metrics.json');
    writer.add('vcpu.exit_io_in', 7);
    writer.flush();
    writer.add('vcpu.exit_io_in', 5);
    writer.add('vcpu.exit_mmio_write', 2);
    writer.add('block_data.read_bytes', 4096);
    writer.add('block_data.read_agg.sum_us', 250);
    writer.store('block_data.read_agg.min_us', 40);
    writer.add('net_eth0.rx_bytes_count', 1512);
    writer.add('net_eth0.tap_write_fails', 1);
    writer.add('net_eth0.tx_fails', 2);
    writer.add('balloon.inflate_count', 3);
    writer.store('vmm.panic_count', 1);
    writer.store('signals.sigbus', 1);
    writer.add('signals.sigpipe', 9);
    writer.minutes(1);
    const answer = await answerOf(asked());
    expect(answer.exits).toEqual({ ioIn: 12, ioOut: 0, mmioRead: 0, mmioWrite: 2, failures: 0 });
    expect(answer.events).toEqual({ 'vmm-panic': 1, 'seccomp-fault': 0, 'fatal-signal': 1, 'missed-metrics': 0 });
    expect(answer.disks).toMatchObject([
      { device: 'rootfs', numbers: { readBytes: 0 } },
      { device: 'data', numbers: { readBytes: 4096, readNanoseconds: 250_000, lifetimeReadLatencyMinMicroseconds: 40 } },
    ]);
    expect(answer.vnics).toMatchObject([{ device: 'eth0', numbers: { receivedBytes: 1512, transmitFailures: 3 } }]);
    expect([answer.state, answer.balloon]).toEqual([Outcome.notConfigured, Outcome.notConfigured]);
  });

  it('stands beside what the API tells of the same drives and of the balloon', async () => {
    await listen();
    const writer = write('metrics.json');
    writer.add('block_data.write_count', 3);
    writer.add('balloon.deflate_count', 2);
    writer.flush();
    const answer = await answerOf(begin());
    expect(answer.disks).toMatchObject([
      { device: 'rootfs', file: '/rootfs.ext4', numbers: { writes: 0 } },
      { device: 'data', file: '/data.img', numbers: { writes: 3, limitOperationsPerSecond: 3000 } },
      { device: 'shared', numbers: {} },
    ]);
    expect(answer.balloon).toEqual({ inflations: 0, deflations: 2, heldBytes: 32 << 20, targetHeldBytes: 64 << 20 });
  });

  it('is not mixed with what an earlier VM left in the same file', async () => {
    writeFileSync(join(directory, 'metrics.json'), `${'{"utc_timestamp_ms":1,"vcpu":{"exit_io_in":1000000}}\n'.repeat(2000)}`);
    const writer = write('metrics.json');
    writer.add('vcpu.exit_io_in', 4);
    writer.flush();
    const conversation = asked();
    expect((await answerOf(conversation)).exits).toMatchObject({ ioIn: 4 });
    writer.add('vcpu.exit_io_in', 1);
    writer.minutes(1);
    expect(await answerOf(conversation)).toMatchObject({ exits: { ioIn: 5 }, events: { 'missed-metrics': 0 } });
  });

  it('goes on in a file that was renamed, replaced or cut', async () => {
    const writer = write('metrics.json');
    writer.add('vcpu.exit_io_in', 1);
    writer.flush();
    const conversation = asked();
    await answerOf(conversation);
    renameSync(writer.path, `${writer.path}.1`);
    writeFileSync(writer.path, '{"utc_timestamp_ms":1,"vcpu":{"exit_io_in":1000}}\n');
    writer.add('vcpu.exit_io_in', 1);
    writer.minutes(1);
    expect((await answerOf(conversation)).exits).toMatchObject({ ioIn: 2 });
    // As logrotate's copytruncate does: the writer goes on where it was, and the file has a hole.
    truncateSync(`${writer.path}.1`);
    writer.add('vcpu.exit_io_in', 1);
    writer.minutes(1);
    expect(await answerOf(conversation)).toMatchObject({ exits: { ioIn: 3 }, events: { 'missed-metrics': 0 } });
  });

  it('says that lines were lost that a cut took before they were read', async () => {
    const writer = write('metrics.json');
    writer.flush();
    const conversation = asked();
    await answerOf(conversation);
    writer.add('vcpu.exit_io_in', 100);
    writer.minutes(1);
    truncateSync(writer.path);
    expect(await answerOf(conversation)).toMatchObject({ exits: { ioIn: 0 }, events: { 'missed-metrics': 1 } });
    writer.add('vcpu.exit_io_in', 3);
    writer.minutes(1);
    expect(await answerOf(conversation)).toMatchObject({ exits: { ioIn: 3 }, events: { 'missed-metrics': 1 } });
  });

  it('goes on where its writer went back to, and says that something was lost', async () => {
    const writer = write('metrics.json');
    writer.flush();
    const conversation = asked();
    await answerOf(conversation);
    spawnSync('perl', ['-e', 'sysseek(STDOUT, 0, 0)'], { stdio: ['ignore', writer.fd, 'inherit'] });
    expect((await answerOf(conversation)).events).toMatchObject({ 'missed-metrics': 1 });
    writer.add('vcpu.exit_io_in', 5);
    writer.flush();
    expect(await answerOf(conversation)).toMatchObject({ exits: { ioIn: 5 }, events: { 'missed-metrics': 1 } });
  });

  it('is read of a sandbox as well: its shim loses nothing', async () => {
    write('metrics.json').flush();
    const answer = await answerOf(begin({ firecrackerApi: false }, { sandbox: { vmmInShim: false } }));
    expect(answer.exits).toMatchObject({ ioIn: 0 });
  });

  it('begins where it is now if it is appended to: what stands before may be another VM’s', async () => {
    const path = join(directory, 'metrics.json');
    writeFileSync(path, '{"utc_timestamp_ms":1,"vcpu":{"exit_io_in":1000}}\n');
    const fd = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_NONBLOCK);
    const conversation = asked();
    const line = (count: number): string => `{"utc_timestamp_ms":${Date.now()},"vcpu":{"exit_io_in":${count}}}\n`;
    writeSync(fd, line(500));
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.busy);
    writeSync(fd, line(2));
    expect((await answerOf(conversation)).exits).toEqual({ ioIn: 2 });
    closeSync(fd);
  });

  it('is waited for where a line is not ended yet, and no number is told before the first one', async () => {
    const writer = write('metrics.json');
    const conversation = asked();
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.busy);
    writer.flush();
    const line = `{"utc_timestamp_ms":${writer.nowMs + 60_000},"vcpu":{"exit_io_in":8}}\n`;
    expect((await answerOf(conversation)).exits).toMatchObject({ ioIn: 0 });
    for (const character of line.slice(0, -1)) {
      writeSync(writer.fd, character);
      if (character === '8') expect((await answerOf(conversation)).exits).toMatchObject({ ioIn: 0 });
    }
    writeSync(writer.fd, '\n');
    expect((await answerOf(conversation)).exits).toMatchObject({ ioIn: 8 });
  });

  it('is told once all of a long file has been read, some each round', async () => {
    const writer = write('metrics.json');
    writer.properties = { padding: 'x'.repeat(60_000) };
    for (let i = 0; i < 150; i++) {
      writer.add('vcpu.exit_io_in', 1);
      writer.flush();
    }
    const conversation = asked();
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.busy);
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.busy);
    expect((await answerOf(conversation)).exits).toMatchObject({ ioIn: 150 });
  });

  it('is read on however late a round is, and what comes too late for one counts in the next', async () => {
    const writer = write('metrics.json');
    writer.properties = { padding: 'x'.repeat(60_000) };
    writer.flush();
    const conversation = asked();
    await answerOf(conversation);
    writer.add('vcpu.exit_io_in', 3);
    for (let i = 0; i < 40; i++) writer.flush();
    let told: VmmAnswer | undefined;
    const end = Date.now() + PATIENT_MS;
    while (!told && Date.now() < end) {
      const answer = await conversation.ask(1);
      if (typeof answer === 'object') told = answer;
    }
    expect(told).toMatchObject({ exits: { ioIn: 3 }, events: { 'missed-metrics': 0 } });
  });

  it('is not read where that is switched off, nor out of a FIFO where only files may be read', async () => {
    const writer = write('metrics.json');
    writer.flush();
    expect(await asked({ firecrackerMetrics: 'off' }).ask(PATIENT_MS)).toBe(Outcome.notConfigured);
  });

  it('is not looked for in what a VMM has open for another purpose: its log, the guest’s console', async () => {
    const log = write('firecracker.log');
    log.flush();
    expect(await asked().ask(PATIENT_MS)).toBe(Outcome.notConfigured);
  });
});

describe('what it writes into a FIFO', () => {
  const fifo = (): FirecrackerMetricsWriter => {
    execFileSync('mkfifo', [join(directory, 'metrics.fifo')]);
    return write('metrics.fifo');
  };
  const asked = (record: Partial<InstanceRecord> = {}): Conversation =>
    begin({ firecrackerApi: false, firecrackerMetrics: 'fifo' }, record);

  it('is taken out of it', async () => {
    const writer = fifo();
    const conversation = asked();
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.busy);
    for (let minute = 0; minute < 40; minute++) {
      writer.add('vcpu.exit_io_out', 2);
      expect(writer.minutes(1)).toBeUndefined();
      if (minute % 4 === 3) await answerOf(conversation);
    }
    expect(await answerOf(conversation)).toMatchObject({ exits: { ioOut: 80 }, events: { 'missed-metrics': 0 } });
  });

  it('is counted on by the next conversation with the same process', async () => {
    const writer = fifo();
    writer.add('vcpu.exit_io_out', 2);
    writer.flush();
    const first = asked();
    await answerOf(first);
    first.end();
    writer.add('vcpu.exit_io_out', 3);
    writer.minutes(1);
    expect(await answerOf(asked())).toMatchObject({ exits: { ioOut: 5 }, events: { 'missed-metrics': 0 } });
  });

  it('is counted once where two conversations read at the same time', async () => {
    const writer = fifo();
    writer.add('vcpu.exit_io_out', 2);
    writer.flush();
    await Promise.all([asked().ask(PATIENT_MS), asked().ask(PATIENT_MS)]);
    expect(await answerOf(asked())).toMatchObject({ exits: { ioOut: 2 } });
  });

  it('is left in it without being told to take it, for the shim of a sandbox always, and for the agent by a command that asks once', async () => {
    const writer = fifo();
    writer.flush();
    expect(await begin({ firecrackerApi: false }).ask(PATIENT_MS)).toBe(Outcome.notConfigured);
    expect(await asked({ sandbox: { vmmInShim: false } }).ask(PATIENT_MS)).toBe(Outcome.notPermitted);
    const command = begin({ firecrackerApi: false, firecrackerMetrics: 'fifo' }, {}, held, false);
    expect(await command.ask(PATIENT_MS)).toBe(Outcome.notPermitted);
    const buffer = Buffer.alloc(65_536);
    expect(buffer.toString('latin1', 0, readSync(writer.fd, buffer))).toMatch(/^\{"utc_timestamp_ms".*\}\n$/);
  });

  it('is told to be missing what found no room, and never counted twice', async () => {
    const writer = fifo();
    const conversation = asked();
    writer.flush();
    await answerOf(conversation);
    for (let minute = 0; minute < 30; minute++) {
      writer.add('vcpu.exit_io_in', 10);
      writer.minutes(1);
    }
    const full = await answerOf(conversation);
    writer.add('vcpu.exit_io_in', 10);
    writer.minutes(1);
    const after = await answerOf(conversation);
    const missed = writer.total('logger.missed_metrics_count');
    expect(missed).toBeGreaterThan(15);
    expect(after.events).toMatchObject({ 'missed-metrics': missed });
    const [before, now] = [full, after].map(({ exits }) => (typeof exits === 'object' ? (exits.ioIn ?? Number.NaN) : Number.NaN));
    expect(now).toBeGreaterThan(before);
    expect(now).toBeLessThanOrEqual(writer.total('vcpu.exit_io_in'));
  });

  it('is told to be missing what another reader took', async () => {
    const writer = fifo();
    const conversation = asked();
    writer.add('vcpu.exit_io_in', 1);
    writer.flush();
    await answerOf(conversation);
    const other = openSync(writer.path, 'r');
    writer.add('vcpu.exit_io_in', 100);
    writer.minutes(3);
    expect(readSync(other, Buffer.alloc(10_000))).toBe(10_000);
    writer.add('vcpu.exit_io_in', 10);
    writer.minutes(1);
    const answer = await answerOf(conversation);
    expect(answer.exits).toMatchObject({ ioIn: 11 });
    expect(answer.events).toMatchObject({ 'missed-metrics': 2 });
  });
});
