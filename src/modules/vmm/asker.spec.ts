import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { Outcome } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Settings } from '../../model/settings.js';
import type { VmmAnswer } from './answer.js';
import { VmmAsker } from './asker.js';
import type { Conversation, Dialogue, DialogueTools } from './dialogue.js';

const PATIENCE = { timeout: 20_000 };
const { unsupported } = Outcome;

function answerOf(bytes: number): VmmAnswer {
  const nothing = { state: unsupported, vcpus: unsupported, guest: unsupported, balloon: unsupported, disks: unsupported } as const;
  const more = { vnics: unsupported, exits: unsupported, kvm: unsupported, migration: unsupported, events: unsupported } as const;
  return { ...nothing, ...more, memory: { bytes } };
}

type Reply = () => Promise<VmmAnswer | Exclude<Outcome, 0>>;
const never: Reply = () => new Promise(() => undefined);

/** A VMM whose words are the test's. */
class FakeDialogue implements Dialogue {
  readonly hypervisor = 'qemu';
  readonly name = 'qmp';
  readonly begun: { readonly process: HeldProcess; ended: number; asked: number }[] = [];
  allowed: Outcome = Outcome.ok;
  reply: Reply = () => Promise.resolve(answerOf(this.asked));
  heard: (() => void) | undefined;
  underWay = 0;
  mostUnderWay = 0;

  get asked(): number {
    return this.begun.reduce((sum, { asked }) => sum + asked, 0);
  }

  standing(): Outcome {
    return this.allowed;
  }

  begin(_: unknown, process: HeldProcess, { heard }: DialogueTools): Conversation {
    this.heard = heard;
    const begun = { process, ended: 0, asked: 0 };
    this.begun.push(begun);
    return {
      get intrusion() {
        return { connections: 1, questions: begun.asked, connectedMs: 10 };
      },
      ask: async () => {
        begun.asked++;
        this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
        try {
          return await this.reply();
        } finally {
          this.underWay--;
        }
      },
      end: () => begun.ended++,
    };
  }
}

let proc: FakeProc;
let settings: Settings;
let dialogue: FakeDialogue;
let asker: VmmAsker;
beforeEach(() => {
  proc = new FakeProc();
  // Only what is never asked yet is asked, unless a test says otherwise.
  settings = Object.assign(new Settings(), { vmmIntervalMs: 3_600_000, vmmDeadlineMs: 20_000 });
  dialogue = new FakeDialogue();
  asker = new VmmAsker(proc.host(), settings, [dialogue]);
  vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  asker.onApplicationShutdown();
  proc.close();
  vi.restoreAllMocks();
});

const vm = (id = 'one', process: HeldProcess | null = new FakeProcess()): FakeSubject =>
  new FakeSubject(process, id, id, { id, hypervisor: 'qemu' });
async function settled(...subjects: readonly FakeSubject[]): Promise<void> {
  for (const subject of subjects) asker.look(subject);
  await asker.settle(60_000);
}
const bytesOf = (subject: FakeSubject): unknown => asker.answer(subject)?.memory;

