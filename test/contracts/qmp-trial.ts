import { join } from 'node:path';
import { expect } from 'vitest';
import type { VmmAnswer } from '../../src/modules/vmm/answer.js';
import { type FakeCommand, FakeQmp, type FakeReply, HANG, LEAVE, line, recordedReply } from '../fake-qmp.js';
import type { Manner, Trial } from './dialogue-trial.js';

const GARBAGE = '\u0000\u0001 220 mail.example ESMTP\r\n';

/** The negotiation goes well, the first question does not. */
const REPLIES: Readonly<Record<Manner, (command: FakeCommand, proper: string) => FakeReply>> = {
  answers: (_, proper) => proper,
  hangs: ({ execute }, proper) => (execute === 'query-status' ? HANG : proper),
  garbage: ({ execute }, proper) => (execute === 'query-status' ? GARBAGE : proper),
  closes: ({ execute }, proper) => (execute === 'query-status' ? LEAVE : proper),
};

const trial = (properReply: (command: FakeCommand) => string, check: (answer: VmmAnswer) => void, greeting?: string): Trial => ({
  peer: async (directory, manner) => {
    const peer = await FakeQmp.listen(join(directory, 'vmgauge.sock'));
    if (greeting !== undefined) peer.greeting = greeting;
    peer.reply = (command) => REPLIES[manner](command, properReply(command));
    return peer;
  },
  record: (directory) => ({ id: 'vm-1', sockets: [join(directory, 'vmgauge.sock')] }),
  settings: { qmpMode: 'reserved' },
  off: { qmpMode: 'off' },
  check,
});

export const qemuTrial = trial(recordedReply, (answer) => {
  expect(answer).toMatchObject({ version: 'QEMU 7.2.22', state: { word: 'running' }, balloon: { actualBytes: 134_217_728 } });
});

/** Shapes of machine_manager/src/qmp of StratoVirt: of a command that it does not know the error has no id. */
export function stratovirtReply({ execute, id }: FakeCommand): string {
  const cpu = { current: true, qom_path: '/machine/unattached/device[0]', halted: false, CPU: 0, thread_id: 4711, arch: 'x86' };
  const replies: Readonly<Record<string, unknown>> = {
    qmp_capabilities: {},
    'query-status': { singlestep: false, running: true, status: 'running' },
    'query-cpus': [cpu],
    'query-balloon': { actual: 268_435_456 },
    'query-migrate': { status: 'completed' },
  };
  if (execute in replies) return line({ return: replies[execute], id });
  return line({ error: { class: 'GenericError', desc: `unknown variant ${execute}` } });
}

export const STRATOVIRT_GREETING = line({
  QMP: { version: { qemu: { micro: 1, minor: 0, major: 5 }, package: 'StratoVirt-2.4.0' }, capabilities: [] },
});

export const stratovirtTrial = trial(
  stratovirtReply,
  (answer) => {
    expect(answer).toMatchObject({
      version: 'StratoVirt 2.4.0',
      state: { word: 'running', state: 'running' },
      vcpus: [{ index: 0, threadId: 4711 }],
      balloon: { actualBytes: 268_435_456 },
      migration: { state: 'completed' },
    });
  },
  STRATOVIRT_GREETING,
);
