import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { expectProblem } from './problem.js';
import { rootOf, story } from './stories.js';

const WEB = '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11';
const TWIN = '33333333-0000-4000-8000-00000000000d';

const started: Agent[] = [];
async function start(name: string): Promise<Agent> {
  const agent = await Agent.start(rootOf(story(name)));
  started.push(agent);
  return agent;
}

let qemu: Agent;
let hypeman: Agent;
let hostile: Agent;
beforeAll(async () => {
  qemu = await start('two-qemu');
  hypeman = await start('hypeman');
  hostile = await start('hostile');
});
afterAll(async () => {
  for (const agent of started) await agent.stop();
});

interface Listed {
  readonly id: string;
  readonly state: string;
}
async function list(agent: Agent, query = ''): Promise<{ ids: string[]; next: string | null }> {
  const body: { instances: Listed[]; next_cursor: string | null } = JSON.parse(await agent.text(`/instances${query}`));
  return { ids: body.instances.map(({ id }) => id), next: body.next_cursor };
}

describe('an id in the path', () => {
  it.each(['', '/stats', '/metrics'])('may be the id, the name, or the beginning of the id: /instances/{id}%s', async (rest) => {
    const byId = await qemu.text(`/instances/${WEB}${rest}`);
    for (const key of ['web-1', '0b2b9c7e', '0']) expect(await qemu.text(`/instances/${key}${rest}`)).toBe(byId);
  });

  it.each(['', '/stats', '/metrics'])(
    'that begins more than one id, or is the name of more than one, is 409: /instances/{id}%s',
    async (rest) => {
      for (const key of ['3333', 'twin']) {
        expectProblem(await hostile.get(`/instances/${key}${rest}`), 'ambiguous', `more than one instance matches ${key}; use a full id`);
      }
      for (const word of ['instance', 'sandbox']) expectProblem(await hostile.get(`/metrics?${word}=twin`), 'ambiguous');
    },
  );

  it('that is one id exactly wins over an instance with that name, and over longer ids', async () => {
    expect(JSON.parse(await hostile.text(`/instances/${TWIN}`))).toMatchObject({ id: TWIN, name: 'twin', pid: 4401 });
    // Another VM bears this id as its name; it has an id of its own.
    expect(JSON.parse(await hostile.text(`/instances/${TWIN}.46`))).toMatchObject({ id: `${TWIN}.4601-60600`, name: TWIN, pid: 4601 });
  });

  it('keeps two VMs with one uuid apart', async () => {
    const twins = (await list(hostile, '?name=twin')).ids;
    expect(twins).toEqual([TWIN, `${TWIN}.4501-60500`]);
  });
});

describe('GET /instances', () => {
  it.each([
    ['?source=hypeman', 5],
    ['?source=host', 3],
    ['?source=libvirt', 0],
    ['?hypervisor=qemu', 2],
    ['?hypervisor=firecracker', 1],
    ['?state=running', 2],
    ['?state=initializing', 1],
    ['?state=standby', 1],
    ['?state=stopped', 1],
    ['?name=db', 1],
    ['?name=d', 0],
    ['?hypervisor=qemu&state=stopped', 1],
    ['?source=hypeman&hypervisor=qemu&state=running&name=web', 1],
    ['?source=host&state=stopped', 0],
  ])('filters: %s', async (query, count) => {
    const { ids, next } = await list(hypeman, query);
    expect([ids.length, next]).toEqual([count, null]);
    expect((await list(hypeman)).ids).toEqual(expect.arrayContaining(ids));
  });

  it('is sorted by id', async () => {
    for (const agent of started) {
      const { ids } = await list(agent);
      expect(ids.length).toBeGreaterThan(0);
      expect(ids).toEqual([...ids].sort());
    }
  });

  it.each([1, 2, 3, 9999])('gives every instance once in pages of %d', async (limit) => {
    const all = (await list(hostile)).ids;
    const paged: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await list(hostile, `?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(page.ids.length).toBeLessThanOrEqual(limit);
      paged.push(...page.ids);
      cursor = page.next;
    }
    expect(paged).toEqual(all);
  });

  it('pages through what a filter leaves', async () => {
    const first = await list(hostile, '?source=host&limit=4');
    const second = await list(hostile, `?source=host&limit=4&cursor=${first.next}`);
    expect([...first.ids, ...second.ids]).toEqual((await list(hostile, '?source=host')).ids);
    expect(second.next).toBeNull();
  });

  it('goes on from where a page ended when that instance is gone', async () => {
    const cursor = Buffer.from('3333').toString('base64url');
    expect((await list(hostile, `?cursor=${cursor}`)).ids).toEqual((await list(hostile)).ids);
  });

  it.each([
    'limit=0',
    'limit=-1',
    'limit=1.5',
    'limit=ten',
    'limit=10000',
    'limit=',
    'limit=1&limit=2',
    'state=running&state=stopped',
    'state=alive',
    'hypervisor=vmware',
    'name=a&name=b',
    `name=${'a'.repeat(257)}`,
    `source=${'a'.repeat(65)}`,
    'cursor=%00',
    'cursor=!!!',
    `cursor=${Buffer.from('../etc').toString('base64url')}`,
    `cursor=${'a'.repeat(257)}`,
    'unknown=1',
    // Words that are members of every object must not switch the checks off.
    '__proto__=1&limit=0',
    'constructor=1&limit=0',
    'constructor=1&unknown=1',
  ])('answers a query it does not understand with 400: %s', async (query) => {
    expectProblem(await qemu.get(`/instances?${query}`), 'invalid_request');
  });

  it('tells of an empty host that it is empty', async () => {
    const empty = await start('empty');
    await empty.get('/instances').expect(200, { instances: [], next_cursor: null });
    const all = JSON.parse(await empty.text('/stats'));
    expect(all).toEqual({ collected_at: '2026-01-02T04:00:00.000Z', skew_ms: 0, sequence: 2, host: expect.anything(), instances: [] });
    expect(await empty.text('/stats', { accept: 'application/x-ndjson' })).toBe('');
    started.splice(started.indexOf(empty), 1);
    await empty.stop();
  });
});

describe('what is secret', () => {
  it('never leaves, on any route', async () => {
    for (const agent of started) {
      const ids = (await list(agent)).ids;
      const paths = ['/', '/instances', '/stats', '/metrics', ...ids.flatMap((id) => [`/instances/${id}`, `/instances/${id}/stats`])];
      for (const path of paths) expect(await agent.text(path)).not.toContain('hunter2');
    }
  });
});
