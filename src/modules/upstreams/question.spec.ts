import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Authority } from '../../../test/certificates.js';
import { answer, bytes, cut, drip, flood, RawSocket, type Reply, silence } from '../../../test/raw-socket.js';
import { UpstreamServer, upstreamAt } from '../../../test/upstream-server.js';
import { Outcome } from '../../model/outcome.js';
import type { UpstreamSettings } from '../../model/upstream.js';
import { parseUpstreamUrl } from '../../model/upstream-url.js';
import { askUpstream } from './question.js';

const PAGE = 'a 1\n';
const never = new AbortController().signal;

async function ask(settings: UpstreamSettings): Promise<string | { outcome: Outcome; cause: string; why: string }> {
  const target = parseUpstreamUrl(settings.url);
  if (!target) throw new Error(settings.url);
  const answered = await askUpstream(settings, target, never);
  return Buffer.isBuffer(answered) ? answered.toString() : answered;
}

describe('a question to an upstream', () => {
  let directory: string;
  let socket: RawSocket;
  const servers: UpstreamServer[] = [];
  const path = (name: string): string => join(directory, name);
  const file = (name: string, text: string): string => {
    writeFileSync(path(name), text);
    return path(name);
  };
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-upstream-'));
    socket = await RawSocket.listen(path('s'), silence);
  });
  beforeEach(() => {
    socket.requests.length = 0;
  });
  afterAll(async () => {
    await socket.close();
    for (const server of servers) await server.close();
    rmSync(directory, { recursive: true });
  });

  const overSocket = (reply: Reply, more: Partial<UpstreamSettings> = {}) => {
    socket.reply = reply;
    return ask(upstreamAt('a', `unix:${path('s')}:/metrics?x=y`, more));
  };

  it('asks for the text format, unpacked, and says how long it waits', async () => {
    expect(await overSocket(answer(PAGE), { timeoutMs: 1500 })).toBe(PAGE);
    const [head, ...lines] = socket.requests[0].trim().split('\r\n');
    expect(head).toBe('GET /metrics?x=y HTTP/1.1');
    expect(lines.map((line) => line.toLowerCase()).sort()).toEqual([
      'accept-encoding: identity',
      'accept: text/plain;version=0.0.4',
      'connection: close',
      'host: localhost',
      'user-agent: vmgauge',
      'x-prometheus-scrape-timeout-seconds: 1.5',
    ]);
  });

  it('takes answers that end with their length, with their last chunk, or with a whole line', async () => {
    expect(await overSocket(cut('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n'))).toBe(PAGE);
    expect(await overSocket(cut('HTTP/1.0 200 OK\r\n\r\n', PAGE))).toBe(PAGE);
  });

  it.each<[string, Reply, Outcome, string, string]>([
    [
      'is cut in a line',
      cut('HTTP/1.0 200 OK\r\n\r\n', 'a 1\nb 2'),
      Outcome.ioError,
      'address',
      'it closed the connection before its answer was whole',
    ],
    [
      'is cut',
      cut('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n', PAGE),
      Outcome.ioError,
      'address',
      'it closed the connection before its answer was whole',
    ],
    ['is no HTTP', cut(PAGE), Outcome.malformed, 'address', 'what answers there is no HTTP (HPE_INVALID_CONSTANT)'],
    [
      'has chunks that are none',
      cut('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'),
      Outcome.malformed,
      'address',
      'what answers there is no HTTP (HPE_INVALID_CHUNK_SIZE)',
    ],
    [
      'has headers without end',
      bytes('HTTP/1.1 200 OK\r\n', ...Array.from({ length: 60 }, (_, i) => `x-${i}: ${'y'.repeat(900)}\r\n`)),
      Outcome.malformed,
      'address',
      'what answers there is no HTTP (HPE_HEADER_OVERFLOW)',
    ],
    [
      'sends elsewhere',
      answer('', '302 Found', { location: 'http://evil/' }),
      Outcome.ioError,
      'page',
      'it sends elsewhere (302), where nobody follows with a token',
    ],
    ['wants another token', answer('', '401 Unauthorized'), Outcome.notPermitted, 'token', 'it wants a token (401)'],
    ['wants more rights', answer('', '403 Forbidden'), Outcome.notPermitted, 'token', 'it wants a token (403)'],
    ['has no page', answer('', '404 Not Found'), Outcome.unsupported, 'page', 'it has no such page (404)'],
    ['fails, and has a page for that', answer(PAGE, '500 Internal Server Error'), Outcome.ioError, 'upstream', 'it answers 500'],
    ['is busy', answer('', '503 Service Unavailable'), Outcome.busy, 'upstream', 'it answers 503'],
    ['is empty by its status', answer('', '204 No Content'), Outcome.ioError, 'upstream', 'it answers 204'],
    [
      'is packed',
      answer(PAGE, '200 OK', { 'content-encoding': 'gzip' }),
      Outcome.malformed,
      'page',
      'it packs its answer, which nobody asked for',
    ],
  ])('is told what came of an answer that %s', async (_, reply, outcome, cause, why) => {
    expect(await overSocket(reply)).toEqual({ outcome, cause, why });
    expect(socket.requests).toHaveLength(1);
  });

  it('ends by its deadline where an answer never does', async () => {
    const late = { outcome: Outcome.timeout, cause: 'upstream', why: 'it gave no whole answer in time' };
    for (const reply of [silence, drip(PAGE.repeat(100), 20), bytes('HTTP/1.1 200 O')])
      expect(await overSocket(reply, { timeoutMs: 80 })).toEqual(late);
    await expect.poll(() => socket.connections, { timeout: 20_000 }).toBe(0);
  });

  it('cuts a gigabyte at the limit, and closes the connection', async () => {
    const big = { outcome: Outcome.tooLarge, cause: 'size', why: 'its answer is longer than max-bytes' };
    const line = Buffer.from('a{b="c"} 1\n'.repeat(2000));
    expect(await overSocket(flood(line, { 'content-length': 1e9 }), { maxBytes: 100_000 })).toEqual(big);
    expect(await overSocket(flood(line, {}), { maxBytes: 100_000 })).toEqual(big);
    await expect.poll(() => socket.connections, { timeout: 20_000 }).toBe(0);
  });

  it('is told where nobody is, by name and by address', async () => {
    expect(await ask(upstreamAt('a', `unix:${path('none')}`))).toEqual({
      outcome: Outcome.gone,
      cause: 'address',
      why: 'its socket is not there',
    });
    expect(await ask(upstreamAt('a', 'http://127.0.0.1:1/'))).toMatchObject({ cause: 'address', why: 'nobody listens there' });
    expect(await ask(upstreamAt('a', 'http://nobody.invalid/'))).toMatchObject({
      outcome: Outcome.ioError,
      why: expect.stringMatching(/^its name /),
    });
  });

  it('sends the token of the file as it is now, and none where the file has none', async () => {
    const token = file('token', 'one\n');
    await overSocket(answer(PAGE), { tokenFile: token });
    file('token', '  two');
    await overSocket(answer(PAGE), { tokenFile: token });
    expect(socket.requests.map((head) => /^authorization: (.*?)\r?$/im.exec(head)?.[1])).toEqual(['Bearer one', 'Bearer two']);
    for (const [text, why] of [
      ['', 'its token file holds no token'],
      ['a b', 'its token file holds no token'],
      ['a\nb', 'its token file holds no token'],
      ['ä', 'its token file holds no token'],
      ['x'.repeat(70_000), 'its token file cannot be read (EFBIG)'],
    ]) {
      expect(await overSocket(answer(PAGE), { tokenFile: file('token', text) })).toMatchObject({ cause: 'token_file', why });
    }
    expect(await overSocket(answer(PAGE), { tokenFile: path('none') })).toEqual({
      outcome: Outcome.gone,
      cause: 'token_file',
      why: 'its token file cannot be read (ENOENT)',
    });
    expect(socket.requests).toHaveLength(2);
  });

  it('blames the token only where one was sent', async () => {
    const tokenFile = file('token', 'hunter2');
    expect(await overSocket(answer('', '401 Unauthorized'), { tokenFile })).toMatchObject({
      cause: 'token',
      why: 'it wants another token (401)',
    });
    expect(await overSocket(answer('', '403 Forbidden'), { tokenFile })).toMatchObject({
      cause: 'rights',
      why: 'this token may not read it (403)',
    });
  });

  it('takes a CA file of several, and blames one that cannot be read', async () => {
    const authority = new Authority();
    const other = new Authority('another').cert;
    const server = await UpstreamServer.start(PAGE, authority.issue());
    servers.push(server);
    const over = (pem: string) => ask(upstreamAt('a', server.url, { caFile: file('ca', pem) }));
    expect(await over(`of another\n${other}ours\n${authority.cert}`)).toBe(PAGE);
    expect(await over((other + authority.cert).replaceAll('\n', '\r\n'))).toBe(PAGE);
    for (const damaged of [authority.cert.replace(/\n[^-]/, '\n!'), authority.cert.slice(0, -40), '-----BEGIN CERTIFICATE-----\n'])
      expect(await over(damaged)).toEqual({ outcome: Outcome.malformed, cause: 'ca_file', why: 'its CA file holds no certificate' });
  });

  it('trusts the CA of the file, or a pin, and shows the token to nobody else', async () => {
    const authority = new Authority();
    const certificate = authority.issue();
    const server = await UpstreamServer.start(PAGE, certificate);
    servers.push(server);
    server.token = 'hunter2';
    const tokenFile = file('token', 'hunter2');
    const over = (more: Partial<UpstreamSettings>) => ask(upstreamAt('a', server.url, { tokenFile, ...more }));
    expect(await over({ caFile: file('ca', authority.cert) })).toBe(PAGE);
    expect(await over({ certificateSha256: certificate.fingerprint })).toBe(PAGE);
    expect(await over({ insecureSkipVerify: true })).toBe(PAGE);
    expect(server.asked).toHaveLength(3);

    const untrusted = { outcome: Outcome.notPermitted, cause: 'certificate' };
    expect(await over({})).toMatchObject({
      ...untrusted,
      why: 'nobody who is trusted has signed its certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
    });
    expect(await over({ certificateSha256: 'ab'.repeat(32) })).toMatchObject({
      ...untrusted,
      why: 'its certificate is not the one that is pinned',
    });
    expect(await over({ caFile: path('ca'), serverName: 'other' })).toMatchObject({
      ...untrusted,
      why: 'its certificate has another name',
    });
    expect(await over({ caFile: file('empty', '') })).toMatchObject({ cause: 'ca_file', why: 'its CA file holds no certificate' });
    expect(await over({ caFile: path('none') })).toMatchObject({ cause: 'ca_file', why: 'its CA file cannot be read (ENOENT)' });
    expect(await ask(upstreamAt('a', server.url.replace('https', 'http')))).toMatchObject({ cause: 'address' });
    expect(server.asked).toHaveLength(3);

    expect(await over({ caFile: path('ca'), tokenFile: file('wrong', 'wrong') })).toMatchObject({
      outcome: Outcome.notPermitted,
      cause: 'token',
    });
  });

  it('names the host as its URL does', async () => {
    const server = await UpstreamServer.start(PAGE);
    servers.push(server);
    await ask(upstreamAt('a', server.url));
    expect(server.asked[0].headers.host).toBe(new URL(server.url).host);
    expect(parseUpstreamUrl('http://[::1]:9100/m')).toEqual({ kind: 'http', host: '::1', port: 9100, path: '/m' });
    expect(parseUpstreamUrl('https://h')).toEqual({ kind: 'https', host: 'h', port: 443, path: '/' });
  });

  it('says nothing of secrets in what it tells', async () => {
    const tokenFile = file('token', 'hunter2');
    for (const url of ['http://127.0.0.1:1/?key=hunter2', 'http://nobody.invalid/?hunter2', `unix:${path('none')}:/?hunter2`]) {
      expect(JSON.stringify(await ask(upstreamAt('a', url, { tokenFile })))).not.toContain('hunter2');
    }
  });
});
