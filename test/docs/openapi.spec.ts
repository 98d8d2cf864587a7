import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppModule } from '../../src/app.module.js';
import { OWN_ROUTES } from '../../src/config/checks.js';
import { makeAdapter } from '../../src/http/server.js';
import { ERRORS } from '../../src/model/errors.js';
import { checkFields } from '../../src/modules/instances/check-fields.js';
import { RegistrationBody } from '../../src/modules/instances/registration.js';
import { Agent } from '../e2e/agent.js';
import { rootOf, STORIES, story } from '../e2e/stories.js';
import { type Answer, readOpenapi, routesOf } from './openapi.js';
import { complaintsOf, readRoot } from './run.js';
import { nameOfSchema, Schemas } from './schemas.js';

const DOCUMENT = readOpenapi();
const ROUTES = routesOf(DOCUMENT);
/** Parts of paths that the contract keeps for routes still to come. */
const RESERVED = ['sd', 'capabilities'];

describe('openapi.yaml', () => {
  it('is what the controllers say', () => {
    expect(complaintsOf('scripts/openapi.mjs', '--check')).toBe('');
  });

  it('satisfies redocly without a warning', () => {
    expect(complaintsOf('node_modules/@redocly/cli/bin/cli.js', 'lint', 'vmgauge', '--max-problems=20')).toBe('');
  });

  it('has the version of the package', () => {
    expect(DOCUMENT.openapi).toBe('3.1.0');
    expect(DOCUMENT.info.version).toBe(JSON.parse(readRoot('package.json')).version);
  });

  it('lists every route that the application registers, and no other', async () => {
    const app = await NestFactory.create<NestFastifyApplication>(AppModule.register({}), makeAdapter(), {
      logger: false,
      abortOnError: false,
    });
    const registered: string[] = [];
    app
      .getHttpAdapter()
      .getInstance()
      .addHook('onRoute', ({ method, url }: { method: string | string[]; url: string }) => {
        for (const verb of [method].flat()) if (verb !== 'HEAD') registered.push(`${verb} ${url.replace(/:([A-Za-z]+)/g, '{$1}')}`);
      });
    await app.init();
    await app.close();
    expect(registered.sort()).toEqual(ROUTES.map(({ verb, path }) => `${verb.toUpperCase()} ${path}`).sort());
  });

  it('names each operation once', () => {
    const ids = ROUTES.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has an example of every error code, used by a response', () => {
    expect(Object.keys(DOCUMENT.components.examples).sort()).toEqual(Object.keys(ERRORS).sort());
    const used = JSON.stringify(DOCUMENT.components.responses);
    for (const code of Object.keys(ERRORS)) expect(used).toContain(`#/components/examples/${code}"`);
  });
});

describe('the reserved paths of the configuration', () => {
  it('are the first parts of the routes, and those the contract keeps', () => {
    const parts = ROUTES.map(({ path }) => path.split('/')[1]).filter((part) => part !== '' && part !== 'metrics');
    expect([...OWN_ROUTES].sort()).toEqual([...new Set([...parts, ...RESERVED])].sort());
  });
});

describe('the schemas', () => {
  const schemas = new Schemas();

  it('hold for every example, and every answer with a schema has one', () => {
    let examples = 0;
    for (const { path, operation } of ROUTES) {
      for (const [status, answer] of Object.entries<Answer>(operation.responses)) {
        for (const { schema, example } of Object.values(answer.content ?? {})) {
          const name = nameOfSchema(schema);
          if (name === undefined || name === 'OpenapiDocument') continue;
          expect({ path, status, example }).not.toEqual({ path, status, example: undefined });
          expect({ path, complaints: schemas.complaints(name, example) }).toEqual({ path, complaints: [] });
          examples++;
        }
      }
    }
    expect(examples).toBeGreaterThan(5);
    for (const { value } of Object.values(DOCUMENT.components.examples)) expect(schemas.complaints('Problem', value)).toEqual([]);
  });

  it.each(STORIES)('hold member for member for what the agent answers on the host $name', async (one) => {
    const agent = await Agent.of(one);
    try {
      for (const sweeps of [0, 1]) {
        await agent.sweep(sweeps);
        const answers: [string, string][] = [
          ['InstanceList', '/instances'],
          ['AllStats', '/stats'],
          ['Capabilities', '/capabilities'],
          ['Health', '/livez'],
        ];
        const list = JSON.parse(await agent.text('/instances'));
        for (const { id } of list.instances) answers.push(['Instance', `/instances/${id}`], ['InstanceStats', `/instances/${id}/stats`]);
        for (const [name, path] of answers) {
          expect({ path, complaints: schemas.complaints(name, JSON.parse(await agent.text(path))) }).toEqual({ path, complaints: [] });
        }
      }
    } finally {
      await agent.stop();
    }
  });

  it('judge a registration as the agent does', () => {
    for (const [body, good] of REGISTRATIONS) {
      const verdict = { body, schema: schemas.complaints('Registration', body).length === 0, agent: accepts(body) };
      expect(verdict).toEqual({ body, schema: good, agent: good });
    }
  });
});

