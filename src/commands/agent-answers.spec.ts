import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AgentAnswers } from './agent-answers.js';
import { CommandError, NoAgentError } from './command-error.js';

const CHALLENGE = { 'www-authenticate': 'Bearer realm="vmgauge"' };
const problem = (status: number, code: string, detail: string): string =>
  JSON.stringify({ type: `urn:vmgauge:problem:${code}`, status, detail });

const ME = (): ReadonlySet<number> => new Set([process.getuid?.()].filter((uid) => uid !== undefined));

describe('asking an agent', () => {
  let directory: string;
  let servers: Server[] = [];
  let seen: IncomingHttpHeaders[] = [];
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-ask-'));
  });
  afterEach(() => {
    for (const server of servers) server.close();
    servers = [];
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** What the server says, or how asking it fails. */
  async function asked(answer: RequestListener, token?: string, trusted = ME): Promise<AgentAnswers> {
    const socketPath = join(directory, `${servers.length}.sock`);
    seen = [];
    const server = createServer((request, response) => {
      seen.push(request.headers);
      answer(request, response);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    return new AgentAnswers({ target: { socketPath }, words: 'the.sock' }, () => token, trusted);
  }
  const get = async (answer: RequestListener, token?: string): Promise<unknown> => {
    const answers = await asked(answer, token);
    return answers.get('/x').catch((error: unknown) => error);
  };
  const always =
    (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
    (_request, response) =>
      void response.writeHead(status, headers).end(body);

  it('gives the body of a good answer and the problem of a bad one', async () => {
    expect(await get(always(200, 'text'))).toEqual({ body: Buffer.from('text') });
    const detail = 'Container ID (x) does not exist';
    expect(await get(always(404, problem(404, 'not_found', detail)))).toEqual({ problem: { status: 404, code: 'not_found', detail } });
  });

  it('sends no token that is not asked for', async () => {
    await get(always(200, 'text'), 'secret');
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('tells the token to nobody but root, us, or who owns it', async () => {
    const challenge = always(401, problem(401, 'unauthorized', 'x'), { 'www-authenticate': 'Bearer realm="vmgauge"' });
    const answers = await asked(challenge, 'secret', () => new Set([4242]));
    await expect(answers.get('/x')).rejects.toThrow('it is not told the token');
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('sends the token once it is asked for, and from then on', async () => {
    const answers = await asked((request, response) => {
      const { authorization } = request.headers;
      if (authorization === 'Bearer secret') response.end('open');
      else response.writeHead(401, CHALLENGE).end(problem(401, 'unauthorized', 'no'));
    }, 'secret');
    for (const path of ['/a', '/b']) expect(await answers.get(path)).toEqual({ body: Buffer.from('open') });
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined, 'Bearer secret', 'Bearer secret']);
  });

  it('sends no token to another server', async () => {
    const others: Record<string, string>[] = [
      {},
      { 'www-authenticate': 'Basic realm="vmgauge"' },
      { 'www-authenticate': 'Bearer realm="other"' },
    ];
    for (const headers of others) {
      expect(await get(always(401, '', headers), 'secret')).toBeInstanceOf(NoAgentError);
      expect(seen.map(({ authorization }) => authorization)).toEqual([undefined]);
    }
  });

  it('says which setting is missing, or wrong', async () => {
    const closed = always(401, problem(401, 'unauthorized', 'no'), CHALLENGE);
    expect(await get(closed)).toMatchObject({
      name: 'CommandError',
      message: 'the agent at the.sock asks for a token: web.token-file (VMGAUGE_WEB_TOKEN_FILE) names the file that holds it',
    });
    expect(await get(closed, 'wrong')).toMatchObject({
      name: 'CommandError',
      message: 'the agent at the.sock does not take the first token of web.token-file',
    });
  });

  it.each([
    [301, ''],
    [400, '{}'],
    [404, '<html>'],
    [404, '{"type":"about:blank","detail":"x"}'],
    [404, '{"type":"urn:vmgauge:problem:not_found"}'],
    [500, 'oops'],
    [503, ''],
  ])('finds no agent in a server that answers %d %s', async (status, body) => {
    expect(await get(always(status, body))).toMatchObject({
      name: 'NoAgentError',
      note: 'what answers at the.sock is not vmgauge: this host is read without an agent',
    });
  });

  it('takes a refusal of an agent for what it is', async () => {
    const answers = await asked(always(200, ''));
    expect(() => answers.refused({ status: 429, code: 'rate_limited', detail: '40 scrapes are under way' })).toThrow(
      new CommandError('the agent at the.sock answers 429 rate_limited: 40 scrapes are under way'),
    );
  });

  it('finds nobody where nobody listens', async () => {
    const answers = new AgentAnswers({ target: { socketPath: join(directory, 'none') }, words: 'none' }, () => undefined, ME);
    await expect(answers.get('/x')).rejects.toMatchObject({ name: 'NoAgentError', note: null });
  });

  it('says of a connection that breaks what happened', async () => {
    expect(await get((request) => request.socket.destroy())).toMatchObject({
      name: 'CommandError',
      message: 'what listens at the.sock broke off its answer (ECONNRESET)',
    });
  });

  it('has a page that people can open, unless it is behind a socket file', () => {
    expect(new AgentAnswers({ target: { socketPath: '/s' }, words: 'unix:/s' }, () => undefined, ME).url).toBeNull();
    expect(new AgentAnswers({ target: { host: '::1', port: 7 }, words: '[::1]:7' }, () => undefined, ME).url).toBe('http://[::1]:7/');
  });
});
