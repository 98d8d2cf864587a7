import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stratovirtReply } from '../../../../test/contracts/qmp-trial.js';
import { FakeProcess } from '../../../../test/fake-process.js';
import { type FakeCommand, FakeQmp, GREETING, HANG, LEAVE, line, recordedReply } from '../../../../test/fake-qmp.js';
import { PATIENT_MS, until } from '../../../../test/holding.js';
import { FakeSubject } from '../../../../test/subject.js';
import { Host } from '../../../host/host.js';
import type { Hypervisor } from '../../../model/instance.js';
import { Outcome } from '../../../model/outcome.js';
import { Settings } from '../../../model/settings.js';
import { holdProcess, type ProcfsProcess } from '../../procfs/held-process.js';
import { isTold, type VmmAnswer } from '../answer.js';
import type { Conversation } from '../dialogue.js';
import { qemuDialogue } from '../qemu.dialogue.js';
import { stratovirtDialogue } from '../stratovirt.dialogue.js';

const SHORT_MS = 150;
const host = new Host();

let directory: string;
let held: ProcfsProcess;
let vmm: FakeQmp;
let conversation: Conversation | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-qmp-'));
  held = holdProcess(host, process.pid);
  vmm = await FakeQmp.listen(join(directory, 'vmgauge.sock'));
});
afterEach(async () => {
  conversation?.end();
  conversation = undefined;
  await vmm.close();
  held.close();
  rmSync(directory, { recursive: true, force: true });
});

function begin(settings: Partial<Settings> = {}, hypervisor: Hypervisor = 'qemu', stays?: () => boolean): Conversation {
  const subject = new FakeSubject(held, 'vm-1', 'one', { id: 'vm-1', hypervisor, sockets: [join(directory, 'vmgauge.sock')] });
  const dialogue = hypervisor === 'qemu' ? qemuDialogue : stratovirtDialogue;
  conversation = dialogue.begin(subject, held, {
    ...{ host, settings: Object.assign(new Settings(), settings), shims: null },
    ...(stays && { stays }),
  });
  return conversation;
}
async function answerOf(asked: Conversation): Promise<VmmAnswer> {
  const answer = await asked.ask(PATIENT_MS);
  if (typeof answer === 'number') throw new Error(`outcome ${answer}`);
  return answer;
}
const sent = (): string[] => vmm.commands.map(({ execute }) => execute);
/** All as QEMU does it, but for one command. */
const except = (execute: string, reply: (command: FakeCommand) => ReturnType<FakeQmp['reply']>): void => {
  vmm.reply = (command) => (command.execute === execute ? reply(command) : recordedReply(command));
};
const BORROWED: Partial<Settings> = { qmpMode: 'opportunistic', qmpReserved: [] };

