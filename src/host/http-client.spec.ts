import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpGet } from './http-client.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Twice: a\r\nX-Twice: b\r\n';
const PATIENT = { deadlineMs: 60_000, bodyBytes: 1000 };

describe('httpGet', () => {
  let directory: string;
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  let requests: string[] = [];

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-http-'));
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
    rmSync(directory, { recursive: true });
  });

  /** A server that does with each request what it is told to. */
  function listening(name: string, answer: (socket: Socket) => void): Promise<{ socketPath: string }> {
    const socketPath = join(directory, name);
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
      socket.once('data', (bytes) => {
        requests.push(bytes.toString());
        answer(socket);
      });
    });
    servers.push(server);
    return new Promise((resolve) => server.listen(socketPath, () => resolve({ socketPath })));
  }
  const codeOf = async (work: Promise<unknown>): Promise<unknown> => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return error instanceof Error && 'code' in error ? error.code : error;
  };

  it('gives status, the first of each header, and the body', async () => {
    requests = [];
    const target = await listening('ok', (socket) => socket.end(`${OK}Content-Length: 5\r\n\r\nhello`));
    const { status, headers, body } = await httpGet(target, '/a?b=c', { accept: 'text/plain' }, PATIENT);
    expect({ status, body: body.toString(), type: headers.get('content-type'), twice: headers.get('x-twice') }).toEqual({
      status: 200,
      body: 'hello',
      type: 'text/plain',
      twice: 'a',
    });
    expect(requests).toEqual([
      expect.stringMatching(/^GET \/a\?b=c HTTP\/1\.1\r\naccept: text\/plain\r\nHost: localhost\r\nConnection: close\r\n/),
    ]);
  });

  it('ends at once when it is told to, before the answer and in the middle of it', async () => {
    for (const [name, bytes] of [
      ['abort-head', ''],
      ['abort-body', `${OK}Content-Length: 5\r\n\r\nhe`],
    ]) {
      const stop = new AbortController();
      const target = await listening(name, (socket) => {
        if (bytes !== '') socket.write(bytes);
        setTimeout(() => stop.abort(), 20);
        socket.once('close', () => requests.push(name));
      });
      expect(await codeOf(httpGet(target, '/', {}, { ...PATIENT, signal: stop.signal }))).toMatch(/^(?:ABORT_ERR|ECONNRESET)$/);
      await expect.poll(() => requests, { timeout: 20_000 }).toContain(name);
      expect(await codeOf(httpGet(target, '/', {}, { ...PATIENT, signal: stop.signal }))).toBe('ABORT_ERR');
    }
  });

  it('gives an answer of any status, and follows no redirect', async () => {
    requests = [];
    const target = await listening('moved', (socket) => socket.end('HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n'));
    expect(await httpGet(target, '/', {}, PATIENT)).toMatchObject({ status: 302, body: Buffer.alloc(0) });
    expect(requests).toHaveLength(1);
  });

  it.each<[string, string]>([
    ['closes at once', ''],
    ['closes in the middle of the head', 'HTTP/1.1 200 OK\r\nConte'],
    ['closes in the middle of the body', `${OK}Content-Length: 500\r\n\r\nhello`],
    ['closes in the middle of a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`],
    ['upgrades', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
  ])('says ECONNRESET of a server that %s', async (what, text) => {
    const target = await listening(what, (socket) => socket.end(text));
    expect(await codeOf(httpGet(target, '/', {}, PATIENT))).toBe('ECONNRESET');
  });

  it('says HPE_… of what is no HTTP', async () => {
    const target = await listening('ssh', (socket) => socket.write('SSH-2.0-OpenSSH_9.2p1\r\n'));
    expect(await codeOf(httpGet(target, '/', {}, PATIENT))).toMatch(/^HPE_/);
  });

  it.each<[string, string]>([
    ['says nothing', ''],
    ['stops in the head', 'HTTP/1.1 200 OK\r\n'],
    ['stops in the body', `${OK}Content-Length: 500\r\n\r\nhello`],
  ])('says ETIMEDOUT of a server that %s', async (what, text) => {
    const target = await listening(what, (socket) => socket.write(text));
    expect(await codeOf(httpGet(target, '/', {}, { ...PATIENT, deadlineMs: 50 }))).toBe('ETIMEDOUT');
  });

  it('says ETIMEDOUT of a server that sends a byte now and then', async () => {
    const target = await listening('drip', (socket) => {
      socket.write(`${OK}Content-Length: 100000\r\n\r\n`);
      const drip = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => clearInterval(drip));
    });
    expect(await codeOf(httpGet(target, '/', {}, { ...PATIENT, deadlineMs: 100 }))).toBe('ETIMEDOUT');
  });

  it('says EFBIG of an answer without end, and closes the connection', async () => {
    let closed: () => void;
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const target = await listening('flood', (socket) => {
      socket.write(`${OK}\r\n`);
      const pour = (): void => void (socket.writable && socket.write('x'.repeat(10_000), () => setImmediate(pour)));
      pour();
      socket.on('close', () => closed());
    });
    expect(await codeOf(httpGet(target, '/', {}, PATIENT))).toBe('EFBIG');
    await gone;
  });

  it('ends at once when it is told to end, before an answer or in the middle of one, and leaves no connection', async () => {
    for (const beginning of ['', `${OK}\r\n`]) {
      let closed: () => void;
      const gone = new Promise<void>((resolve) => {
        closed = resolve;
      });
      const ending = new AbortController();
      const target = await listening(`told-${beginning.length}`, (socket) => {
        socket.write(beginning);
        socket.on('close', () => closed());
        setTimeout(() => ending.abort(), 20);
      });
      expect(await codeOf(httpGet(target, '/', {}, { ...PATIENT, signal: ending.signal }))).toBe('ABORT_ERR');
      await gone;
    }
  });

  it('takes a body that is as long as the limit', async () => {
    const target = await listening('full', (socket) => socket.end(`${OK}\r\n${'x'.repeat(1000)}`));
    expect((await httpGet(target, '/', {}, PATIENT)).body).toHaveLength(1000);
  });

  it('says ENOENT and ECONNREFUSED where nobody listens', async () => {
    expect(await codeOf(httpGet({ socketPath: join(directory, 'none') }, '/', {}, PATIENT))).toBe('ENOENT');
    writeFileSync(join(directory, 'file'), '');
    expect(await codeOf(httpGet({ socketPath: join(directory, 'file') }, '/', {}, PATIENT))).toBe('ECONNREFUSED');
    expect(await codeOf(httpGet({ host: 'localhost', port: 1 }, '/', {}, PATIENT))).toBe('ECONNREFUSED');
  });
});
