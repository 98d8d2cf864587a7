import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { listenerOwners, ownersIn } from './listener-owner.js';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:27C1 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 21934 1 0000000000000000 100 0 0 10 0
   1: 0100007F:27C1 0100007F:D431 01 00000000:00000000 00:00000000 00000000     7        0 21935 1 0000000000000000 20 4 30 10 -1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18012 1 0000000000000000 100 0 0 10 0
`;
const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const work of cleanup.splice(0)) work();
});

const listening = (server: Server, where: string | number): Promise<void> =>
  new Promise((resolve) => {
    cleanup.push(() => server.close());
    server.listen(typeof where === 'string' ? { path: where } : { host: '127.0.0.1', port: where }, resolve);
  });

it('finds who listens on a port among who is connected to it', () => {
  expect(ownersIn(TABLE, 10177)).toEqual([1000]);
  expect(ownersIn(TABLE, 22)).toEqual([0]);
  expect(ownersIn(TABLE, 23)).toEqual([]);
});

it('knows a server of ours by its port and by its socket', async () => {
  const own = process.getuid?.();
  const server = createServer();
  await listening(server, 0);
  const address = server.address();
  if (address === null || typeof address === 'string') return expect.fail('no port');
  expect(await listenerOwners({ host: '127.0.0.1', port: address.port })).toEqual([own]);
  const directory = mkdtempSync(join(tmpdir(), 'vmgauge-listener-'));
  cleanup.push(() => rmSync(directory, { recursive: true }));
  await listening(createServer(), join(directory, 's'));
  expect(await listenerOwners({ socketPath: join(directory, 's') })).toEqual([own]);
  expect(await listenerOwners({ socketPath: join(directory, 'none') })).toEqual([]);
});