describe('a conversation with QEMU', () => {
  it('tells all topics of a recorded QEMU', async () => {
    const answer = await answerOf(begin());
    expect(answer).toMatchObject({
      version: 'QEMU 7.2.22',
      state: { word: 'running', state: 'running' },
      vcpus: [{ index: 0 }, { index: 1 }],
      memory: { bytes: 134_217_728 },
      guest: { availableBytes: 73_424_896, sampledMs: 1_795_244_476_000 },
      disks: [{ device: 'virtio-disk0', numbers: { writes: 3, capacityBytes: 67_108_864 } }],
      migration: { state: 'active', iterations: 1 },
      events: { reset: 0 },
      vnics: Outcome.unsupported,
      exits: Outcome.unsupported,
    });
    if (!isTold(answer.kvm)) expect.fail('nothing of KVM');
    expect(answer.kvm.counters.get('exits')).toBeGreaterThan(0);
  });

  it('is the same when it comes byte by byte', async () => {
    vmm.dribbles = true;
    const { version, disks } = await answerOf(begin());
    expect([version, isTold(disks) && disks.length]).toEqual(['QEMU 7.2.22', 1]);
  });

  it('negotiates first, and finds out what does not change only once', async () => {
    const asked = begin();
    await answerOf(asked);
    const first = sent();
    expect(first[0]).toBe('qmp_capabilities');
    await answerOf(asked);
    const second = sent().slice(first.length);
    expect(first.filter((word) => !second.includes(word))).toEqual(['qmp_capabilities', 'qom-list', 'query-block', 'query-stats-schemas']);
    expect(asked.intrusion).toMatchObject({ connections: 1, questions: first.length + second.length });
  });

  it('asks the unnamed devices for the balloon where no named one is it', async () => {
    vmm.reply = (command) => {
      const path = command.arguments?.path;
      if (command.execute !== 'qom-list') return recordedReply(command);
      return line({
        return: path === '/machine/peripheral' ? [] : [{ name: 'device[2]', type: 'child<virtio-balloon-pci>' }],
        id: command.id,
      });
    };
    expect((await answerOf(begin())).guest).toMatchObject({ availableBytes: 73_424_896 });
    expect(vmm.commands.find(({ execute }) => execute === 'qom-get')?.arguments?.path).toBe('/machine/peripheral-anon/device[2]');
  });

  it('without a balloon has no guest memory, and does not look for one again', async () => {
    except('qom-list', ({ id }) => line({ return: [], id }));
    const asked = begin();
    expect((await answerOf(asked)).guest).toBe(Outcome.unsupported);
    await answerOf(asked);
    expect(sent().filter((word) => word === 'qom-list')).toHaveLength(2);
    expect(sent()).not.toContain('qom-get');
  });

  it('looks for the balloon again when it is gone', async () => {
    const asked = begin();
    await answerOf(asked);
    except('qom-get', ({ id }) => line({ id, error: { class: 'DeviceNotFound', desc: 'gone' } }));
    expect((await answerOf(asked)).guest).toBe(Outcome.unsupported);
    vmm.reply = recordedReply;
    expect((await answerOf(asked)).guest).toMatchObject({ availableBytes: 73_424_896 });
  });

  it('asks a command that a QEMU does not have once, and tells the rest', async () => {
    const missing = new Set(['query-stats-schemas', 'query-balloon', 'query-memory-size-summary']);
    vmm.reply = (command) => (missing.has(command.execute) ? recordedReply({ execute: 'nope', id: command.id }) : recordedReply(command));
    const asked = begin();
    for (const _ of [1, 2]) {
      const answer = await answerOf(asked);
      expect([answer.kvm, answer.balloon, answer.memory]).toEqual([Outcome.unsupported, Outcome.unsupported, Outcome.unsupported]);
      expect(answer.state).toMatchObject({ word: 'running' });
    }
    for (const word of missing) expect(sent().filter((one) => one === word)).toHaveLength(1);
  });

  it.each([
    ['DeviceNotActive', Outcome.unsupported],
    ['GenericError', Outcome.ioError],
    ['SomethingNew', Outcome.ioError],
    [{ toString: false }, Outcome.ioError],
  ])('takes an error of class %s as the outcome of one topic', async (errorClass, outcome) => {
    except('query-balloon', ({ id }) => line({ id, error: { class: errorClass, desc: 'no' } }));
    const asked = begin();
    const answer = await answerOf(asked);
    expect([answer.balloon, typeof answer.memory]).toEqual([outcome, 'object']);
    await answerOf(asked);
    expect(sent().filter((word) => word === 'query-balloon')).toHaveLength(2);
  });

  it('takes a reply of another shape as the outcome of one topic', async () => {
    except('query-blockstats', ({ id }) => line({ return: { odd: true }, id }));
    const answer = await answerOf(begin());
    expect([answer.disks, typeof answer.kvm]).toEqual([Outcome.malformed, 'object']);
  });

  it('does not tell counters of KVM where there is none', async () => {
    except('query-stats-schemas', ({ id }) => line({ return: [], id }));
    expect((await answerOf(begin())).kvm).toBe(Outcome.unsupported);
    expect(sent()).not.toContain('query-stats');
  });

  it('changes nothing unless it may, and then only an interval that nobody set', async () => {
    await answerOf(begin());
    expect(sent()).not.toContain('qom-set');
    conversation?.end();
    await until(() => vmm.connections === 0);
    const asked = begin({ qmpBalloonPolling: true, vmmIntervalMs: 20_000 });
    for (const _ of [1, 2]) await answerOf(asked);
    const changes = vmm.commands.filter(({ execute }) => execute === 'qom-set');
    expect(changes.map((command) => command.arguments)).toEqual([
      { path: '/machine/peripheral/balloon0', property: 'guest-stats-polling-interval', value: 20 },
    ]);
  });
});

describe('events', () => {
  it('are heard between rounds and among replies, and never taken for one', async () => {
    except('query-status', (command) => `${line({ event: 'RESET', data: {} })}${recordedReply(command)}${line({ event: 'WATCHDOG' })}`);
    const asked = begin();
    expect((await answerOf(asked)).events).toMatchObject({ reset: 1, watchdog: 1 });
    await vmm.event('GUEST_PANICKED', { action: 'pause' });
    expect((await answerOf(asked)).events).toMatchObject({ reset: 2, watchdog: 2, 'guest-panicked': 1 });
  });

  it('go on being counted after a lost connection: what was heard is never taken back', async () => {
    const asked = begin();
    await answerOf(asked);
    await vmm.event('RESET');
    expect((await answerOf(asked)).events).toMatchObject({ reset: 1 });
    vmm.dropClient();
    await until(() => vmm.connections === 0);
    await pause(20);
    expect((await answerOf(asked)).events).toMatchObject({ reset: 1 });
    await vmm.event('RESET');
    expect((await answerOf(asked)).events).toMatchObject({ reset: 2 });
    expect(asked.intrusion.connections).toBe(2);
  });

  it('are not told by whoever asks once and goes', async () => {
    const asked = begin({}, 'qemu', () => false);
    expect((await answerOf(asked)).events).toBe(Outcome.unsupported);
  });

  it('of a borrowed monitor are not told', async () => {
    const asked = begin(BORROWED);
    expect((await answerOf(asked)).events).toBe(Outcome.unsupported);
    await until(() => vmm.connections === 0);
  });
});