describe('a VMM that may be asked', () => {
  it('is busy before it was asked, then ok with what it said', async () => {
    const one = vm();
    expect(asker.look(one).outcome).toBe(Outcome.busy);
    expect(asker.answer(one)).toBeNull();
    await settled(one);
    expect(asker.look(one)).toMatchObject({ outcome: Outcome.ok, failures: 0 });
    expect(bytesOf(one)).toEqual({ bytes: 1 });
  });

  it('is asked again and again by itself, over one conversation', async () => {
    settings.vmmIntervalMs = 5;
    asker.look(vm());
    await expect.poll(() => dialogue.asked, PATIENCE).toBeGreaterThan(4);
    expect(dialogue.begun).toHaveLength(1);
  });

  it('is never asked twice at the same time', async () => {
    settings.vmmIntervalMs = 1;
    dialogue.reply = never;
    const one = vm();
    asker.look(one);
    await Promise.all([asker.settle(50), asker.settle(50), asker.settle(50)]);
    expect(dialogue.mostUnderWay).toBe(1);
  });

  it('waits for its turn where many are asked', async () => {
    const release: (() => void)[] = [];
    dialogue.reply = () => new Promise((resolve) => release.push(() => resolve(answerOf(1))));
    const all = Array.from({ length: 30 }, (_, index) => vm(`vm-${index}`));
    for (const one of all) asker.look(one);
    const done = asker.settle(60_000);
    while (all.some((one) => asker.answer(one) === null)) {
      release.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    expect(dialogue.mostUnderWay).toBe(8);
    expect(dialogue.asked).toBe(30);
  });
});

describe('news', () => {
  it('from the VMM itself bring its next round forward, but not more often than every two seconds', async () => {
    const one = vm();
    await settled(one);
    proc.clock.ms += 2000;
    dialogue.heard?.();
    dialogue.heard?.();
    await expect.poll(() => dialogue.asked, PATIENCE).toBe(2);
    await expect.poll(() => bytesOf(one), PATIENCE).toEqual({ bytes: 2 });
    // The clock of this test stands still: the next round is two seconds away, an hour without news.
    dialogue.heard?.();
    expect(asker.known(one)?.hasNews).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(dialogue.asked).toBe(2);
  });

  it('are that a process goes on which was stopped while it did not answer', async () => {
    const process = new FakeProcess();
    const one = vm('one', process);
    dialogue.reply = () => Promise.resolve(Outcome.timeout);
    await settled(one);
    process.stateCode = 'T'.charCodeAt(0);
    asker.look(one);
    proc.clock.ms += 2000;
    dialogue.reply = () => Promise.resolve(answerOf(9));
    process.stateCode = 'S'.charCodeAt(0);
    asker.look(one);
    await expect.poll(() => bytesOf(one), PATIENCE).toEqual({ bytes: 9 });
  });
});

describe('a VMM that may not be asked', () => {
  it.each([Outcome.notConfigured, Outcome.notPermitted, Outcome.unsupported])('is not, and %d says why', async (outcome) => {
    dialogue.allowed = outcome;
    const one = vm();
    await settled(one);
    expect(asker.look(one).outcome).toBe(outcome);
    expect(dialogue.begun).toEqual([]);
  });

  it('is one of a kind that nobody can ask, or one without a process', async () => {
    const other = vm();
    other.record = { id: 'one', hypervisor: 'kvm' };
    expect(asker.look(other).outcome).toBe(Outcome.unsupported);
    expect(asker.look(vm('two', null)).outcome).toBe(Outcome.gone);
  });

  it('any more: its conversation ends and nothing that it said stays', async () => {
    const one = vm();
    await settled(one);
    dialogue.allowed = Outcome.notPermitted;
    expect(asker.look(one)).toMatchObject({ outcome: Outcome.notPermitted, answer: null });
    expect(dialogue.begun[0].ended).toBe(1);
  });
});

describe('a VMM that does not answer', () => {
  it('fails with what its conversation says', async () => {
    const one = vm();
    await settled(one);
    settings.vmmIntervalMs = 5;
    dialogue.reply = () => Promise.resolve(Outcome.malformed);
    asker.forget(one);
    asker.look(one);
    await asker.settle(60_000);
    expect(asker.look(one)).toMatchObject({ outcome: Outcome.malformed, inRow: expect.any(Number) });
    expect(asker.answer(one)).toBeNull();
  });

  it('keeps its answer for two intervals, by the clock', async () => {
    const one = vm();
    await settled(one);
    proc.clock.ms += 2 * settings.vmmIntervalMs;
    asker.look(one);
    expect(bytesOf(one)).toEqual({ bytes: 1 });
    proc.clock.ms += 1;
    asker.look(one);
    expect(asker.answer(one)).toBeNull();
  });

  it('keeps its answer for as long as its next round waits for its turn', async () => {
    const one = vm();
    await settled(one);
    dialogue.reply = never;
    void asker.askOnly(one, 60_000);
    await expect.poll(() => dialogue.asked, PATIENCE).toBe(2);
    proc.clock.ms += 3 * settings.vmmIntervalMs;
    asker.look(one);
    expect(bytesOf(one)).toEqual({ bytes: 1 });
  });

  it('and misses even its own deadline is hung up on, and asked anew over another conversation', async () => {
    settings.vmmDeadlineMs = 1;
    dialogue.reply = never;
    const one = vm();
    await settled(one);
    expect(asker.look(one)).toMatchObject({ outcome: Outcome.timeout, failures: 1 });
    expect(dialogue.begun[0].ended).toBe(1);
    settings.vmmDeadlineMs = 20_000;
    dialogue.reply = () => Promise.resolve(answerOf(7));
    await asker.askOnly(one, 60_000);
    expect(bytesOf(one)).toEqual({ bytes: 7 });
    expect(dialogue.begun).toHaveLength(2);
    expect(asker.look(one).intrusion).toEqual({ connections: 2, questions: 2, connectedMs: 20 });
  });

  it('is told of once per change', async () => {
    const warn = vi.mocked(Logger.prototype.warn);
    dialogue.reply = () => Promise.resolve(Outcome.timeout);
    const one = vm();
    for (let round = 0; round < 3; round++) await asker.askOnly(one, 60_000);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0][0]).toBe('VMM of one: asked over qmp it gave no answer (timeout)');
  });

  it('because its door is gone has no door for us; the VM is there', async () => {
    dialogue.reply = () => Promise.resolve(Outcome.gone);
    const one = vm();
    await settled(one);
    expect(asker.look(one).outcome).toBe(Outcome.notConfigured);
  });

  it('because of a defect of ours is reported as one and hung up on', async () => {
    const error = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    dialogue.reply = () => Promise.reject(new TypeError('a defect'));
    const one = vm();
    await settled(one);
    expect(asker.look(one).outcome).toBe(Outcome.ioError);
    expect(error).toHaveBeenCalledTimes(1);
    expect(dialogue.begun[0].ended).toBe(1);
  });

  it('does not hold up the others', async () => {
    const stuck = vm('stuck');
    const fine = vm('fine');
    dialogue.reply = () => (dialogue.begun.length === 1 ? new Promise(() => undefined) : Promise.resolve(answerOf(2)));
    asker.look(stuck);
    void asker.settle(10);
    await expect.poll(() => dialogue.asked, PATIENCE).toBe(1);
    await asker.askOnly(fine, 60_000);
    expect(bytesOf(fine)).toEqual({ bytes: 2 });
  });
});

