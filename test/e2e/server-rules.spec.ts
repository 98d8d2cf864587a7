import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Collection } from '../../src/modules/collection/collection.js';
import { Readiness } from '../../src/modules/health/readiness.js';
import { Agent, type AgentOptions } from './agent.js';
import { rootOf, story } from './stories.js';

/** As the document of Podtrace gives them. */
const SAFETY = { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'x-xss-protection': '1; mode=block' };
const TEXT = 'text/plain; charset=utf-8';
const PROBLEM = 'application/problem+json; charset=utf-8';

async function listening(host: string, options: AgentOptions = {}): Promise<Agent> {
  const agent = await Agent.start(rootOf(story(host)), options);
  // Where there is IPv6, this is how the agent listens on every address.
  await agent.app.listen(0, '::').catch(() => agent.app.listen(0, '127.0.0.1'));
  return agent;
}

// Fastify's server is a net.Server that listens on TCP by now.
const portOf = (agent: Agent): number => (agent.app.getHttpServer().address() as AddressInfo).port;

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Where the server is asked. */
  readonly host?: string;
  /** Where the question comes from. */
  readonly from?: string;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function ask(agent: Agent, path: string, { method = 'GET', headers = {}, body, host = '127.0.0.1', from }: Asked = {}): Promise<Answer> {
  const options = { host, port: portOf(agent), path, method, headers, agent: false, ...(from === undefined ? {} : { localAddress: from }) };
  return new Promise((resolve, reject) => {
    const request = httpRequest(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.on('error', reject).end(body);
  });
}

/** Bytes that no client would send. @returns the head of the answer */
function sendRaw(agent: Agent, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(portOf(agent), '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('latin1').on('data', (piece) => {
      text += String(piece);
      if (!text.includes('\r\n\r\n')) return;
      socket.destroy();
      resolve(text.split('\r\n\r\n')[0]);
    });
    socket.on('error', reject);
    socket.on('end', () => reject(new Error(`it ended after ${text}`)));
  });
}