describe('a monitor that misbehaves', () => {
  const outcomes: readonly (readonly [string, () => void, Outcome])[] = [
    ['greets with something else', () => (vmm.greeting = line({ hello: 'world' })), Outcome.malformed],
    ['greets with an event', () => (vmm.greeting = line({ event: 'RESET' })), Outcome.malformed],
    ['greets with no JSON', () => (vmm.greeting = 'SSH-2.0-OpenSSH_9.2\r\n'), Outcome.malformed],
    ['greets endlessly', () => (vmm.greeting = 'x'.repeat(2 << 20)), Outcome.tooLarge],
    [
      'refuses the negotiation',
      () => except('qmp_capabilities', ({ id }) => line({ id, error: { class: 'GenericError' } })),
      Outcome.malformed,
    ],
    ['answers with another id', () => except('query-status', () => line({ return: {}, id: 'vmgauge-1' })), Outcome.malformed],
    ['answers without an id', () => except('query-status', () => line({ return: {} })), Outcome.malformed],
    ['complains without an id', () => except('query-status', () => line({ error: { class: 'GenericError' } })), Outcome.malformed],
    [
      'answers both ways',
      () => except('query-status', ({ id }) => line({ return: {}, error: { class: 'GenericError' }, id })),
      Outcome.malformed,
    ],
    ['answers neither way', () => except('query-status', ({ id }) => line({ id })), Outcome.malformed],
    ['answers twice', () => except('query-status', (command) => recordedReply(command) + recordedReply(command)), Outcome.malformed],
    ['answers with a list', () => except('query-status', () => '[]\r\n'), Outcome.malformed],
    ['answers with half an object', () => except('query-status', () => '{"return": \r\n'), Outcome.malformed],
    ['answers too much at once', () => except('query-status', ({ id }) => line({ return: 'x'.repeat(1 << 20), id })), Outcome.tooLarge],
    [
      'floods with events',
      () => except('query-status', () => line({ event: 'RESET', data: 'x'.repeat(900_000) }).repeat(12)),
      Outcome.tooLarge,
    ],
    ['closes in the middle', () => except('query-status', () => LEAVE), Outcome.ioError],
  ];
  it.each(outcomes)('that %s is an outcome, and is left', async (_, misbehave, outcome) => {
    misbehave();
    expect(await begin().ask(PATIENT_MS)).toBe(outcome);
    await until(() => vmm.connections === 0);
  });

  it('that does not greet is left: a borrowed one soon, a reserved one at the deadline', async () => {
    vmm.greeting = null;
    const borrowing = begin(BORROWED);
    expect(await borrowing.ask(100 * PATIENT_MS)).toBe(Outcome.timeout);
    expect(borrowing.intrusion).toMatchObject({ connections: 1, questions: 0 });
    await until(() => vmm.connections === 0);
    expect(await begin().ask(SHORT_MS)).toBe(Outcome.timeout);
    await until(() => vmm.connections === 0);
  });

  it('that lets nobody in is passed by for the next', async () => {
    vmm.greeting = null;
    const second = await FakeQmp.listen(join(directory, 'monitor.sock'));
    const sockets = ['vmgauge.sock', 'monitor.sock'].map((name) => join(directory, name));
    const subject = new FakeSubject(held, 'vm-1', 'one', { id: 'vm-1', hypervisor: 'qemu', sockets });
    const settings = Object.assign(new Settings(), BORROWED);
    const asked = qemuDialogue.begin(subject, held, { host, settings, shims: null });
    expect(await asked.ask(PATIENT_MS)).toMatchObject({ state: { word: 'running' } });
    expect([vmm.contacts, second.contacts, asked.intrusion.connections]).toEqual([1, 1, 2]);
    await until(() => vmm.connections + second.connections === 0);
    await second.close();
  });

  it.each(['qmp_capabilities', 'query-status', 'query-stats', 'query-migrate'])(
    'that hangs at %s costs the whole round, at its deadline',
    async (execute) => {
      except(execute, () => HANG);
      const asked = begin();
      expect(await asked.ask(SHORT_MS)).toBe(Outcome.timeout);
      await until(() => vmm.connections === 0);
      vmm.reply = recordedReply;
      expect((await answerOf(asked)).state).toMatchObject({ word: 'running' });
      expect(asked.intrusion.connections).toBe(2);
    },
  );

  it('that is cut at any byte of its greeting, or anywhere later, never has told anything', async () => {
    await answerOf(begin());
    conversation?.end();
    const total = vmm.said;
    await until(() => vmm.connections === 0);
    expect(total).toBeGreaterThan(10_000);
    // A prime: in every reply, at no regular place.
    for (let cut = 0; cut < total; cut += cut < GREETING.length + 20 ? 1 : 61) {
      vmm.cutAfterBytes = cut;
      const asked = begin();
      expect(await asked.ask(PATIENT_MS), `after ${cut} bytes`).toBe(Outcome.ioError);
      asked.end();
      await until(() => vmm.connections === 0);
    }
    vmm.cutAfterBytes = total;
    expect((await answerOf(begin())).migration).toMatchObject({ state: 'active' });
  });
});

