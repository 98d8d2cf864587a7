import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Collection } from '../../src/modules/collection/collection.js';
import { Readiness } from '../../src/modules/health/readiness.js';
import { readOpenapi, routesOf } from '../docs/openapi.js';
import { Schemas } from '../docs/schemas.js';
import { Agent, type AgentOptions } from './agent.js';
import { rootOf, story } from './stories.js';

const DOCUMENT = readOpenapi();
const schemas = new Schemas();
const REGISTRAR = { authorization: 'Bearer may-register' };
const directory = mkdtempSync(join(tmpdir(), 'vmgauge-e2e-'));

const agents = new Map<string, Agent>();
const KINDS: Readonly<Record<string, { readonly host: string; readonly options?: AgentOptions }>> = {
  plain: { host: 'hostile' },
  guarded: { host: 'hostile', options: { tokens: ['secret'] } },
  full: { host: 'empty', options: { settings: { maxRequests: 0 } } },
  registering: {
    host: 'two-qemu',
    options: { settings: { registrationTokens: ['may-register'], registrationStore: join(directory, 'store', 'registrations.json') } },
  },
  hurried: { host: 'empty', options: { settings: { rateLimit: 1, rateBurst: 0 } } },
  draining: { host: 'empty' },
  starting: { host: 'empty' },
};

beforeAll(async () => {
  for (const [kind, { host, options }] of Object.entries(KINDS)) {
    const agent = await Agent.start(rootOf(story(host)), options);
    await agent.app.listen(0, '127.0.0.1');
    agents.set(kind, agent);
  }
  of('draining').app.get(Readiness).draining = true;
  const collection = of('starting').app.get(Collection);
  collection.last = { ...collection.last, sequence: 0 };
  vi.spyOn(collection, 'fresh').mockReturnValue(new Promise(() => undefined));
  // The store's directory cannot be made.
  writeFileSync(join(directory, 'store'), '');
});
afterAll(async () => {
  for (const agent of agents.values()) await agent.stop();
  rmSync(directory, { recursive: true, force: true });
});

function of(kind: string): Agent {
  const agent = agents.get(kind);
  if (!agent) throw new Error(`no agent is ${kind}`);
  return agent;
}

