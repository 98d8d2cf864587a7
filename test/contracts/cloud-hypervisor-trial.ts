import { join } from 'node:path';
import { isTold } from '../../src/modules/vmm/answer.js';
import { type Answers, FakeCloudHypervisor, RUNNING, response } from '../fake-cloud-hypervisor.js';
import type { Manner, Trial } from './dialogue-trial.js';

const socketIn = (directory: string): string => join(directory, 'ch.sock');

const ANSWERS: Readonly<Record<Manner, Answers>> = {
  answers: RUNNING,
  hangs: { ...RUNNING, 'vm.info': 'hang' },
  garbage: { ...RUNNING, 'vm.info': { bytes: ['\0\x01garbage\r\n\r\n'] } },
  closes: { ...RUNNING, 'vm.info': { bytes: [response(200, '{}').slice(0, 40)], closes: true } },
};

export const cloudHypervisorTrial: Trial = {
  async peer(directory, manner) {
    const fake = await FakeCloudHypervisor.listen(socketIn(directory), ANSWERS[manner]);
    return {
      get contacts() {
        return fake.accepted + fake.refused;
      },
      close: () => fake.close(),
    };
  },
  record: (directory) => ({ id: 'vm-1', sockets: [socketIn(directory)] }),
  settings: { cloudHypervisorApi: true },
  off: { cloudHypervisorApi: false },
  check({ version, state, memory, disks, vnics }) {
    if (version !== 'Cloud Hypervisor 54.0.0') throw new Error(`version ${version}`);
    if (!isTold(state) || state.word !== 'running') throw new Error('no state');
    if (!isTold(memory) || memory.bytes !== 1 << 30) throw new Error('no memory');
    if (!isTold<object>(disks) || !isTold<object>(vnics)) throw new Error('no counters');
  },
};
