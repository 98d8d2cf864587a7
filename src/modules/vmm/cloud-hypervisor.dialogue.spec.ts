import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Answers,
  BALLOON_STATS,
  COUNTERS,
  ERRORS,
  FakeCloudHypervisor,
  INFO,
  PING,
  RUNNING,
  response,
} from '../../../test/fake-cloud-hypervisor.js';
import { Spawned } from '../../../test/spawned.js';
import { FakeSubject } from '../../../test/subject.js';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { holdProcess, type ProcfsProcess } from '../procfs/held-process.js';
import type { VmmAnswer } from './answer.js';
import { cloudHypervisorDialogue } from './cloud-hypervisor.dialogue.js';
import type { Conversation } from './dialogue.js';

const PATIENT_MS = 20_000;
const SHORT_MS = 250;
const host = new Host();

let directory: string;
let held: ProcfsProcess;
let fake: FakeCloudHypervisor | undefined;
const conversations: Conversation[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-chv-'));
  held = holdProcess(host, process.pid);
});
afterEach(async () => {
  for (const conversation of conversations.splice(0)) conversation.end();
  await fake?.close();
  fake = undefined;
  held.close();
  rmSync(directory, { recursive: true, force: true });
});

const socketPath = (): string => join(directory, 'ch.sock');
function talk(path = socketPath(), process_ = held): Conversation {
  const subject = new FakeSubject(process_, 'vm-1', 'one', { id: 'vm-1', hypervisor: 'cloud-hypervisor', sockets: [path] });
  const conversation = cloudHypervisorDialogue.begin(subject, process_, { host, settings: new Settings(), shims: null });
  conversations.push(conversation);
  return conversation;
}
async function listen(answers: Answers = RUNNING): Promise<FakeCloudHypervisor> {
  fake = await FakeCloudHypervisor.listen(socketPath(), answers);
  return fake;
}
function toldBy(answer: VmmAnswer | Outcome): VmmAnswer {
  if (typeof answer === 'number') throw new Error(`outcome ${answer}`);
  return answer;
}
const ask = async (answers: Answers): Promise<VmmAnswer> => {
  await listen(answers);
  return toldBy(await talk().ask(PATIENT_MS));
};
const infoWith = (change: object): string => JSON.stringify({ ...JSON.parse(INFO), ...change });