const UUID = '0b2b9c7e-58f6-4C3B-9a70-2d5a6d2f7a11';
const REGISTRATIONS: readonly (readonly [unknown, boolean])[] = [
  [{}, true],
  [{ name: 'web', uuid: UUID, hypervisor: 'qemu', vcpus: 1, memory_bytes: 1 }, true],
  [{ pid: 42, start_ticks: 1 }, true],
  [{ pid: 42, start_ticks: 1, boot_id: UUID }, true],
  [{ interfaces: [{ name: 'tap0', kind: 'macvtap', mac: '52:54:00:aB:34:56' }], sockets: ['/run/x.sock'] }, true],
  [{ interfaces: [], sockets: [] }, true],
  [{ pid: 42 }, false],
  [{ start_ticks: 42 }, false],
  [{ boot_id: UUID }, false],
  [{ pid: 0, start_ticks: 1 }, false],
  [{ pid: 1.5, start_ticks: 1 }, false],
  [{ pid: 4_194_305, start_ticks: 1 }, false],
  [{ pid: '42', start_ticks: 1 }, false],
  [{ name: '' }, false],
  [{ name: null }, false],
  [{ name: 'a\nb' }, false],
  [{ name: 'x'.repeat(256) }, true],
  [{ name: 'x'.repeat(257) }, false],
  [{ uuid: 'no' }, false],
  [{ hypervisor: 'vmware' }, false],
  [{ vcpus: 16_384 }, true],
  [{ vcpus: 16_385 }, false],
  [{ memory_bytes: -1 }, false],
  [{ interfaces: [{}] }, false],
  [{ interfaces: [{ name: 'a/b' }] }, false],
  [{ interfaces: [{ name: '..' }] }, false],
  [{ interfaces: [{ name: 'sixteen-letters-' }] }, false],
  [{ interfaces: [{ name: 'tap0', kind: 'wifi' }] }, false],
  [{ interfaces: [{ name: 'tap0', mac: '52:54' }] }, false],
  [{ interfaces: [{ name: 'tap0', speed: 1 }] }, false],
  [{ interfaces: Array.from({ length: 256 }, () => ({ name: 'tap0' })) }, true],
  [{ interfaces: Array.from({ length: 257 }, () => ({ name: 'tap0' })) }, false],
  [{ sockets: Array.from({ length: 17 }, () => '/x') }, false],
  [{ sockets: [''] }, false],
  [{ sockets: ['x'.repeat(4097)] }, false],
  [{ sockets: '/x' }, false],
  [{ colour: 'red' }, false],
  [[], false],
];

function accepts(body: unknown): boolean {
  try {
    checkFields(new RegistrationBody(), body);
    return true;
  } catch {
    return false;
  }
}

describe('the running agent', () => {
  let agent: Agent;
  let id: string;
  beforeAll(async () => {
    // A sandbox, because two routes answer for nothing else.
    const one = story('kata-go-qemu');
    id = one.instance ?? '';
    agent = await Agent.start(rootOf(one), { tokens: ['secret'] });
  });
  afterAll(() => agent.stop());

  it('asks for a token exactly where the document says so', async () => {
    for (const { verb, path, operation } of ROUTES) {
      if (verb !== 'get') continue;
      const { status } = await agent.get(path.replace('{id}', id).replace('{file}', 'init.js'));
      expect({ path, status }).toEqual({ path, status: operation.security?.length === 0 ? 200 : 401 });
    }
  });

  it('takes every query parameter of the document, each of its values, and answers types that it lists', async () => {
    const values: Readonly<Record<string, string>> = {
      ...{ source: 'host', name: 'x', limit: '5', cursor: Buffer.from('a').toString('base64url'), window: '30s' },
      ...{ 'collect[]': 'cpu', 'exclude[]': 'self', instance: id, sandbox: id, filter_family: 'hypeman_' },
    };
    for (const { verb, path, operation } of ROUTES) {
      if (verb !== 'get' || path.includes('{file}')) continue;
      const queries = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
      const needed = Object.fromEntries(queries.filter(({ required }) => required).map(({ name }) => [name, values[name]]));
      const asked = queries.flatMap(({ name, schema }) => (schema.enum ?? [values[name]]).map((value) => ({ ...needed, [name]: value })));
      for (const query of [needed, ...asked]) {
        const response = await agent.get(path.replace('{id}', id)).set('authorization', 'Bearer secret').query(query);
        expect({ path, query, status: response.status }).toEqual({ path, query, status: 200 });
        expect(Object.keys(operation.responses['200'].content ?? {})).toContain(response.type);
      }
    }
  });

  it('refuses a query parameter of the list that the document does not have', async () => {
    await agent.get('/instances?colour=red').set('authorization', 'Bearer secret').expect(400);
  });
});