describe('the three headers', () => {
  const store = mkdtempSync(join(tmpdir(), 'vmgauge-e2e-'));
  let agent: Agent;
  let guarded: Agent;
  let full: Agent;
  let failing: Agent;
  beforeAll(async () => {
    const registration = { registrationTokens: ['may-register'], registrationStore: join(store, 'registrations.json') };
    agent = await listening('two-qemu', { settings: registration });
    guarded = await listening('empty', { tokens: ['secret'] });
    full = await listening('empty', { settings: { maxRequests: 0 } });
    failing = await listening('empty');
    failing.app.get(Readiness).draining = true;
    vi.spyOn(failing.app.get(Collection), 'fresh').mockRejectedValue(new TypeError('a defect'));
  });
  afterAll(async () => {
    for (const one of [agent, guarded, full, failing]) await one.stop();
    rmSync(store, { recursive: true, force: true });
  });

  const JSON_BODY = { authorization: 'Bearer may-register', 'content-type': 'application/json' };
  it.each<[status: number, path: string, asked?: Asked, which?: () => Agent]>([
    ...['/', '/docs', '/docs/init.js', '/openapi.yaml', '/openapi.json', '/instances', '/instances/web-1', '/instances/web-1/stats'].map(
      (path): [number, string] => [200, path],
    ),
    ...['/instances/web-1/metrics', '/metrics', '/sandboxes', '/capabilities', '/livez', '/readyz', '/health'].map(
      (path): [number, string] => [200, path],
    ),
    [200, '/', { headers: { accept: 'text/html' } }],
    [200, '/stats', { headers: { accept: 'application/x-ndjson' } }],
    [200, '/metrics', { headers: { 'accept-encoding': 'gzip' } }],
    [200, '/metrics', { method: 'HEAD' }],
    [200, '/', { method: 'HEAD' }],
    [404, '/nowhere', { method: 'HEAD' }],
    [404, '/nowhere'],
    [404, '/docs/'],
    [404, '/instances/nobody'],
    [404, '/docs/nothing.js'],
    [400, '/instances/%zz'],
    [400, '/instances/..%2f'],
    [400, '/instances?limit=0'],
    [405, '/metrics', { method: 'POST' }],
    [405, '/', { method: 'OPTIONS' }],
    [401, '/instances', {}, () => guarded],
    [401, '/instances/%zz', {}, () => guarded],
    [401, '/metrics', { method: 'HEAD' }, () => guarded],
    [400, '/instances/vm', { method: 'PUT', headers: JSON_BODY, body: '{' }],
    [401, '/instances/vm', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{}' }],
    [413, '/instances/vm', { method: 'PUT', headers: JSON_BODY, body: JSON.stringify({ name: 'x'.repeat(300_000) }) }],
    [415, '/instances/vm', { method: 'PUT', headers: { ...JSON_BODY, 'content-type': 'text/plain' }, body: 'x' }],
    [429, '/metrics', {}, () => full],
    [500, '/metrics', {}, () => failing],
    [500, '/stats', {}, () => failing],
    [503, '/readyz', {}, () => failing],
  ])('are on a %d of %s %j', async (status, path, asked, which = () => agent) => {
    const answer = await ask(which(), path, asked);
    expect({ status: answer.status, ...answer.headers }).toMatchObject({ status, ...SAFETY });
  });

  it.each([
    [400, 'no HTTP', '\x16\x03\x01\x02\x00\r\n\r\n'],
    [400, 'no Host', 'GET / HTTP/1.1\r\n\r\n'],
    [400, 'an unknown method', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n'],
    [400, 'two lengths', 'PUT /instances/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    [431, 'headers of 64 KB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(65_536)}\r\n\r\n`],
    [431, 'a URL of 64 KB', `GET /${'a'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    [200, 'HTTP/1.0', 'GET /livez HTTP/1.0\r\n\r\n'],
    [200, 'an expectation', 'GET /livez HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected\r\n\r\n'],
    [200, 'an upgrade', 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ])('are on the %d to %s, once each', async (status, _, bytes) => {
    const lines = (await sendRaw(agent, bytes)).toLowerCase().split('\r\n');
    expect(lines[0]).toContain(` ${status} `);
    for (const [name, value] of Object.entries(SAFETY)) {
      expect(lines.filter((line) => line.startsWith(`${name}:`))).toEqual([`${name}: ${value.toLowerCase()}`]);
    }
  });
});

describe('the rate limit', () => {
  const agents: Agent[] = [];
  async function limited(options: AgentOptions = {}, host = 'two-qemu'): Promise<Agent> {
    const settings = { rateLimit: 10, rateBurst: 20, ...options.settings };
    const agent = await listening(host, { ...options, settings });
    agents.push(agent);
    return agent;
  }
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.stop();
  });
  const statuses = async (agent: Agent, times: number, path: string, asked?: Asked): Promise<number[]> => {
    const found: number[] = [];
    for (let time = 0; time < times; time++) found.push((await ask(agent, path, asked)).status);
    return found;
  };
  const count = (found: readonly number[], status: number): number => found.filter((one) => one === status).length;

  it('lets 20 of 200 requests in a burst through, and then 10 a second', async () => {
    const agent = await limited();
    const burst = await Promise.all(Array.from({ length: 200 }, () => ask(agent, '/metrics')));
    const found = burst.map(({ status }) => status);
    expect([count(found, 200), count(found, 429)]).toEqual([20, 180]);
    agent.host.clock.advance(1000);
    expect(count(await statuses(agent, 30, '/metrics'), 200)).toBe(10);
    agent.host.clock.advance(60_000);
    expect(count(await statuses(agent, 30, '/metrics'), 200)).toBe(20);
  });

  describe('refuses', () => {
    let agent: Agent;
    beforeEach(async () => {
      agent = await limited({ settings: { rateBurst: 1 } });
      expect((await ask(agent, '/metrics')).status).toBe(200);
    });

    it.each([undefined, '*/*', 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'])(
      'in one line of text where Accept is %s',
      async (accept) => {
        const { status, headers, body } = await ask(agent, '/metrics', accept === undefined ? {} : { headers: { accept } });
        expect({ status, body }).toEqual({ status: 429, body: 'Rate limit exceeded' });
        expect(headers).toMatchObject({ ...SAFETY, 'content-type': TEXT, 'cache-control': 'no-store', 'retry-after': '1' });
      },
    );

    it.each(['application/json', 'application/problem+json'])('with a problem document for %s', async (accept) => {
      const { status, headers, body } = await ask(agent, '/metrics?collect[]=cpu', { headers: { accept } });
      expect(JSON.parse(body)).toMatchObject({ status: 429, code: 'rate_limited', detail: 'Rate limit exceeded', instance: '/metrics' });
      expect({ status, ...headers }).toMatchObject({ status: 429, ...SAFETY, 'content-type': PROBLEM, 'retry-after': '1' });
    });

    it('HEAD without a body', async () => {
      const { status, headers, body } = await ask(agent, '/metrics', { method: 'HEAD' });
      expect({ status, body, ...headers }).toMatchObject({ status: 429, body: '', ...SAFETY, 'content-length': '19' });
    });

    it.each(['/instances/web-1/metrics', '/instances/nobody/metrics', '/instances/..%2f/metrics', '/%6Detrics', '/metrics?instance=%00'])(
      'what costs the same budget: %s',
      async (path) => {
        expect((await ask(agent, path)).status).toBe(429);
      },
    );

    it('before anything is read', async () => {
      const fresh = vi.spyOn(agent.app.get(Collection), 'fresh');
      for (const path of ['/metrics', '/instances/web-1/metrics']) expect((await ask(agent, path)).status).toBe(429);
      expect(fresh).not.toHaveBeenCalled();
    });

    it.each(['/livez', '/readyz', '/health', '/', '/instances', '/stats', '/instances/web-1/stats', '/capabilities', '/docs'])(
      'but not %s, however often it is asked for',
      async (path) => {
        expect(new Set(await statuses(agent, 30, path))).toEqual(new Set([200]));
        expect((await ask(agent, '/metrics')).status).toBe(429);
      },
    );
  });

  it('is one for each client, and IPv4 over an IPv6 socket is IPv4', async () => {
    const agent = await limited({ settings: { rateBurst: 1 } });
    for (const from of ['127.0.0.1', '127.0.0.2', '127.9.9.9']) {
      expect(await statuses(agent, 3, '/metrics', { from })).toEqual([200, 429, 429]);
    }
  });

  it('is not touched by whoever has no token', async () => {
    const agent = await limited({ tokens: ['secret'], settings: { rateBurst: 2 } });
    const wrong = { headers: { authorization: 'Bearer guessed' } };
    expect(new Set(await statuses(agent, 50, '/metrics', wrong))).toEqual(new Set([401]));
    expect(await statuses(agent, 3, '/metrics', { headers: { authorization: 'Bearer secret' } })).toEqual([200, 200, 429]);
  });

  it('is on the page where it was put', async () => {
    const agent = await limited({ settings: { rateBurst: 1, telemetryPath: '/custom/prometheus' } });
    expect(await statuses(agent, 2, '/custom/prometheus')).toEqual([200, 429]);
  });

  it('is off with 0', async () => {
    const agent = await limited({ settings: { rateLimit: 0, rateBurst: 1 } }, 'empty');
    expect(new Set(await statuses(agent, 50, '/metrics'))).toEqual(new Set([200]));
  });

  it('can be seen: how many were turned away, and why', async () => {
    const agent = await limited({ tokens: ['secret'], settings: { rateBurst: 2 } });
    const known = { headers: { authorization: 'Bearer secret' } };
    await statuses(agent, 3, '/instances');
    await statuses(agent, 1, '/instances/%zz');
    await statuses(agent, 7, '/metrics', known);
    agent.host.clock.advance(1000);
    const { body } = await ask(agent, '/metrics?collect[]=self', known);
    expect(body.match(/^vmgauge_http_requests_refused_total\{.*$/gm)).toEqual([
      'vmgauge_http_requests_refused_total{reason="busy"} 0',
      'vmgauge_http_requests_refused_total{reason="rate_limited"} 5',
      'vmgauge_http_requests_refused_total{reason="unauthorized"} 4',
    ]);
  });

  it('counts scrapes that found too many under way as busy', async () => {
    const agent = await limited({ settings: { maxRequests: 0 } }, 'empty');
    expect(await statuses(agent, 2, '/metrics')).toEqual([429, 429]);
    const { body } = await ask(agent, '/metrics', { headers: { accept: 'application/json' } });
    expect(JSON.parse(body)).toMatchObject({ code: 'rate_limited', detail: '0 scrapes are under way' });
  });
});
