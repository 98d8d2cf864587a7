import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answer, bytes, cut, drip, flood, RawSocket, type Reply, silence } from '../../test/raw-socket.js';
import { askSocket } from './unix-http.js';

const LIMITS = { deadlineMs: 20_000, bodyBytes: 1000 };
const SHORT = { deadlineMs: 150, bodyBytes: 1000 };
const OWN = process.getuid?.() ?? 0;

let directory: string;
let socket: RawSocket | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-unix-http-'));
});
afterEach(async () => {
  await socket?.close();
  socket = undefined;
  rmSync(directory, { recursive: true, force: true });
});

const listen = async (reply: Reply, path = join(directory, 'shim.sock')): Promise<RawSocket> => {
  socket = await RawSocket.listen(path, reply);
  return socket;
};
const ask = (limits = LIMITS, owners: readonly number[] = [OWN]) => askSocket({ directory, name: 'shim.sock', owners }, '/metrics', limits);
const code = async (limits = LIMITS, owners?: readonly number[]): Promise<unknown> =>
  ask(limits, owners).then(
    ({ status }) => status,
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  );
/** Files and sockets of this process. */
const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('a question over a unix socket', () => {
  it('is one GET that asks for nothing to be kept open, and is answered', async () => {
    const { requests } = await listen(answer('a 1\n'));
    const { status, body } = await ask();
    expect([status, body.toString()]).toEqual([200, 'a 1\n']);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatch(/^GET \/metrics HTTP\/1\.1\r\n/);
    expect(requests[0]).toMatch(/\r\nconnection: close\r\n/i);
    expect(requests[0]).toMatch(/\r\nhost: localhost\r\n/i);
  });

  it('reads chunks', async () => {
    await listen(cut('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\na 1\n\r\n4\r\nb 2\n\r\n0\r\n\r\n'));
    expect((await ask()).body.toString()).toBe('a 1\nb 2\n');
  });

  it('leaves the status to whoever asks, and follows nothing', async () => {
    const { accepted } = await listen(answer('a 1\n', '500 Internal Server Error'));
    expect(accepted).toBe(0);
    expect(await code()).toBe(500);
    if (socket) socket.reply = answer('', '301 Moved Permanently', { location: 'http://127.0.0.1:1/metrics' });
    expect(await code()).toBe(301);
    expect(socket?.accepted).toBe(2);
  });

  it('reaches a socket whose path is longer than the 108 bytes of sun_path', async () => {
    const deep = join(directory, 'x'.repeat(100), 'y'.repeat(100));
    mkdirSync(deep, { recursive: true });
    const server = 'require("http").createServer((q,r)=>r.end("deep\\n")).listen("shim.sock",()=>console.log("up"))';
    const child = spawn(process.execPath, ['-e', server], { cwd: deep, stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const { body } = await askSocket({ directory: deep, name: 'shim.sock', owners: [OWN] }, '/metrics', LIMITS);
    child.kill();
    expect(body.toString()).toBe('deep\n');
  });

  it.each([
    ['nothing', () => undefined, 'ENOENT'],
    ['a regular file', (path: string) => writeFileSync(path, ''), 'ENOTSOCK'],
    ['a directory', (path: string) => mkdirSync(path), 'ENOTSOCK'],
    ['a FIFO', (path: string) => execFileSync('mkfifo', [path]), 'ENOTSOCK'],
    ['a symlink to nothing', (path: string) => symlinkSync('/nowhere', path), 'ENOTSOCK'],
  ])('finds %s in the socket’s place and touches nothing', async (_, make, expected) => {
    make(join(directory, 'shim.sock'));
    expect(await code()).toBe(expected);
  });

  it('follows no symlink, to a socket or to its directory', async () => {
    const real = await listen(answer('a 1\n'), join(directory, 'real.sock'));
    symlinkSync('real.sock', join(directory, 'shim.sock'));
    expect(await code()).toBe('ENOTSOCK');
    symlinkSync(directory, join(directory, 'link'));
    const through = askSocket({ directory: join(directory, 'link'), name: 'real.sock', owners: [OWN] }, '/', LIMITS);
    await expect(through).rejects.toMatchObject({ code: expect.stringMatching(/ELOOP|ENOTDIR/) });
    expect(real.accepted).toBe(0);
  });

  it('asks a socket of nobody but the given owners', async () => {
    const { path } = await listen(answer('a 1\n'));
    expect(await code(LIMITS, [OWN + 1, OWN + 2])).toBe('EPERM');
    if (OWN === 0) {
      chownSync(path, 12_345, 0);
      expect(await code(LIMITS, [0])).toBe('EPERM');
      expect(socket?.accepted).toBe(0);
      expect(await code(LIMITS, [0, 12_345])).toBe(200);
    }
  });

  it('tells a socket that nobody listens on any more', async () => {
    const dying = `require('net').createServer().listen(${JSON.stringify(join(directory, 'shim.sock'))}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['-e', dying]).signal).toBe('SIGKILL');
    expect(await code()).toBe('ECONNREFUSED');
  });

  it.each([
    ['a cut body', cut('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\na 1\n'), 'ECONNRESET'],
    ['a cut chunk', cut('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\na 1\n'), 'ECONNRESET'],
    ['chunks without the last one', cut('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\na 1\n\r\n'), 'ECONNRESET'],
    ['a body that ends with its connection', cut('HTTP/1.1 200 OK\r\n\r\na 1\n'), 'ENODATA'],
    ['no answer at all', cut(), 'ECONNRESET'],
    ['garbage', cut('kata_agent_threads 5\n'), 'HPE_INVALID_CONSTANT'],
    [
      'a head without end',
      bytes('HTTP/1.1 200 OK\r\n', ...Array.from({ length: 40 }, (_, i) => `x-${i}: ${'z'.repeat(1000)}\r\n`)),
      'HPE_HEADER_OVERFLOW',
    ],
    ['a head of garbage', bytes('HTTP/1.1 200 OK\r\n\u0000\u0001: x\r\n\r\n'), 'HPE_INVALID_HEADER_TOKEN'],
    ['two lengths', bytes('HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\na 1\n'), 'HPE_UNEXPECTED_CONTENT_LENGTH'],
    ['a length beyond the limit', flood(Buffer.alloc(4096, 'a'), { 'content-length': 1e9 }), 'EFBIG'],
    ['chunks beyond the limit', flood(Buffer.from('10\r\nkata_agent_x 1\n\n\r\n'), { 'transfer-encoding': 'chunked' }), 'EFBIG'],
  ])('refuses %s', async (_, reply, expected) => {
    await listen(reply);
    expect(await code()).toBe(expected);
  });

  it('takes a body of just the limit', async () => {
    await listen(answer('a'.repeat(1000)));
    expect((await ask()).body).toHaveLength(1000);
    if (socket) socket.reply = answer('a'.repeat(1001));
    expect(await code()).toBe('EFBIG');
  });

  it.each([
    ['silence', silence],
    ['a byte now and then', drip('kata_agent_threads 5\n', 10)],
    ['a head that never ends', bytes('HTTP/1.1 200 OK\r\nx-a: b\r\n')],
    ['promises', (connection) => void setInterval(() => connection.write('HTTP/1.1 100 Continue\r\n\r\n'), 5).unref()],
  ] satisfies readonly (readonly [string, Reply])[])('ends %s at the deadline, and leaves nothing open', async (_, reply) => {
    await listen(reply);
    const before = descriptors();
    const started = performance.now();
    expect(await code(SHORT)).toBe('ETIMEDOUT');
    expect(performance.now() - started).toBeGreaterThan(SHORT.deadlineMs - 5);
    await expect.poll(() => socket?.connections, { timeout: 20_000 }).toBe(0);
    await expect.poll(descriptors, { timeout: 20_000 }).toBeLessThanOrEqual(before);
  });

  it('leaves no descriptor behind, whatever happens', async () => {
    await listen(answer('a 1\n'));
    await ask();
    const before = descriptors();
    for (let time = 0; time < 20; time++) {
      await ask();
      await code(LIMITS, [OWN + 1]);
      await askSocket({ directory, name: 'missing', owners: [OWN] }, '/', LIMITS).catch(() => undefined);
    }
    await expect.poll(descriptors, { timeout: 20_000 }).toBeLessThanOrEqual(before);
  });
});