describe('Cloud Hypervisor', () => {
  it('keeps none of the answers that it gave', async () => {
    await listen();
    const conversation = talk();
    const answers: WeakRef<VmmAnswer>[] = [];
    for (let i = 0; i < 20; i++) answers.push(new WeakRef(toldBy(await conversation.ask(PATIENT_MS))));
    await new Promise(setImmediate);
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    expect(answers.filter((answer) => answer.deref()).length).toBeLessThan(10);
  });

  it('tells what its API knows', async () => {
    expect(await ask(RUNNING)).toEqual({
      version: 'Cloud Hypervisor 54.0.0',
      state: { word: 'running', state: 'running' },
      memory: { bytes: 1 << 30, hotpluggedBytes: 0 },
      guest: Outcome.unsupported,
      balloon: { actualBytes: (1 << 30) - (96 << 20), heldBytes: 96 << 20, targetHeldBytes: 128 << 20 },
      disks: [
        {
          device: '_disk0',
          file: '/var/lib/root.raw',
          format: 'raw',
          readOnly: true,
          numbers: {
            ...{ readBytes: 4_096_000, writtenBytes: 0, reads: 1000, writes: 0 },
            lifetimeReadLatencyMinMicroseconds: 12,
            lifetimeReadLatencyAverageMicroseconds: 57,
            lifetimeReadLatencyMaxMicroseconds: 940,
          },
        },
        {
          device: 'data',
          file: '/var/lib/data.qcow2',
          format: 'qcow2',
          readOnly: false,
          numbers: {
            ...{ readBytes: 1, writtenBytes: 2, reads: 3, writes: 4 },
            lifetimeReadLatencyMinMicroseconds: 5,
            lifetimeReadLatencyAverageMicroseconds: 7,
            lifetimeReadLatencyMaxMicroseconds: 6,
            lifetimeWriteLatencyMinMicroseconds: 8,
            lifetimeWriteLatencyAverageMicroseconds: 10,
            lifetimeWriteLatencyMaxMicroseconds: 9,
            limitBytesPerSecond: 10 << 20,
            limitOperationsPerSecond: 500,
          },
        },
      ],
      vnics: [{ device: '_net1', numbers: { receivedBytes: 111, receivedFrames: 11, transmittedBytes: 222, transmittedFrames: 22 } }],
      migration: { state: 'none' },
      vcpus: Outcome.unsupported,
      exits: Outcome.unsupported,
      kvm: Outcome.unsupported,
      events: Outcome.unsupported,
    });
  });

  it('is asked one question at a time, over connections that are closed', async () => {
    const { requests } = await listen({ ...RUNNING, 'vm.balloon-stats': BALLOON_STATS });
    const conversation = talk();
    await conversation.ask(PATIENT_MS);
    await conversation.ask(PATIENT_MS);
    expect(fake?.asked).toEqual([
      ...['vm.info', 'vmm.ping', 'vm.counters', 'vm.balloon-stats'],
      // Its version stays what it was.
      ...['vm.info', 'vm.counters', 'vm.balloon-stats'],
    ]);
    for (const head of requests) expect(head).toMatch(/^connection: close$/im);
    expect([fake?.mostPending, fake?.mostOpen]).toEqual([1, 1]);
    expect(conversation.intrusion).toMatchObject({ connections: 7, questions: 7 });
  });

  it('tells what the guest says of its memory, where its version can ask it', async () => {
    const before = Date.now();
    const { guest, balloon } = await ask({ ...RUNNING, 'vm.balloon-stats': BALLOON_STATS });
    expect(guest).toMatchObject({
      ...{ totalBytes: 2_074_480_640, freeBytes: 1_961_717_760, availableBytes: 1_902_641_152, diskCachesBytes: 34_332_672 },
      ...{
        swapInBytes: 0,
        swapOutBytes: 0,
        majorFaults: 369,
        minorFaults: 504_067,
        hugetlbAllocations: 0,
        hugetlbFailures: 0,
        oomKills: 1,
      },
    });
    expect(typeof guest === 'object' && guest.sampledMs).toBeGreaterThanOrEqual(before);
    expect(balloon).toMatchObject({ heldBytes: 100_663_296 });
  });

  it('is not asked for what its version does not have a second time', async () => {
    await listen();
    const conversation = talk();
    for (const _ of [1, 2, 3]) expect(toldBy(await conversation.ask(PATIENT_MS)).guest).toBe(Outcome.unsupported);
    expect(fake?.asked.filter((endpoint) => endpoint === 'vm.balloon-stats')).toHaveLength(1);
  });

  it.each([
    ['does not answer its balloon', ERRORS.guestIsLate, Outcome.timeout],
    ['has a driver without statistics', ERRORS.notNegotiated, Outcome.unsupported],
    ['is migrated', ERRORS.migrating, Outcome.migrating],
    ['is in trouble', '["What?"]', Outcome.busy],
  ] as const)('leaves a guest that %s in peace ever longer', async (_, body, outcome) => {
    await listen({ ...RUNNING, 'vm.balloon-stats': { status: 500, body } });
    const conversation = talk();
    for (let round = 0; round < 16; round++) expect(toldBy(await conversation.ask(PATIENT_MS)).guest).toBe(outcome);
    // In rounds 0, 2, 5, 10; the next would be 19.
    expect(fake?.asked.filter((endpoint) => endpoint === 'vm.balloon-stats')).toHaveLength(4);
    expect(toldBy(await conversation.ask(PATIENT_MS)).balloon).toMatchObject({ heldBytes: 96 << 20 });
  });

  it('does not ask a guest that stands still, nor one without a balloon', async () => {
    const config = { ...JSON.parse(INFO).config, balloon: null };
    await listen({ ...RUNNING, 'vm.info': infoWith({ state: 'Paused' }), 'vm.balloon-stats': BALLOON_STATS });
    expect(toldBy(await talk().ask(PATIENT_MS)).guest).toBe(Outcome.gone);
    if (fake) fake.answers = { ...fake.answers, 'vm.info': infoWith({ config }) };
    expect(toldBy(await talk().ask(PATIENT_MS))).toMatchObject({ guest: Outcome.unsupported, balloon: Outcome.unsupported });
    expect(fake?.asked).not.toContain('vm.balloon-stats');
  });

  it('says that it has no VM, and nothing else', async () => {
    const answer = await ask({ 'vmm.ping': PING, 'vm.info': { status: 404, body: ERRORS.notCreated } });
    const { gone } = Outcome;
    expect(answer).toMatchObject({ state: { word: 'not-started', state: 'created' }, version: 'Cloud Hypervisor 54.0.0' });
    expect(answer).toMatchObject({ memory: gone, guest: gone, balloon: gone, disks: gone, vnics: gone, migration: gone });
    expect(fake?.asked).not.toContain('vm.counters');
  });

  it('has memory, and no devices yet, before its VM is booted', async () => {
    const answer = await ask({
      ...RUNNING,
      'vm.info': infoWith({ state: 'Created' }),
      'vm.counters': { status: 500, body: ERRORS.notRunning },
    });
    expect(answer).toMatchObject({ state: { word: 'created', state: 'created' }, memory: { bytes: 1 << 30 } });
    expect(answer).toMatchObject({ disks: Outcome.gone, vnics: Outcome.gone, migration: Outcome.unsupported });
  });

  it('counts nothing while it migrates, and says so', async () => {
    const answer = await ask({ ...RUNNING, 'vm.counters': { status: 500, body: ERRORS.migrating } });
    expect(answer).toMatchObject({ disks: Outcome.migrating, vnics: Outcome.migrating, migration: { state: 'active' } });
    expect(answer).toMatchObject({ state: { state: 'running' }, memory: { bytes: 1 << 30 } });
  });

  it.each([
    ['Created', 'created', 'created'],
    ['Running', 'running', 'running'],
    ['Shutdown', 'shutdown', 'shutdown'],
    ['Paused', 'paused', 'paused'],
    ['BreakPoint', 'breakpoint', 'paused'],
    ['Levitating', 'other', 'unknown'],
    ['constructor', 'other', 'unknown'],
  ])('that says %s is %s, and its instance %s', async (said, word, state) => {
    expect((await ask({ ...RUNNING, 'vm.info': infoWith({ state: said }) })).state).toEqual({ word, state });
  });

  it.each([
    ['is full', { bytes: ['HTTP/1.1 503\r\nServer: Firecracker API\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'] }, Outcome.busy],
    ['refuses for now', { status: 429, body: '' }, Outcome.busy],
    ['breaks', { status: 500, body: '["Internal Server Error"]' }, Outcome.ioError],
    ['is another API', { status: 400, body: '' }, Outcome.ioError],
    ['says no JSON', '{"state":"Runn', Outcome.malformed],
    ['says another JSON', '[1]', Outcome.malformed],
    ['has no state', '{}', Outcome.malformed],
    ['says no HTTP', { bytes: ['SSH-2.0-dropbear\r\n'] }, Outcome.malformed],
    ['says a length that is none', { bytes: ['HTTP/1.1 200 \r\nContent-Length: -5\r\n\r\n{}'] }, Outcome.malformed],
    ['says more than a MiB', `{"state":"${'x'.repeat(1 << 20)}"}`, Outcome.tooLarge],
    ['stops in the middle of a line', { bytes: ['HTTP/1.1 200 \r\nSer'] }, Outcome.timeout],
    ['stops in the middle of its answer', { bytes: [response(200, INFO).slice(0, 300)] }, Outcome.timeout],
  ] as const)('that %s costs one failed outcome', async (_, told, outcome) => {
    await listen({ ...RUNNING, 'vm.info': told });
    const conversation = talk();
    expect(await conversation.ask(outcome === Outcome.timeout ? SHORT_MS : PATIENT_MS)).toBe(outcome);
    expect(fake?.asked).toEqual(['vm.info']);
  });

  it('is read however its answer is cut into pieces', async () => {
    const pieces = [...response(200, INFO)];
    expect((await ask({ ...RUNNING, 'vm.info': { bytes: pieces } })).memory).toMatchObject({ bytes: 1 << 30 });
    const chunked = `HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n${INFO.length.toString(16)}\r\n${INFO}\r\n0\r\n\r\n`;
    await fake?.close();
    expect((await ask({ ...RUNNING, 'vm.info': { bytes: [...chunked] } })).memory).toMatchObject({ bytes: 1 << 30 });
  });

  it('keeps what it told when one of its answers is bad', async () => {
    const bad = { 'vm.counters': '{"a":', 'vmm.ping': { status: 500, body: '' } } as const;
    const answer = await ask({ ...RUNNING, ...bad });
    expect(answer).toMatchObject({
      state: { state: 'running' },
      disks: Outcome.malformed,
      vnics: Outcome.malformed,
      migration: Outcome.unsupported,
    });
    expect(answer.version).toBeUndefined();
  });

  it.each(['vmm.ping', 'vm.counters'] as const)(
    'that hangs at %s costs one failed outcome, and is asked nothing more',
    async (endpoint) => {
      await listen({ ...RUNNING, [endpoint]: 'hang' });
      expect(await talk().ask(SHORT_MS)).toBe(Outcome.timeout);
      expect(fake?.asked.at(-1)).toBe(endpoint);
    },
  );

  it('tells the rest when its guest hangs', async () => {
    await listen({ ...RUNNING, 'vm.balloon-stats': 'hang' });
    expect(toldBy(await talk().ask(SHORT_MS))).toMatchObject({
      guest: Outcome.timeout,
      balloon: { heldBytes: 96 << 20 },
      state: { state: 'running' },
    });
  });
});

