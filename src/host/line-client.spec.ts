import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PATIENT_MS, until } from '../../test/holding.js';
import { LineClient, type LineLimits } from './line-client.js';

const LIMITS: LineLimits = { lineBytes: 100, budgetBytes: 250 };

let directory: string;
let path: string;
let server: Server;
let client: LineClient | undefined;
const peers: Socket[] = [];
const lines: string[] = [];
const ends: unknown[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-lines-'));
  path = join(directory, 'socket');
  for (const list of [peers, lines, ends]) list.length = 0;
  server = createServer((socket) => peers.push(socket.on('error', () => undefined)));
  server.listen(path);
  await once(server, 'listening');
});
afterEach(async () => {
  client?.close();
  for (const peer of peers) peer.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function connect(): Promise<Socket> {
  const listener = {
    line: (text: string) => lines.push(text),
    ended: (error: Error) => ends.push('code' in error ? error.code : error),
  };
  client = await LineClient.connect(path, PATIENT_MS, LIMITS, listener);
  await until(() => peers.length === 1);
  return peers[0];
}

describe('a connection in lines', () => {
  it('says lines that end in CR LF and hears lines, whole ones', async () => {
    const peer = await connect();
    client?.send('a question');
    const [bytes] = await once(peer, 'data');
    expect(String(bytes)).toBe('a question\r\n');
    peer.write('one\r\ntw');
    await until(() => lines.length === 1);
    peer.write('o\r\nthree\r\n');
    await until(() => lines.length === 3);
    expect([lines, ends]).toEqual([['one', 'two', 'three'], []]);
  });

  it('ends once when the other side closes, and what had no end is never a line', async () => {
    const peer = await connect();
    peer.end('whole\r\nhalf');
    await until(() => ends.length > 0);
    await pause(20);
    expect([lines, ends]).toEqual([['whole'], ['ECONNRESET']]);
    client?.send('to nobody');
  });

  it.each([
    ['a line longer than the limit', 'x'.repeat(101)],
    ['more lines than the budget', 'x\n'.repeat(126)],
  ])('ends at %s, and is closed', async (_, text) => {
    const peer = await connect();
    const closed = once(peer, 'close');
    peer.write(text);
    await closed;
    expect(ends).toEqual(['EFBIG']);
  });

  it('has a new budget when it is renewed', async () => {
    const peer = await connect();
    for (let i = 1; i <= 5; i++) {
      peer.write('x\n'.repeat(100));
      await until(() => lines.length === 100 * i);
      client?.renew();
    }
    expect(ends).toEqual([]);
  });

  it('hears nothing after it was closed', async () => {
    const peer = await connect();
    const closed = once(peer, 'close');
    client?.close();
    client?.close();
    await closed;
    await pause(20);
    expect([lines, ends]).toEqual([[], []]);
  });

  it('does not stand where nobody listens', async () => {
    const listener = { line: () => undefined, ended: () => ends.push('ended') };
    await expect(LineClient.connect(join(directory, 'nobody'), PATIENT_MS, LIMITS, listener)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(ends).toEqual([]);
  });
});
