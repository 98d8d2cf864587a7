import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import type { VmmAnswer } from './answer.js';
import { VmmAsker } from './asker.js';
import type { Dialogue } from './dialogue.js';
import { VmmCollector } from './vmm.collector.js';

const { unsupported } = Outcome;
const nothing = { state: unsupported, vcpus: unsupported, memory: unsupported, guest: unsupported, balloon: unsupported } as const;
const more = { disks: unsupported, vnics: unsupported, exits: unsupported, kvm: unsupported, migration: unsupported } as const;
const ANSWER: VmmAnswer = { ...nothing, ...more, events: unsupported };

let proc: FakeProc;
let tables: Tables;
let asker: VmmAsker;
let collector: VmmCollector;
let subject: FakeSubject;
let standing: Outcome;
let reply: VmmAnswer | Exclude<Outcome, 0>;
beforeEach(() => {
  proc = new FakeProc();
  proc.clock.ms = 1_700_000_000_000;
  tables = new Tables();
  standing = Outcome.ok;
  reply = ANSWER;
  const dialogue: Dialogue = {
    hypervisor: 'qemu',
    name: 'qmp',
    standing: () => standing,
    begin: () => ({
      intrusion: { connections: 2, questions: 30, connectedMs: 1500 },
      ask: () => {
        proc.clock.ms += 12;
        return Promise.resolve(reply);
      },
      end: () => undefined,
    }),
  };
  asker = new VmmAsker(proc.host(), Object.assign(new Settings(), { vmmIntervalMs: 3_600_000 }), [dialogue]);
  collector = new VmmCollector(tables, proc.host(), asker);
  subject = new FakeSubject(new FakeProcess(), 'one', 'one', { id: 'one', hypervisor: 'qemu' });
});
afterEach(() => {
  asker.onApplicationShutdown();
  proc.close();
});

/** What one sweep says: the outcome, and the cells that hold something. */
function sweep(): Record<string, number> {
  tables.begin();
  if (tables.instances.size === 0) subject.row = tables.instances.add(subject);
  const outcome = collector.collect(subject);
  tables.publish();
  const cells = tables.instances.columns.map(({ metric, front }) => [metric.json, front[subject.row]] as const);
  return Object.fromEntries([['outcome', outcome], ...cells.filter(([, value]) => !Number.isNaN(value))]);
}

it('says nothing of a VMM that was never asked', () => {
  expect(sweep()).toEqual({ outcome: Outcome.busy });
});

it('says how the last round went, what it cost, and how old the answer is', async () => {
  sweep();
  await asker.settle(60_000);
  proc.clock.ms += 3000;
  expect(sweep()).toEqual({
    outcome: Outcome.ok,
    'vmm.question_seconds': 12,
    'vmm.age_seconds': 3000,
    'vmm.last_success_timestamp_seconds': proc.clock.now() - 3000,
    'vmm.failures': 0,
    'vmm.connections': 2,
    'vmm.questions': 30,
    'vmm.connected_seconds': 1500,
  });
});

it('is busy where the answer is too old and nobody has asked since', async () => {
  sweep();
  await asker.settle(60_000);
  proc.clock.ms += 3 * 3_600_000;
  expect(sweep()).toMatchObject({ outcome: Outcome.busy, 'vmm.failures': 0 });
});

it('keeps telling what the asking costs when it fails', async () => {
  reply = Outcome.timeout;
  sweep();
  await asker.settle(60_000);
  expect(sweep()).toEqual({
    outcome: Outcome.timeout,
    'vmm.question_seconds': 12,
    'vmm.failures': 1,
    'vmm.connections': 2,
    'vmm.questions': 30,
    'vmm.connected_seconds': 1500,
  });
});

it('says why a VMM is not asked, and what asking has cost until now', async () => {
  sweep();
  await asker.settle(60_000);
  standing = Outcome.notPermitted;
  expect(sweep()).toMatchObject({ outcome: Outcome.notPermitted, 'vmm.questions': 30 });
  expect(sweep()).not.toHaveProperty('vmm.age_seconds');
});

it('is not configured where there is nobody who asks, and gone without a process', () => {
  const alone = new VmmCollector(new Tables(), proc.host());
  expect(alone.collect(subject)).toBe(Outcome.notConfigured);
  subject.process = null;
  expect(collector.collect(subject)).toBe(Outcome.gone);
});

it('forgets an instance that is gone', () => {
  collector.attach(subject);
  expect(asker.known(subject)).toBeDefined();
  collector.detach(subject);
  expect(asker.known(subject)).toBeUndefined();
});
