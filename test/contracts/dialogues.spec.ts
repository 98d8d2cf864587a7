import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Host } from '../../src/host/host.js';
import type { Hypervisor } from '../../src/model/instance.js';
import { OUTCOMES, Outcome } from '../../src/model/outcome.js';
import { Settings } from '../../src/model/settings.js';
import { holdProcess, type ProcfsProcess } from '../../src/modules/procfs/held-process.js';
import { isTold, type VmmAnswer } from '../../src/modules/vmm/answer.js';
import type { Conversation, Dialogue, DialogueTools } from '../../src/modules/vmm/dialogue.js';
import { DIALOGUES } from '../../src/modules/vmm/dialogues.js';
import { FakeSubject } from '../subject.js';
import { cloudHypervisorTrial } from './cloud-hypervisor-trial.js';
import { MANNERS, type Manner, type Peer, type Trial } from './dialogue-trial.js';
import { dragonballTrial } from './dragonball-trial.js';
import { firecrackerTrial } from './firecracker-trial.js';
import { qemuTrial, stratovirtTrial } from './qmp-trial.js';

/** One row a dialogue; a dialogue without one fails. */
const TRIALS: Readonly<Partial<Record<Hypervisor, Trial>>> = {
  qemu: qemuTrial,
  stratovirt: stratovirtTrial,
  firecracker: firecrackerTrial,
  'cloud-hypervisor': cloudHypervisorTrial,
  dragonball: dragonballTrial,
};

const ROOM = new URL('../../src/modules/vmm/', import.meta.url);
/** Long enough for any machine, and for a peer that hangs the length of the test. */
const PATIENT_MS = 20_000;
const SHORT_MS = 300;
const TOPICS = [
  ...['state', 'vcpus', 'memory', 'guest', 'balloon', 'disks', 'vnics', 'exits', 'kvm', 'migration', 'events'],
] as const satisfies readonly string[];

let directory: string;
let held: ProcfsProcess;
let peer: Peer | undefined;
let conversation: Conversation | undefined;
const host = new Host();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-dialogues-'));
  held = holdProcess(host, process.pid);
});
afterEach(async () => {
  conversation?.end();
  conversation = undefined;
  await peer?.close();
  peer = undefined;
  held.close();
  rmSync(directory, { recursive: true, force: true });
});

const descriptors = (): number => readdirSync('/proc/self/fd').length;
/** Closing takes a turn or two of the event loop. */
async function descriptorsBackTo(before: number): Promise<void> {
  const end = Date.now() + PATIENT_MS;
  while (descriptors() > before && Date.now() < end) await pause(10);
  expect(descriptors()).toBe(before);
}

/** Every number anywhere in an answer. */
const numbersOf = (value: unknown): number[] => {
  if (typeof value === 'number') return [value];
  if (value instanceof Map) return [...value.values()].flatMap(numbersOf);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersOf) : [];
};
const leavesOf = (value: unknown): unknown[] => {
  if (value instanceof Map) return [...value].flatMap(leavesOf);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [value];
};

function expectAnswer(answer: VmmAnswer | Outcome): asserts answer is VmmAnswer {
  if (typeof answer === 'number') throw new Error(`outcome ${answer}`);
  for (const topic of TOPICS) {
    const told = answer[topic];
    if (isTold<object>(told)) expect(leavesOf(told), topic).not.toContain(undefined);
    else
      expect(
        OUTCOMES.filter((outcome) => outcome !== Outcome.ok),
        topic,
      ).toContain(told);
  }
  for (const number of numbersOf(answer)) expect(Number.isFinite(number) && number >= 0 && number < 2 ** 63, String(number)).toBe(true);
}

const isFailure = (answer: VmmAnswer | Outcome): boolean =>
  typeof answer === 'number' && answer !== Outcome.ok && OUTCOMES.includes(answer);

describe('THE LIST of dialogues', () => {
  it('has every *.dialogue.ts, each hypervisor once, and a trial for each', async () => {
    const files = readdirSync(ROOM).filter((file) => file.endsWith('.dialogue.ts'));
    const exported = await Promise.all(files.map(async (file) => Object.values(await import(new URL(file, ROOM).href))));
    for (const members of exported) expect(members).toHaveLength(1);
    expect(new Set(exported.flat())).toEqual(new Set(DIALOGUES));
    const hypervisors = DIALOGUES.map(({ hypervisor }) => hypervisor);
    expect(new Set(hypervisors).size).toBe(hypervisors.length);
    expect(Object.keys(TRIALS).sort()).toEqual([...hypervisors].sort());
  });
});