describe('a monitor that says anything', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom('{', '}', '"', '\r\n', '\n', '[]', '{"return":{}}', '{"event":"RESET"}', '{"QMP":{}}', 'null', '\u0000', '\ud83d'),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.json({ maxDepth: 2 }).map((text) => `${text}\r\n`),
    ),
    { maxLength: 8 },
  );

  it('is an outcome or an answer, and never an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(12), pieces, async (place, noise) => {
        let asked = 0;
        vmm.reply = (command) => (asked++ === place ? noise.join('') + recordedReply(command) : recordedReply(command));
        const answer = await begin().ask(PATIENT_MS);
        if (typeof answer === 'number') expect([Outcome.malformed, Outcome.ioError]).toContain(answer);
        else expect(answer.state).toMatchObject({ word: 'running' });
        conversation?.end();
        await until(() => vmm.connections === 0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('who is there', () => {
  it('is not asked for a process without files', async () => {
    const fake = new FakeProcess();
    const subject = new FakeSubject(fake, 'vm-1', 'one', { id: 'vm-1', sockets: [join(directory, 'vmgauge.sock')] });
    conversation = qemuDialogue.begin(subject, fake, { host, settings: new Settings(), shims: null });
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.unsupported);
    expect(vmm.contacts).toBe(0);
  });

  it('is asked before anything is touched: a monitor in use is busy', async () => {
    const owner = begin();
    await answerOf(owner);
    conversation = undefined;
    const contacts = vmm.contacts;
    for (const settings of [{}, BORROWED]) {
      const second = begin(settings);
      expect(await second.ask(PATIENT_MS)).toBe(Outcome.busy);
      expect(second.intrusion).toEqual({ connections: 0, questions: 0, connectedMs: 0 });
    }
    expect(vmm.contacts).toBe(contacts);
    owner.end();
  });

  it('is one round at a time', async () => {
    except('query-status', () => HANG);
    const asked = begin();
    const first = asked.ask(PATIENT_MS);
    expect(await asked.ask(PATIENT_MS)).toBe(Outcome.busy);
    asked.end();
    expect(await first).toBe(Outcome.gone);
  });

  it('is connected to for as long as is said', async () => {
    const asked = begin();
    await answerOf(asked);
    const first = asked.intrusion.connectedMs;
    await pause(20);
    const second = asked.intrusion.connectedMs;
    expect(second).toBeGreaterThan(first);
    asked.end();
    const last = asked.intrusion.connectedMs;
    await pause(20);
    expect(asked.intrusion.connectedMs).toBe(last);
  });
});

describe('a conversation with StratoVirt', () => {
  it('asks nothing that StratoVirt does not have', async () => {
    vmm.reply = stratovirtReply;
    const asked = begin({ qmpBalloonPolling: true }, 'stratovirt');
    const answer = await answerOf(asked);
    expect(answer).toMatchObject({ state: { word: 'running' }, vcpus: [{ index: 0, threadId: 4711 }], disks: Outcome.unsupported });
    expect(sent()).toEqual(['qmp_capabilities', 'query-status', 'query-cpus', 'query-balloon', 'query-migrate']);
  });

  it('takes an error without an id as the answer to what was asked', async () => {
    vmm.reply = (command) =>
      command.execute === 'query-balloon' ? line({ error: { class: 'GenericError', desc: 'no' } }) : stratovirtReply(command);
    const answer = await answerOf(begin({}, 'stratovirt'));
    expect(answer).toMatchObject({ balloon: Outcome.ioError, migration: { state: 'completed' } });
  });

  it('never says that it is the QEMU whose number it greets with', async () => {
    vmm.reply = stratovirtReply;
    expect((await answerOf(begin({}, 'stratovirt'))).version).toBeUndefined();
  });
});