describe('another process', () => {
  it('has nothing to do with what the last one said', async () => {
    const one = vm();
    await settled(one);
    one.process = new FakeProcess();
    expect(asker.look(one)).toMatchObject({ outcome: Outcome.busy, answer: null });
    await asker.settle(60_000);
    expect(dialogue.begun).toHaveLength(2);
    expect(dialogue.begun[0].ended).toBe(1);
    expect(dialogue.begun[1].process).toBe(one.process);
  });

  it('that came while the question was under way does not get the answer', async () => {
    const one = vm();
    let answer: (answer: VmmAnswer) => void = () => undefined;
    dialogue.reply = () => new Promise((resolve) => (answer = resolve));
    asker.look(one);
    const done = asker.settle(60_000);
    await expect.poll(() => dialogue.asked, PATIENCE).toBe(1);
    one.process = new FakeProcess();
    asker.look(one);
    answer(answerOf(99));
    await done;
    expect(asker.answer(one)).toBeNull();
  });

  it('that took over the pid makes the answer nobody’s', async () => {
    const process = new FakeProcess();
    const one = vm('one', process);
    dialogue.reply = () => {
      process.breakAll(errno('ESRCH'));
      return Promise.resolve(answerOf(99));
    };
    await settled(one);
    expect(asker.look(one).outcome).toBe(Outcome.gone);
    expect(asker.answer(one)).toBeNull();
  });
});

it('another socket by the sources’ word ends the conversation with the one before', async () => {
  const one = vm();
  one.record = { ...one.record, sockets: ['/run/a.sock'] };
  await settled(one);
  one.record = { ...one.record, sockets: ['/run/a.sock', '/run/more.sock'] };
  asker.look(one);
  expect(dialogue.begun[0].ended).toBe(0);
  one.record = { ...one.record, sockets: ['/run/b.sock'] };
  asker.look(one);
  expect(dialogue.begun[0].ended).toBe(1);
  await asker.askOnly(one, 60_000);
  expect(dialogue.begun).toHaveLength(2);
});

describe('an instance that is forgotten', () => {
  it('is not asked any more, and an answer under way reaches nobody', async () => {
    settings.vmmIntervalMs = 5;
    const one = vm();
    await settled(one);
    asker.forget(one);
    expect(asker.known(one)).toBeUndefined();
    const { asked } = dialogue;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(dialogue.asked).toBe(asked);
    expect(dialogue.begun[0].ended).toBeGreaterThan(0);
  });
});