describe('the ten connections of Cloud Hypervisor', () => {
  const clients: Socket[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });
  async function occupy(count: number): Promise<void> {
    const before = fake?.connections ?? Number.NaN;
    while (clients.length < count) clients.push(connect(socketPath()));
    await expect.poll(() => fake?.connections, { timeout: PATIENT_MS }).toBe(before + count);
  }

  it('are busy when all are taken, by its own word', async () => {
    await listen();
    await occupy(10);
    const conversation = talk();
    for (const _ of [1, 2, 3]) expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.busy);
    expect([fake?.refused, fake?.asked]).toEqual([3, []]);
    clients.pop()?.destroy();
    await expect.poll(() => fake?.connections, { timeout: PATIENT_MS }).toBe(9);
    expect(toldBy(await conversation.ask(PATIENT_MS)).state).toMatchObject({ state: 'running' });
  });

  it('are enough for an owner who keeps eight and two agents at the same time', async () => {
    await listen();
    await occupy(8);
    const agents = [talk(), talk()];
    for (let round = 0; round < 20; round++) {
      for (const answer of await Promise.all(agents.map((agent) => agent.ask(PATIENT_MS)))) expect(toldBy(answer).disks).toHaveLength(2);
    }
    expect([fake?.refused, fake?.mostOpen]).toEqual([0, 10]);
  });
});

