import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PATIENT_MS, until } from '../../test/holding.js';
import { StreamClient } from './stream-client.js';

const BUDGET = { budgetBytes: 1000 };

let directory: string;
let path: string;
let server: Server;
let client: StreamClient | undefined;
const peers: Socket[] = [];
const heard: Buffer[] = [];
const ends: unknown[] = [];
let listen: (piece: Buffer) => void;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-stream-'));
  path = join(directory, 'socket');
  for (const list of [peers, heard, ends]) list.length = 0;
  listen = (piece) => heard.push(piece);
  server = createServer((socket) => peers.push(socket.on('error', () => undefined)));
  server.listen(path);
  await once(server, 'listening');
});
afterEach(() => {
  client?.close();
  for (const peer of peers) peer.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function connect(): Promise<Socket> {
  client = await StreamClient.connect(path, PATIENT_MS, BUDGET, {
    bytes: (piece) => listen(piece),
    ended: (error) => ends.push('code' in error ? error.code : error.message),
  });
  await until(() => peers.length === 1);
  return peers[0];
}

it('sends and hears bytes as they are', async () => {
  const peer = await connect();
  client?.send(Buffer.from([0, 255, 10]));
  const [sent] = await once(peer, 'data');
  expect([...sent]).toEqual([0, 255, 10]);
  peer.write(Buffer.from([1, 0, 2]));
  await until(() => Buffer.concat(heard).length === 3);
  expect([...Buffer.concat(heard)]).toEqual([1, 0, 2]);
});

it('ends once when the other side closes, and sends to nobody afterwards', async () => {
  const peer = await connect();
  peer.end('last');
  await until(() => ends.length > 0);
  client?.send('more');
  await pause(20);
  expect([Buffer.concat(heard).toString(), ends]).toEqual(['last', ['ECONNRESET']]);
});

it('ends beyond its budget, and goes on where the budget was renewed in time', async () => {
  const peer = await connect();
  peer.write(Buffer.alloc(900));
  await until(() => Buffer.concat(heard).length === 900);
  client?.renew();
  peer.write(Buffer.alloc(900));
  await until(() => Buffer.concat(heard).length === 1800);
  expect(ends).toEqual([]);
  peer.write(Buffer.alloc(101));
  await until(() => ends.length > 0);
  expect([ends, Buffer.concat(heard).length]).toEqual([['EFBIG'], 1800]);
});

it('ends with what the listener throws', async () => {
  const peer = await connect();
  listen = () => {
    throw new Error('no such frame');
  };
  peer.write('x');
  await until(() => ends.length > 0);
  peer.write('y');
  await pause(20);
  expect(ends).toEqual(['no such frame']);
});

it('keeps one message that is longer than its buffer for a peer that does not read, and no other behind it', async () => {
  const peer = await connect();
  peer.pause();
  const large = Buffer.alloc(4 << 20);
  client?.send(large);
  expect(ends).toEqual([]);
  client?.send('one more');
  expect(ends).toEqual(['EAGAIN']);
});

it('says nothing any more once it is closed', async () => {
  const peer = await connect();
  client?.close();
  client?.close();
  peer.write('late');
  await pause(20);
  expect([heard, ends]).toEqual([[], []]);
});

it('fails with the system’s word where nobody listens', async () => {
  const nobody = { bytes: () => undefined, ended: () => undefined };
  await expect(StreamClient.connect(join(directory, 'nobody'), PATIENT_MS, BUDGET, nobody)).rejects.toMatchObject({ code: 'ENOENT' });
});
