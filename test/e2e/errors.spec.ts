import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { expectProblem } from './problem.js';
import { rootOf, story } from './stories.js';

const ID_ROUTES = ['/instances/ID', '/instances/ID/stats', '/instances/ID/metrics'] as const;
const ROUTES = ['/', '/instances', '/instances/web-1', '/instances/web-1/stats', '/instances/web-1/metrics', '/stats', '/metrics'] as const;
const PROBES = ['/livez', '/readyz', '/health'] as const;

let agent: Agent;
let port: number;
beforeAll(async () => {
  agent = await Agent.start(rootOf(story('two-qemu')));
  await agent.app.listen(0, '127.0.0.1');
  // Fastify's server is a net.Server that listens on TCP by now.
  port = (agent.app.getHttpServer().address() as AddressInfo).port;
});
afterAll(() => agent.stop());

/** Sends the path as it is: clients tidy dots and escapes up before they send them. */
function raw(path: string): Promise<{ status: number; type: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port, path, method: 'GET' }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        body += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'], body }));
    })
      .on('error', reject)
      .end();
  });
}

describe('an id', () => {
  it.each(ID_ROUTES)('that nobody has is 404 with the text of kata-runtime: %s', async (route) => {
    expectProblem(await agent.get(route.replace('ID', 'nobody')), 'not_found', 'Container ID (nobody) does not exist');
  });

  it.each(['instance', 'sandbox'])('that nobody has is 404 as %s= of /metrics', async (word) => {
    expectProblem(await agent.get(`/metrics?${word}=nobody`), 'not_found', 'Container ID (nobody) does not exist');
  });

  it.each([
    ['a path', '..%2f..%2fetc%2fpasswd'],
    ['a parent', '..'],
    ['an escaped parent', '%2e%2e'],
    ['a NUL', 'web-1%00'],
    ['a NUL alone', '%00'],
    ['10 KB', 'a'.repeat(10_240)],
    ['129 characters', 'a'.repeat(129)],
    ['unicode', '%E6%9D%B1%E4%BA%AC'],
    ['a blank', 'web%201'],
    ['a newline', 'web-1%0a'],
    ['a quote', 'web%22'],
    ['a dash at its start', '-web'],
    ['a backslash', 'web%5c1'],
    ['a wildcard', '*'],
  ])('with %s is 400 before anything is looked up', async (_, id) => {
    for (const route of ID_ROUTES) {
      const { status, type, body } = await raw(route.replace('ID', id));
      expect({ status, type }).toEqual({ status: 400, type: 'application/problem+json; charset=utf-8' });
      expect(JSON.parse(body)).toMatchObject({ code: 'invalid_id', status: 400, message: expect.stringContaining('an id is 1 to 128') });
      expect(body.length).toBeLessThan(1000);
    }
    const { status, body } = await raw(`/metrics?instance=${id}`);
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ code: 'invalid_id' });
  });

  it('that is no valid escape is a bad request', async () => {
    for (const path of ['/instances/%zz', '/instances/%', '/instances/%E6%9D/stats', '/%ff']) {
      const { status, type, body } = await raw(path);
      expect({ path, status, type }).toEqual({ path, status: 400, type: 'application/problem+json; charset=utf-8' });
      expect(JSON.parse(body)).toMatchObject({ code: 'invalid_request', status: 400 });
    }
  });

  it('of 128 characters is looked up', async () => {
    expectProblem(await agent.get(`/instances/${'a'.repeat(128)}`), 'not_found', `Container ID (${'a'.repeat(128)}) does not exist`);
  });

  it('that is empty is no route', async () => {
    expectProblem(await agent.get('/instances/'), 'not_found');
  });
});

describe('a path', () => {
  it.each(['/nothing', '/instances/web-1/nothing', '/metrics/web-1', '/Instances', '/instances/web-1/stats/more', '/etc/passwd'])(
    'that is not there is 404: %s',
    async (path) => {
      for (const method of ['get', 'post', 'delete'] as const) expectProblem(await agent.request(method, path), 'not_found');
    },
  );

  it.each([...ROUTES, ...PROBES])('that is there answers 405 and Allow to another method: %s', async (path) => {
    for (const method of ['post', 'patch', 'options'] as const) {
      const response = await agent.request(method, path);
      expectProblem(response, 'method_not_allowed');
      expect(response.headers.allow).toMatch(/\bGET\b.*\bHEAD\b/);
      expect(response.headers.allow.toLowerCase().split(', ')).not.toContain(method);
    }
  });

  it.each(['put', 'delete'] as const)('of an instance refuses %s while registration is off', async (method) => {
    const response = await agent.request(method, '/instances/web-1');
    expectProblem(response, 'method_not_allowed', /source\.registration\.token-file/);
    expect(response.headers.allow).toBe('GET, HEAD');
  });

  it.each([...ROUTES, ...PROBES])('answers HEAD as GET without the body: %s', async (path) => {
    for (const coding of ['identity', 'gzip']) {
      const get = await agent.get(path).set('accept-encoding', coding);
      const head = await agent.request('head', path).set('accept-encoding', coding);
      expect([head.status, head.text ?? '']).toEqual([200, '']);
      for (const name of ['content-type', 'content-encoding', 'cache-control', 'vary']) expect(head.headers[name]).toBe(get.headers[name]);
      // A stream has no length, neither with a body nor without.
      expect(head.headers['content-length']).toBe(get.headers['content-length']);
    }
  });

  it('answers HEAD of what is not there without a body', async () => {
    const head = await agent.request('head', '/instances/nobody');
    expect([head.status, head.text ?? '']).toEqual([404, '']);
  });
});

describe('with tokens', () => {
  let guarded: Agent;
  beforeAll(async () => {
    guarded = await Agent.start(rootOf(story('two-qemu')), { tokens: ['secret-1', 'secret-2'] });
  });
  afterAll(() => guarded.stop());

  it.each([...ROUTES, '/nothing', '/instances/..%2f'])('%s asks for one', async (path) => {
    for (const authorization of [undefined, 'Bearer', 'Bearer wrong', 'Basic c2VjcmV0LTE=', 'secret-1']) {
      const request = guarded.get(path);
      const response = await (authorization === undefined ? request : request.set('authorization', authorization));
      expectProblem(response, 'unauthorized', 'a bearer token is needed');
      expect(response.headers['www-authenticate']).toBe('Bearer realm="vmgauge"');
    }
  });

  it.each(ROUTES)('%s opens with any of them', async (path) => {
    for (const token of ['secret-1', 'secret-2']) await guarded.get(path).set('authorization', `Bearer ${token}`).expect(200);
  });

  it.each(PROBES)('%s asks for none', async (path) => {
    await guarded.get(path).expect(200, { status: 'ok' });
  });
});