describe('a Cloud Hypervisor that hangs', () => {
  it('is not asked again while a question waits at its door', async () => {
    const spawned = new Spawned();
    // A process that listens and, stopped, accepts nobody.
    const script = `require('node:net').createServer((c) => c.destroy()).listen(${JSON.stringify(socketPath())})`;
    const child = await spawned.start([process.execPath, '-e', script]);
    const other = holdProcess(host, child.pid);
    try {
      const conversation = talk(socketPath(), other);
      await expect.poll(() => conversation.ask(PATIENT_MS), { timeout: PATIENT_MS }).toBe(Outcome.ioError);
      const { connections } = conversation.intrusion;
      child.kill('SIGSTOP');
      for (const _ of [1, 2, 3, 4]) expect(await conversation.ask(SHORT_MS)).toBe(Outcome.timeout);
      expect(conversation.intrusion.connections).toBe(connections + 1);
      child.kill('SIGCONT');
      await expect.poll(() => conversation.ask(PATIENT_MS), { timeout: PATIENT_MS }).toBe(Outcome.ioError);
    } finally {
      other.close();
      await spawned.close();
    }
  });
});

describe('the door of Cloud Hypervisor', () => {
  it('is asked through links in its directories, and past 107 bytes', async () => {
    const far = join(directory, ...Array.from({ length: 3 }, () => 'd'.repeat(60)));
    mkdirSync(far, { recursive: true });
    symlinkSync(far, join(directory, 'near'));
    fake = await FakeCloudHypervisor.listen(join(directory, 'near/ch.sock'));
    expect(toldBy(await talk(join(directory, 'near/ch.sock')).ask(PATIENT_MS)).state).toMatchObject({ state: 'running' });
  });

  it('is nobody’s but the VMM’s', async () => {
    const spawned = new Spawned();
    await listen();
    const other = holdProcess(host, (await spawned.start()).pid);
    try {
      expect(await talk(socketPath(), other).ask(PATIENT_MS)).toBe(Outcome.notPermitted);
      expect(fake?.accepted).toBe(0);
    } finally {
      other.close();
      await spawned.close();
    }
  });

  it('is gone with what listened there', async () => {
    await listen();
    const conversation = talk();
    expect(toldBy(await conversation.ask(PATIENT_MS)).state).toBeDefined();
    await fake?.close();
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.gone);
  });

  it('is not a name without a file', async () => {
    expect(await talk('@abstract').ask(PATIENT_MS)).toBe(Outcome.unsupported);
    expect(await talk('').ask(PATIENT_MS)).toBe(Outcome.gone);
    expect(COUNTERS).toContain('_net1');
  });
});

describe('whether Cloud Hypervisor may be asked', () => {
  const standing = (
    sockets: readonly string[] | undefined,
    change: Partial<Settings> = {},
    process_: ProcfsProcess | null = held,
  ): Outcome =>
    cloudHypervisorDialogue.standing(
      new FakeSubject(process_, 'vm-1', 'one', { id: 'vm-1', hypervisor: 'cloud-hypervisor', ...(sockets ? { sockets } : {}) }),
      { host, settings: Object.assign(new Settings(), change), shims: null },
    );

  it('is up to the settings and to what is known of it', () => {
    expect(standing(['/ch.sock'])).toBe(Outcome.ok);
    expect(standing(['/ch.sock'], { cloudHypervisorApi: false })).toBe(Outcome.notConfigured);
    expect(standing([])).toBe(Outcome.notConfigured);
    expect(standing(undefined)).toBe(Outcome.notConfigured);
    expect(standing(['/ch.sock'], {}, null)).toBe(Outcome.gone);
  });
});