describe.each(DIALOGUES.flatMap((dialogue) => (TRIALS[dialogue.hypervisor] ? [[dialogue.hypervisor, dialogue] as const] : [])))(
  'the dialogue with %s',
  (hypervisor, dialogue: Dialogue) => {
    const trial = TRIALS[hypervisor];
    if (!trial) return;
    const manners: readonly Manner[] = trial.manners ?? MANNERS;
    const subject = (): FakeSubject => new FakeSubject(held, 'vm-1', 'one', { ...trial.record(directory), hypervisor });
    const tools = (settings: Partial<Settings> = trial.settings): DialogueTools => ({
      host,
      settings: Object.assign(new Settings(), settings),
      shims: peer?.shims ?? null,
    });
    const begin = async (manner: Manner): Promise<Conversation> => {
      peer = await trial.peer(directory, manner, host);
      conversation = dialogue.begin(subject(), held, tools());
      return conversation;
    };
    const itWhen = (manner: Manner, title: string, body: () => Promise<void>): void => {
      if (manners.includes(manner)) it(title, body);
    };

    it('says whether it may be asked, and touches nothing for it', async () => {
      peer = await trial.peer(directory, 'answers', host);
      const before = descriptors();
      expect(dialogue.standing(subject(), tools())).toBe(Outcome.ok);
      expect(dialogue.standing(subject(), tools({ ...trial.settings, ...trial.off }))).not.toBe(Outcome.ok);
      await pause(20);
      expect([peer.contacts, descriptors()]).toEqual([0, before]);
    });

    if (trial.needsSocket !== false) {
      it('may not be asked where no source knows a socket', () => {
        const none = new FakeSubject(held, 'vm-1', 'one', { id: 'vm-1', hypervisor });
        expect(dialogue.standing(none, tools())).not.toBe(Outcome.ok);
        expect(dialogue.standing(new FakeSubject(held, 'vm-1', 'one', { id: 'vm-1', hypervisor, sockets: [] }), tools())).not.toBe(
          Outcome.ok,
        );
      });
    }

    it('begins without opening anything', async () => {
      peer = await trial.peer(directory, 'answers', host);
      const before = descriptors();
      conversation = dialogue.begin(subject(), held, tools());
      await pause(20);
      expect([peer.contacts, descriptors()]).toEqual([0, before]);
      expect(conversation.intrusion).toEqual({ connections: 0, questions: 0, connectedMs: 0 });
    });

    itWhen('answers', 'tells what the VMM says, again and again, and counts what that cost', async () => {
      const asked = await begin('answers');
      const before = descriptors();
      const first = await asked.ask(PATIENT_MS);
      expectAnswer(first);
      trial.check(first);
      const { connections, questions } = asked.intrusion;
      expect(connections).toBe(peer?.contacts);
      if (connections > 0) expect(questions).toBeGreaterThan(0);
      const second = await asked.ask(PATIENT_MS);
      expectAnswer(second);
      trial.check(second);
      expect(asked.intrusion.connections).toBe(peer?.contacts);
      if (connections > 0) expect(asked.intrusion.questions).toBeGreaterThan(questions);
      expect(asked.intrusion.connectedMs).toBeGreaterThanOrEqual(0);
      asked.end();
      asked.end();
      await descriptorsBackTo(before);
      const final = asked.intrusion;
      await pause(20);
      expect(asked.intrusion).toEqual(final);
    });

    itWhen('hangs', 'ends at its deadline when the VMM hangs, with an outcome and nothing left open', async () => {
      const asked = await begin('hangs');
      const before = descriptors();
      const started = performance.now();
      expect(isFailure(await asked.ask(SHORT_MS))).toBe(true);
      expect(performance.now() - started).toBeLessThan(PATIENT_MS);
      asked.end();
      await descriptorsBackTo(before);
    });

    itWhen('hangs', 'ends at once when it is told to, though a question is under way', async () => {
      const asked = await begin('hangs');
      const before = descriptors();
      const answer = asked.ask(10 * PATIENT_MS);
      const end = Date.now() + PATIENT_MS;
      while (peer?.contacts === 0 && Date.now() < end) await pause(5);
      asked.end();
      expect(await answer).toBe(Outcome.gone);
      await descriptorsBackTo(before);
    });

    for (const manner of ['garbage', 'closes'] as const) {
      itWhen(manner, `takes a VMM that ${manner === 'closes' ? 'closes in the middle' : 'says garbage'} as an outcome`, async () => {
        const asked = await begin(manner);
        const before = descriptors();
        for (const _ of [1, 2]) expect(isFailure(await asked.ask(PATIENT_MS))).toBe(true);
        asked.end();
        await descriptorsBackTo(before);
      });
    }

    it('answers nothing after its end, and touches nothing', async () => {
      const asked = await begin('answers');
      asked.end();
      expect(await asked.ask(PATIENT_MS)).toBe(Outcome.gone);
      expect(peer?.contacts).toBe(0);
    });
  },
);
