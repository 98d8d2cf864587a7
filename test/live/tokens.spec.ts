import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { expectProblem, expectProblemIn } from './problem.js';
import { exchange } from './raw-connection.js';

const cleanup = new Cleanup();
const GATED = [
  '/',
  '/instances',
  '/instances/x',
  '/instances/x/stats',
  '/instances/x/metrics',
  '/stats',
  '/metrics',
  '/nothing-here',
  '//livez',
];
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

describe('an agent with tokens', () => {
  let agent: RunningAgent;
  let tokens: string;
  const say = (text: string): void => writeFileSync(tokens, text);

  beforeAll(async () => {
    tokens = join(cleanup.directory(), 'tokens');
    say('# readers\nfirst\n  second  \n');
    agent = await startAgent(cleanup, [`--web.token-file=${tokens}`]);
  });

  it.each(GATED)('asks for one at %s, whether there is anything or not', async (path) => {
    for (const headers of [{}, bearer('wrong'), bearer(''), bearer('# readers'), { authorization: 'Basic Zmlyc3Q6' }]) {
      const response = await agent.get(path, headers);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="vmgauge"');
      const { detail, instance } = await expectProblemIn(response, 401, 'unauthorized');
      expect({ detail, instance }).toEqual({ detail: 'a bearer token is needed', instance: path });
    }
  });

  it.each(['/%zz', '/instances/a%', `/instances/${'a'.repeat(3000)}`, '/livez/../metrics', '/LIVEZ', '/livez%2f'])(
    'asks for one before it judges the URL %s',
    async (path) => {
      expectProblem(await exchange(agent.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`), 401, 'unauthorized');
    },
  );

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND'])('asks for one before it judges the method %s', async (method) => {
    expectProblem(await exchange(agent.port, `${method} /instances/x HTTP/1.1\r\nHost: x\r\n\r\n`), 401, 'unauthorized');
  });

  it('lets every one of them in', async () => {
    for (const token of ['first', 'second']) {
      const response = await agent.get('/instances', bearer(token));
      expect({ status: response.status, body: await response.json() }).toMatchObject({
        status: 200,
        body: { instances: expect.any(Array) },
      });
    }
  });

  it('asks nothing of probes', async () => {
    for (const path of ['/livez', '/readyz', '/health', '/livez?verbose']) expect((await agent.get(path)).status).toBe(200);
  });

  it('reads them again on SIGHUP, and keeps them when the file is empty or gone', async () => {
    say('third\n');
    await reload(/configuration read again; changed: nothing; tokens read again: web\.token-file"/);
    expect((await agent.get('/instances', bearer('first'))).status).toBe(401);
    expect((await agent.get('/instances', bearer('third'))).status).toBe(200);
    say('# nobody\n');
    await reload(/reload refused.*web\.token-file/);
    expect((await agent.get('/instances', bearer('third'))).status).toBe(200);
    expect((await agent.get('/instances')).status).toBe(401);
  });

  async function reload(word: RegExp): Promise<void> {
    agent.child.signal('SIGHUP');
    await agent.child.wrote('stderr', word);
  }
});
