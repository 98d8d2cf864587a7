import { once } from 'node:events';
import { createServer as createPlain, type Server as PlainServer, type Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { Authority, type Certificate } from '../../test/certificates.js';
import { httpsGet, type Trust } from './https-client.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const PATIENT = { deadlineMs: 60_000, bodyBytes: 1000 };
const SECRET = { authorization: 'Bearer hunter2' };
const TRUST: Trust = { serverName: '127.0.0.1', ca: null, fingerprint: '', unchecked: false };

const authority = new Authority();
const good = authority.issue();

describe('httpsGet', () => {
  const servers: (Server | PlainServer)[] = [];
  const sockets = new Set<Socket>();
  /** All that ever reached a server in clear. */
  let heard = '';
  let names: string[] = [];

  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  async function listen(server: Server | PlainServer): Promise<{ host: string; port: number }> {
    servers.push(server);
    server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    heard = '';
    names = [];
    return { host: '127.0.0.1', port: address.port };
  }

  function answering({ cert, key }: Certificate, answer = OK): Promise<{ host: string; port: number }> {
    const SNICallback = (name: string, done: (error: Error | null) => void): void => {
      names.push(name);
      done(null);
    };
    const server = createServer({ cert, key, SNICallback }, (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        heard += bytes.toString();
        if (heard.endsWith('\r\n\r\n')) socket.write(answer);
      });
    });
    server.on('tlsClientError', () => undefined);
    return listen(server);
  }

  /** Open at any server. */
  async function connections(): Promise<number> {
    const counts = servers.map((server) => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  const ask = async (server: { host: string; port: number }, trust: Partial<Trust>, limits = PATIENT): Promise<unknown> => {
    try {
      return String((await httpsGet(server, { ...TRUST, ...trust }, '/m?a=b', SECRET, limits)).body);
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    }
  };

  it('asks a server whose certificate the CA has signed, by address and by name', async () => {
    const server = await answering(good);
    expect(await ask(server, { ca: authority.cert })).toBe('hello');
    expect(heard).toMatch(/^GET \/m\?a=b HTTP\/1\.1\r\nauthorization: Bearer hunter2\r\n/);
    expect(heard).toMatch(/\r\nConnection: close\r\n/i);
    expect(await ask(server, { ca: authority.cert, serverName: 'localhost' })).toBe('hello');
    // An address is no SNI.
    expect(names).toEqual(['localhost']);
  });

  it('looks for the name that it is told instead of the host', async () => {
    const server = await answering(authority.issue({ names: ['antrea.local'] }));
    expect(await ask(server, { ca: authority.cert })).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(heard).toBe('');
    expect(await ask(server, { ca: authority.cert, serverName: 'antrea.local' })).toBe('hello');
    expect(names).toContain('antrea.local');
  });

  it.each<[string, string, Certificate, Partial<Trust>]>([
    ['nobody who is trusted has signed', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', good, {}],
    ['another CA of the same name has signed', 'CERT_SIGNATURE_FAILURE', new Authority().issue(), { ca: authority.cert }],
    ['has expired', 'CERT_HAS_EXPIRED', authority.issue({ days: [-10, -1] }), { ca: authority.cert }],
    ['is not valid yet', 'CERT_NOT_YET_VALID', authority.issue({ days: [1, 10] }), { ca: authority.cert }],
    ['is for somebody else', 'ERR_TLS_CERT_ALTNAME_INVALID', authority.issue({ names: ['other'] }), { ca: authority.cert }],
    ['is not the pinned one', 'ERR_TLS_PIN_MISMATCH', good, { fingerprint: authority.issue().fingerprint }],
    ['is not the pinned one, though its CA is trusted', 'ERR_TLS_PIN_MISMATCH', good, { fingerprint: 'a'.repeat(64), ca: authority.cert }],
  ])('says nothing at all to a server whose certificate %s', async (_, code, certificate, trust) => {
    const server = await answering(certificate);
    expect(await ask(server, trust)).toBe(code);
    await expect.poll(connections, { timeout: 20_000 }).toBe(0);
    expect(heard).toBe('');
  });

  it('asks a server with the pinned certificate, whoever signed it and whenever it ended', async () => {
    for (const wanted of [{}, { days: [-10, -1] as const }, { names: ['other'] }]) {
      const certificate = new Authority('somebody').issue(wanted);
      const server = await answering(certificate);
      expect(await ask(server, { fingerprint: certificate.fingerprint })).toBe('hello');
      expect(heard).toContain('hunter2');
    }
  });

  it('asks whoever answers where nothing is checked', async () => {
    expect(await ask(await answering(new Authority('anybody').issue({ days: [-10, -1], names: ['x'] })), { unchecked: true })).toBe(
      'hello',
    );
  });

  it('says of a server that speaks no TLS, that closes, and that is not there what happened, and nothing to it', async () => {
    const plain = await listen(
      createPlain((socket) => {
        socket.on('data', (bytes) => {
          heard += bytes.toString('latin1');
          socket.write(OK);
        });
      }),
    );
    expect(await ask(plain, {})).toMatch(/^(EPROTO|ERR_SSL_)/);
    expect(heard).not.toContain('hunter2');
    expect(await ask(await listen(createPlain((socket) => void socket.resume().end())), {})).toBe('ECONNRESET');
    expect(await ask({ host: '127.0.0.1', port: 1 }, {})).toBe('ECONNREFUSED');
    expect(await ask({ host: 'nobody.invalid', port: 443 }, { serverName: 'nobody.invalid' })).toMatch(/^(ENOTFOUND|EAI_AGAIN)$/);
  });

  it('ends by its deadline with a server that stops in the handshake, before the answer, or in it', async () => {
    const brief = { ...PATIENT, deadlineMs: 60 };
    expect(await ask(await listen(createPlain((socket) => void socket.resume())), {}, brief)).toBe('ETIMEDOUT');
    expect(await ask(await answering(good, ''), { ca: authority.cert }, brief)).toBe('ETIMEDOUT');
    expect(await ask(await answering(good, OK.slice(0, -1)), { ca: authority.cert }, brief)).toBe('ETIMEDOUT');
  });

  it('ends at once when it is told to, in the handshake and after it', async () => {
    const servers = [await listen(createPlain((socket) => void socket.resume())), await answering(good, '')];
    for (const server of servers) {
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 20);
      const limits = { ...PATIENT, signal: stop.signal };
      expect(await ask(server, { ca: authority.cert }, limits)).toBe('ABORT_ERR');
      expect(await ask(server, { ca: authority.cert }, limits)).toBe('ABORT_ERR');
    }
    await expect.poll(connections, { timeout: 20_000 }).toBe(0);
  });

  it('cuts an answer that is longer than the limit', async () => {
    const flood = `HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n${'x'.repeat(5000)}`;
    expect(await ask(await answering(good, flood), { ca: authority.cert })).toBe('EFBIG');
  });

  it('has a CA that holds none trust nobody', async () => {
    expect(await ask(await answering(good), { ca: 'nothing' })).not.toBe('hello');
    expect(heard).toBe('');
  });
});