interface Provocation {
  readonly agent?: keyof typeof KINDS;
  /** The path as it is sent; missing where it is the document's own. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly withoutHost?: true;
}

const PROBES = ['/livez', '/readyz', '/health'];
const ID_ROUTES = ['/instances/{id}', '/instances/{id}/stats', '/instances/{id}/metrics'];
const id = (route: string, value: string): string => route.replace('{id}', value);
const json = (value: unknown): Provocation => ({
  agent: 'registering',
  path: '/instances/x',
  headers: { ...REGISTRAR, 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

/** How to get each error of the document, by `verb path status`. */
const PROVOCATIONS: Readonly<Record<string, readonly Provocation[]>> = {
  ...Object.fromEntries(PROBES.map((path) => [`get ${path} 400`, [{ withoutHost: true }]])),
  'get /readyz 503': [{ agent: 'draining' }],
  'get /instances 400': [{ path: '/instances?limit=0' }, { path: '/instances?colour=red' }],
  'get /stats 400': [{ path: '/stats?window=0' }],
  ...Object.fromEntries(
    ID_ROUTES.flatMap((route) => [
      [`get ${route} 400`, ['..%2f', '%00', 'a'.repeat(10_240), '%E6%9D%B1'].map((bad) => ({ path: id(route, bad) }))],
      [`get ${route} 404`, [{ path: id(route, 'nobody') }]],
      [`get ${route} 409`, [{ path: id(route, 'twin') }, { path: id(route, '333') }]],
    ]),
  ),
  'get /metrics 400': [
    { path: '/metrics?instance=%00' },
    { path: '/metrics?collect[]=x' },
    { path: '/metrics?collect[]=cpu&exclude[]=io' },
  ],
  'get /metrics 404': [{ path: '/metrics?instance=nobody' }],
  'get /metrics 409': [{ path: '/metrics?sandbox=twin' }],
  'get /metrics 429': [{ agent: 'full' }],
  'get /instances/{id}/metrics 429': [{ agent: 'hurried', path: '/instances/x/metrics', headers: { accept: 'application/json' } }],
  'get /metrics 503': [{ agent: 'starting', headers: { 'x-prometheus-scrape-timeout-seconds': '0.51' } }],
  'get /agent-url 400': [{ path: '/agent-url' }, { path: '/agent-url?sandbox=' }, { path: '/agent-url?sandbox=..' }],
  'get /agent-url 404': [{ path: '/agent-url?sandbox=nobody' }],
  'get /agent-url 409': [{ path: '/agent-url?sandbox=twin' }],
  'get /docs/{file} 404': [{ path: '/docs/nothing.js' }],
  'put /instances/{id} 400': [json({ vcpus: 0 }), { ...json({}), path: '/instances/..%2f' }, { ...json({}), body: '{' }],
  'put /instances/{id} 401': [{ ...json({}), headers: { 'content-type': 'application/json' } }],
  'put /instances/{id} 405': [{ ...json({}), agent: 'plain' }],
  'put /instances/{id} 409': [json({ pid: 15376, start_ticks: 1 })],
  'put /instances/{id} 413': [json({ name: 'x'.repeat(300_000) })],
  'put /instances/{id} 415': [{ ...json({}), headers: { ...REGISTRAR, 'content-type': 'text/plain' } }],
  'put /instances/{id} 503': [json({})],
  'delete /instances/{id} 400': [{ agent: 'registering', path: '/instances/%00', headers: REGISTRAR }],
  'delete /instances/{id} 401': [{ agent: 'registering', path: '/instances/x' }],
  'delete /instances/{id} 404': [{ agent: 'registering', path: '/instances/x', headers: REGISTRAR }],
  'delete /instances/{id} 405': [{ path: '/instances/x' }],
};

/** Errors that no request to this agent can bring about, and why. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  'get /openapi.yaml 404': 'only of a build that ships without the document',
  'get /openapi.json 404': 'only of a build that ships without the document',
  'delete /instances/{id} 503': 'the store fails only with something in it; put answers the same',
};

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function send(verb: string, path: string, { agent = 'plain', headers = {}, body, withoutHost }: Provocation): Promise<Answer> {
  // Fastify's server is a net.Server that listens on TCP by now.
  const { port } = of(agent).app.getHttpServer().address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method: verb.toUpperCase(), headers, setHost: withoutHost !== true };
    const request = httpRequest(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type']?.split(';')[0] ?? '', body: text }),
      );
    });
    request.on('error', reject).end(body);
  });
}

/** The codes that the document shows for an answer: one example each. */
function codesOf(answer: { readonly $ref?: string }): string[] {
  const response = DOCUMENT.components.responses[answer.$ref?.split('/').pop() ?? ''];
  const { examples } = Object(response?.content?.['application/problem+json']);
  return Object.keys(examples ?? {});
}

const DOCUMENTED = routesOf(DOCUMENT).flatMap(({ verb, path, operation }) =>
  Object.entries(operation.responses)
    .filter(([status]) => /^[45]/.test(status))
    .map(([status, answer]) => ({ key: `${verb} ${path} ${status}`, verb, path, status: Number(status), answer })),
);
/** Where tokens are asked for, every route is refused in the same way. */
const provocationsOf = (key: string): readonly Provocation[] | undefined =>
  PROVOCATIONS[key] ?? (key.startsWith('get ') && key.endsWith(' 401') ? [{ agent: 'guarded' }] : undefined);

describe('every error of openapi.yaml', () => {
  it('is provoked here, or out of reach for a reason', () => {
    const missing = DOCUMENTED.filter(({ key }) => !provocationsOf(key) && !(key in OUT_OF_REACH)).map(({ key }) => key);
    expect(missing).toEqual([]);
    const stale = [...Object.keys(PROVOCATIONS), ...Object.keys(OUT_OF_REACH)].filter((key) => !DOCUMENTED.some((one) => one.key === key));
    expect(stale).toEqual([]);
  });

  it.each(DOCUMENTED.filter(({ key }) => !(key in OUT_OF_REACH)))(
    'is answered as it says: $key',
    async ({ key, verb, path, status, answer }) => {
      for (const provocation of provocationsOf(key) ?? []) {
        const { body, ...head } = await send(verb, provocation.path ?? path.replace(/\{\w+\}/, 'x'), provocation);
        expect({ provocation, ...head }).toEqual({ provocation, status, type: 'application/problem+json' });
        expect(schemas.complaints('Problem', JSON.parse(body))).toEqual([]);
        expect(codesOf(answer)).toContain(JSON.parse(body).code);
      }
    },
  );
});
