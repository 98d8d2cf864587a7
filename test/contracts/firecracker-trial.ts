import { join } from 'node:path';
import { expect } from 'vitest';
import { FakeFirecracker } from '../fake-firecracker.js';
import type { Peer, Trial } from './dialogue-trial.js';

/** Firecracker's API; what it writes into a file has its own tests, beside the dialogue. */
export const firecrackerTrial: Trial = {
  async peer(directory, manner): Promise<Peer> {
    const fake = await FakeFirecracker.listen(join(directory, 'fc.sock'));
    fake.instead = (_, connection) => {
      if (manner === 'garbage') connection.write('{"QMP": {}}\r\n');
      if (manner === 'closes') connection.end('HTTP/1.1 200 \r\nServer: Firecracker API\r\nContent-Length: 80\r\n\r\n{"id":"anonym');
      return manner !== 'answers';
    };
    return {
      get contacts() {
        return fake.accepted;
      },
      close: () => fake.close(),
    };
  },
  record: (directory) => ({ id: 'vm-1', sockets: [join(directory, 'fc.sock')] }),
  settings: { firecrackerApi: true, firecrackerMetrics: 'off' },
  off: { firecrackerApi: false },
  check: ({ version, state, memory }) => {
    expect(version).toBe('Firecracker 1.17.0');
    expect(state).toEqual({ word: 'running', state: 'running' });
    expect(memory).toMatchObject({ bytes: 640 << 20 });
  },
};
