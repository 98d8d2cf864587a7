import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { PACKAGE, type RunningAgent, record, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { expectProblem, expectProblemIn } from './problem.js';
import { exchange, parse, type RawAnswer, RawConnection } from './raw-connection.js';

const cleanup = new Cleanup();
const AUTHORIZATION = 'Bearer secret';
const ROUTES = documentedRoutes();

describe('requests under fire', () => {
  let agent: RunningAgent;
  const raw = (line: string, headers = 'Host: x\r\n'): Promise<RawAnswer> => exchange(agent.port, `${line}\r\n${headers}\r\n`);

  beforeAll(async () => {
    const directory = cleanup.directory();
    writeFileSync(join(directory, 'tokens'), 'secret\n');
    writeFileSync(join(directory, 'instances.json'), '{"instances":[{"id":"known"},{"id":"known-too"}]}');
    agent = await startAgent(cleanup, [
      `--source.file.path=${directory}/instances.json`,
      `--source.registration.token-file=${directory}/tokens`,
      `--source.registration.store=${directory}/store.json`,
    ]);
  });

  it.each([
    ['climbing out', '..%2f..%2fetc%2fpasswd'],
    ['a NUL', 'a%00b'],
    ['a newline', 'a%0ab'],
    ['other scripts', '%D0%B2%D0%BC'],
    ['an emoji', '%F0%9F%98%80'],
    ['a leading dash', '-rf'],
    ['10 KB', 'a'.repeat(10_240)],
    ['129 characters', 'a'.repeat(129)],
  ])('an id with %s is refused on every route that takes one', async (_, id) => {
    for (const path of [`/instances/${id}`, `/instances/${id}/stats`, `/instances/${id}/metrics`]) {
      expectProblem(await raw(`GET ${path} HTTP/1.1`), 400, 'invalid_id');
    }
    expectProblem(await raw(`GET /metrics?instance=${id} HTTP/1.1`), 400, 'invalid_id');
    const headers = `Host: x\r\nAuthorization: ${AUTHORIZATION}\r\n`;
    expectProblem(await raw(`DELETE /instances/${id} HTTP/1.1`, headers), 400, 'invalid_id');
    const put = await agent.send('PUT', `/instances/${id}`, {}, { authorization: AUTHORIZATION });
    await expectProblemIn(put, 400, 'invalid_id');
  });

  it('an unknown id has the text of kata-runtime, an ambiguous one asks for more of it', async () => {
    for (const path of ['', '/stats', '/metrics']) {
      const problem = await expectProblemIn(await agent.get(`/instances/nobody${path}`), 404, 'not_found');
      expect(problem.detail).toBe('Container ID (nobody) does not exist');
      await expectProblemIn(await agent.get(`/instances/kno${path}`), 409, 'ambiguous');
    }
    await expectProblemIn(await agent.get('/metrics?instance=nobody'), 404, 'not_found');
  });

  it.each([
    '/instances?limit=0',
    '/instances?limit=many',
    '/instances?state=asleep',
    '/instances?colour=red',
    '/instances?cursor=%00',
    '/instances?name=a&name=b',
    '/instances/known/stats?window=0',
    '/instances/known/stats?window=1h',
    '/stats?window=-1s',
    '/metrics?collect[]=nonsense',
    '/metrics?collect[]=cpu&exclude[]=memory',
  ])('%s is refused', async (path) => {
    await expectProblemIn(await agent.get(path), 400, 'invalid_request');
  });

  it.each(ROUTES)('%s answers HEAD as GET without the body, and other methods with 405 and what is allowed', async (path, allowed) => {
    const get = await agent.get(path, { 'accept-encoding': 'identity' });
    await get.arrayBuffer();
    const head = await fetch(agent.url + path, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } });
    expect({ status: head.status, type: head.headers.get('content-type'), body: await head.text() }).toEqual({
      status: get.status,
      type: get.headers.get('content-type'),
      body: '',
    });
    // An instance without a process has no metrics; whose agent is wanted must be said.
    expect(get.status).toBe({ '/instances/known/metrics': 404, '/agent-url': 400 }[path] ?? 200);
    for (const method of ['POST', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      const answer = await raw(`${method} ${path} HTTP/1.1`);
      expectProblem(answer, 405, 'method_not_allowed');
      expect(answer.head).toMatch(new RegExp(`^allow: ${allowed}$`, 'im'));
    }
  });

  it.each([
    ['no HTTP', '\x16\x03\x01\x02\x00\r\n\r\n', 400, 'invalid_request'],
    ['an unknown method', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'invalid_request'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nbroken\r\n\r\n', 400, 'invalid_request'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'invalid_request'],
    ['a bad escape', 'GET /instances/%zz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'invalid_request'],
    ['a path that leads nowhere', 'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n', 404, 'not_found'],
    ['a method on a path that leads nowhere', 'POST /nowhere HTTP/1.1\r\nHost: x\r\n\r\n', 404, 'not_found'],
    ['headers of 64 KB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(65_536)}\r\n\r\n`, 431, 'headers_too_large'],
    ['a URL of 64 KB', `GET /${'a'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'headers_too_large'],
    ['two lengths', 'PUT /instances/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400, 'invalid_request'],
  ])('%s has its problem document', async (_, bytes, status, code) => {
    expectProblem(await exchange(agent.port, bytes), status, code);
  });

  it('an expectation that nobody knows changes nothing', async () => {
    expect((await raw('GET /livez HTTP/1.1', 'Host: x\r\nExpect: wonders\r\n')).status).toBe(200);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml', 'nonsense'])(
    'a body of %s is no registration',
    async (type) => {
      const headers = { authorization: AUTHORIZATION, 'content-type': type };
      await expectProblemIn(await agent.send('PUT', '/instances/x', 'name=x', headers), 415, 'unsupported_media_type');
    },
  );

  it('a body of a megabyte is refused by its length and by its bytes', async () => {
    const head = `PUT /instances/x HTTP/1.1\r\nHost: x\r\nAuthorization: ${AUTHORIZATION}\r\nContent-Type: application/json\r\n`;
    expectProblem(await exchange(agent.port, `${head}Content-Length: 1048576\r\n\r\n{`), 413, 'payload_too_large');
    const chunks = `10000\r\n${' '.repeat(0x10000)}\r\n`.repeat(16);
    expectProblem(await exchange(agent.port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}`), 413, 'payload_too_large');
  });

  it('a body that does not come is given up, and others are answered meanwhile', async () => {
    const slow = await RawConnection.open(agent.port);
    cleanup.add(() => slow.destroy());
    slow.send(
      `PUT /instances/x HTTP/1.1\r\nHost: x\r\nAuthorization: ${AUTHORIZATION}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    );
    expect((await agent.get('/instances')).status).toBe(200);
    const answer = parse(await slow.end());
    if (!answer) throw new Error(`no answer: ${slow.received}`);
    expectProblem(answer, 408, 'request_timeout');
  });
});

/** Paths of openapi.yaml that answer GET, with the methods each takes as Allow names them. */
function documentedRoutes(): readonly (readonly [string, string])[] {
  const { paths } = record(parseYaml(readFileSync(join(PACKAGE, 'openapi.yaml'), 'utf8')));
  return Object.entries(record(paths)).map(([path, operations]) => {
    const methods = Object.keys(record(operations)).filter((word) => ['get', 'put', 'delete', 'post', 'patch'].includes(word));
    const allowed = [...methods.map((method) => method.toUpperCase()), 'HEAD'].sort().join(', ');
    return [path.replace('{id}', 'known').replace('{file}', 'init.js'), allowed] as const;
  });
}
