import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { expectProblem } from './problem.js';
import { rootOf, story } from './stories.js';

/** Of the recorded KVM process. */
const PROCESS = { pid: 15376, start_ticks: 271431 };
const TOKEN = { authorization: 'Bearer may-register' };

let directory: string;
let agent: Agent;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmgauge-e2e-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => agent.stop());

const start = async (store = join(directory, 'registrations.json')): Promise<void> => {
  agent = await Agent.start(rootOf(story('two-qemu')), {
    settings: { registrationTokens: ['may-register'], registrationStore: store },
  });
};
const put = (id: string, body: object) => agent.request('put', `/instances/${id}`).set(TOKEN).send(body);
const remove = (id: string) => agent.request('delete', `/instances/${id}`).set(TOKEN);

describe('PUT /instances/{id}', () => {
  it('names a VM that the host knows otherwise, reads it, and forgets the name again', async () => {
    await start();
    const response = await put('tenant-7', { ...PROCESS, name: 'seven', vcpus: 4, memory_bytes: 1 << 28 }).expect(200);
    expect(response.body).toMatchObject({
      id: 'tenant-7',
      name: 'seven',
      pid: 15376,
      sources: ['registration', 'host'],
      allocated: { vcpus: 4 },
    });
    expect(JSON.parse(await agent.text('/instances/seven'))).toEqual(response.body);
    const stats = JSON.parse(await agent.text('/instances/tenant-7/stats'));
    expect(stats).toMatchObject({ instance_id: 'tenant-7', cpu_seconds: 2.31, network_rx_bytes: 57_782_670, source: 'registration' });
    expect(JSON.parse(await agent.text('/instances')).instances).toHaveLength(2);
    const answer = await remove('tenant-7').expect(204);
    expect(answer.text).toBe('');
    expectProblem(await agent.get('/instances/tenant-7'), 'not_found');
    expect(JSON.parse(await agent.text('/instances/exp-vm-1'))).toMatchObject({ source: 'host', pid: 15376 });
    expectProblem(await remove('tenant-7'), 'not_found', 'Container ID (tenant-7) does not exist');
  });

  it('replaces what was registered before, and outlives the agent', async () => {
    await start();
    await put('kept', { name: 'first' }).expect(200);
    const second = await put('kept', { name: 'second', interfaces: [] }).expect(200);
    expect(second.body).toMatchObject({ name: 'second', interfaces: [], state: 'stopped' });
    await agent.stop();
    await start();
    expect(JSON.parse(await agent.text('/instances/kept'))).toMatchObject({ name: 'second', source: 'registration' });
    await remove('kept').expect(204);
    expect(JSON.parse(readFileSync(join(directory, 'registrations.json'), 'utf8')).instances).toEqual([]);
  });

  it('asks for its own token', async () => {
    await start();
    for (const method of ['put', 'delete'] as const) {
      for (const authorization of [undefined, 'Bearer wrong', 'Bearer ']) {
        const request = agent.request(method, '/instances/x').send(method === 'put' ? {} : undefined);
        const response = await (authorization === undefined ? request : request.set({ authorization }));
        expectProblem(response, 'unauthorized');
        expect(response.headers['www-authenticate']).toBe('Bearer realm="vmgauge registration"');
      }
    }
  });

  it('refuses an id before the body', async () => {
    await start();
    for (const id of ['..%2fx', '%00', '-x', 'a'.repeat(129)]) {
      expectProblem(await put(id, { name: 'x' }), 'invalid_id');
      expectProblem(await remove(id), 'invalid_id');
    }
  });

  it.each([
    [{ name: '' }, 'name'],
    [{ name: 7 }, 'name'],
    [{ name: null }, 'name'],
    [{ vcpus: 0 }, 'vcpus'],
    [{ vcpus: '2' }, 'vcpus'],
    [{ memory_bytes: 2 ** 60 }, 'memory_bytes'],
    [{ pid: 15376 }, 'start_ticks'],
    [{ start_ticks: 271431 }, 'pid'],
    [{ uuid: 'x' }, 'uuid'],
    [{ hypervisor: 'vmware' }, 'hypervisor'],
    [{ interfaces: [{ name: '../x' }] }, 'interfaces'],
    [{ sockets: 'x' }, 'sockets'],
    [{ id: 'other' }, 'id'],
    [{ unknown: 1 }, 'unknown'],
    [{ constructor: 1, vcpus: 0 }, ''],
  ])('refuses the body %j and names what is wrong', async (body, word) => {
    await start();
    expectProblem(await put('x', body), 'invalid_request', new RegExp(word));
    expectProblem(await agent.get('/instances/x'), 'not_found');
  });

  it('refuses what is no JSON object', async () => {
    await start();
    const send = (type: string, body: string) =>
      agent
        .request('put', '/instances/x')
        .set({ ...TOKEN, 'content-type': type })
        .send(body);
    for (const body of ['', '{', '[]', '"x"', '7', 'null']) expectProblem(await send('application/json', body), 'invalid_request');
    for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
      expectProblem(await send(type, '{}'), 'unsupported_media_type');
    }
    expectProblem(await put('x', { name: 'x'.repeat(300_000) }), 'payload_too_large');
  });

  it('believes a process only with its start time, and in this boot', async () => {
    await start();
    expectProblem(await put('x', { ...PROCESS, start_ticks: 1 }), 'conflict', /process 15376 is another one/);
    expectProblem(await put('x', { pid: 99_999, start_ticks: 1 }), 'conflict', 'no process 99999 runs on this host');
    expectProblem(await put('x', { ...PROCESS, boot_id: '00000000-0000-4000-8000-000000000000' }), 'conflict');
    expectProblem(await agent.get('/instances/x'), 'not_found');
  });

  it('says when it cannot be stored, and then nothing has changed', async () => {
    await start(join(directory, 'gone', 'registrations.json'));
    writeFileSync(join(directory, 'gone'), 'a file where the directory should be');
    expectProblem(await put('x', { name: 'x' }), 'unavailable', /could not be stored/);
    expectProblem(await agent.get('/instances/x'), 'not_found');
  });
});
