import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/holding.js';
import { groupId } from './groups.js';
import { inheritedSocket, LineServer, type Peer } from './line-server.js';

const LIMITS = { lineBytes: 100, budgetBytes: 1000, unreadBytes: 100_000 };

let directory: string;
let path: string;
let server: LineServer;
let peers: Peer[];
let lines: string[];
let ended: number;
let sockets: Socket[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-lines-'));
  path = join(directory, 'socket');
  peers = [];
  lines = [];
  sockets = [];
  ended = 0;
  server = new LineServer(LIMITS, (peer) => {
    peers.push(peer);
    peer.listen({ line: (text) => lines.push(text), ended: () => void ended++ });
  });
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const peer of peers) peer.close();
  server.close();
  rmSync(directory, { recursive: true });
});

const client = async (): Promise<Socket> => {
  const socket = connect(path);
  sockets.push(socket);
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  await until(() => peers.length === sockets.length);
  return socket;
};

describe('a socket of lines', () => {
  it('is for its owner and group alone, and gone when it is closed', async () => {
    await server.listen({ path, gid: process.getgid?.() ?? null });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    server.close();
    expect(existsSync(path)).toBe(false);
  });

  it('takes lines and sends them', async () => {
    await server.listen({ path, gid: null });
    const socket = await client();
    let heard = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    socket.write('one\ntw');
    socket.write('o\r\n');
    await until(() => lines.length === 2);
    expect(lines).toEqual(['one', 'two']);
    peers[0].send('three');
    peers[0].finish(60_000);
    await until(() => heard === 'three\n');
    await until(() => ended === 1);
  });

  it.each([
    ['a line without an end', 'x'.repeat(101)],
    ['more than may come', 'x\n'.repeat(501)],
  ])('lets go of one that sends %s', async (_, text) => {
    await server.listen({ path, gid: null });
    (await client()).write(text);
    await until(() => ended === 1);
    peers[0].send('nobody hears that');
    peers[0].close();
    expect(ended).toBe(1);
  });

  it('takes as much again after a renewal', async () => {
    await server.listen({ path, gid: null });
    const socket = await client();
    for (let i = 1; i <= 3; i++) {
      socket.write('x\n'.repeat(400));
      await until(() => lines.length === 400 * i);
      peers[0].renew();
    }
    expect(ended).toBe(0);
  });

  it('lets go of one that does not read', async () => {
    await server.listen({ path, gid: null });
    (await client()).pause();
    for (let i = 0; i < 1000 && ended === 0; i++) peers[0].send('x'.repeat(10_000));
    expect(ended).toBe(1);
  });

  it('ends a farewell that nobody reads', async () => {
    await server.listen({ path, gid: null });
    const socket = await client();
    socket.pause();
    socket.write('x');
    peers[0].send('x'.repeat(90_000));
    peers[0].finish(10);
    await until(() => ended === 1);
  });

  it('takes the place of one that was killed, not of one that listens, nor of a file', async () => {
    const left = spawn(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(path)})`], { stdio: 'ignore' });
    await until(() => existsSync(path));
    const other = join(directory, 'other');
    const living = createServer().listen(other);
    await until(() => existsSync(other));
    await expect(server.listen({ path: other, gid: null })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    living.close();
    left.kill('SIGKILL');
    await new Promise((resolve) => left.once('exit', resolve));
    await server.listen({ path, gid: null });
    await client();
    const file = join(directory, 'file');
    writeFileSync(file, 'precious');
    await expect(new LineServer(LIMITS, () => undefined).listen({ path: file, gid: null })).rejects.toMatchObject({ code: 'EEXIST' });
    expect(existsSync(file)).toBe(true);
  });

  it('was handed over only to the process that is named', () => {
    expect(inheritedSocket({ LISTEN_PID: String(process.pid), LISTEN_FDS: '1' })).toBe(true);
    expect(inheritedSocket({ LISTEN_PID: String(process.ppid), LISTEN_FDS: '1' })).toBe(false);
    expect(inheritedSocket({ LISTEN_PID: String(process.pid), LISTEN_FDS: '0' })).toBe(false);
    expect(inheritedSocket({})).toBe(false);
  });
});

describe('a group', () => {
  it('is a number, or a name of group(5)', () => {
    const file = join(directory, 'group');
    writeFileSync(file, 'root:x:0:\nbad:x:4294967295:\nbroken\nvmgauge:x:988:a,b\nodd:x:-1:\n');
    expect(['vmgauge', 'root', '77', '4294967294'].map((group) => groupId(group, file))).toEqual([988, 0, 77, 4_294_967_294]);
    expect(['4294967295', 'bad', 'odd', 'broken', 'none', '', '-1'].map((group) => groupId(group, file))).toEqual(Array(7).fill(null));
  });
});
