import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { type RunningAgent, record, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { liveSuite, program } from './needs.js';
import { expectProblemIn } from './problem.js';
import { startVm, type Vm } from './vm.js';

const cleanup = new Cleanup();
const AUTHORIZED = { authorization: 'Bearer may-register' };

liveSuite('registration over HTTP', [program('qemu-system-x86_64')], () => {
  let vm: Vm;
  let flags: readonly string[];
  let agent: RunningAgent;
  const put = (id: string, body: unknown, headers = AUTHORIZED): Promise<Response> => agent.send('PUT', `/instances/${id}`, body, headers);

  beforeAll(async () => {
    const directory = cleanup.directory();
    writeFileSync(join(directory, 'tokens'), 'may-register\n');
    flags = [`--source.registration.token-file=${directory}/tokens`, `--source.registration.store=${directory}/store/registrations.json`];
    vm = await startVm(cleanup, { vcpus: 2 });
    agent = await startAgent(cleanup, flags);
    await agent.sees(vm.id);
  });

  it('is off without a token file: 405 that says what turns it on, whatever the body', async () => {
    const off = await startAgent(cleanup, []);
    for (const [method, body] of [
      ['PUT', {}],
      ['PUT', { vcpus: 'many' }],
      ['DELETE', undefined],
    ] as const) {
      const response = await off.send(method, '/instances/x', body, AUTHORIZED);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
      const { detail } = await expectProblemIn(response, 405, 'method_not_allowed');
      expect(detail).toContain('source.registration.token-file');
    }
    await off.stop();
  });

  it('asks for its own token before it looks at the body', async () => {
    for (const authorization of ['', 'Bearer wrong', 'Basic bWF5LXJlZ2lzdGVy']) {
      const response = await put('x', { vcpus: 'many' }, { authorization });
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /);
      await expectProblemIn(response, 401, 'unauthorized');
    }
    await expectProblemIn(await agent.send('DELETE', '/instances/x'), 401, 'unauthorized');
    await expectProblemIn(await agent.get('/instances/x'), 404, 'not_found');
  });

  it.each<[string, unknown]>([
    ['vcpus', { vcpus: 'many' }],
    ['vcpus', { vcpus: 0 }],
    ['memory_bytes', { memory_bytes: 1.5 }],
    ['name', { name: 'a\nb' }],
    ['hypervisor', { hypervisor: 'xen' }],
    ['interfaces[1]', { interfaces: [{ name: 'tap0' }, { name: '../etc' }] }],
    ['sockets', { sockets: ['a\0b'] }],
    ['"nmae"', { nmae: 'x' }],
    ['start_ticks', { pid: 1 }],
    ['pid', { start_ticks: 1 }],
    ['pid', { pid: -1, start_ticks: 1 }],
    ['object', []],
    ['object', 'null'],
    ['JSON', '{"vcpus":'],
  ])('refuses a bad body and names %s', async (word, body) => {
    const { detail } = await expectProblemIn(await put('x', body), 400, 'invalid_request');
    expect(detail).toContain(word);
  });

  it('believes a pid only with the start time of the process that has it', async () => {
    const other = await put('claimed', { pid: vm.pid, start_ticks: vm.startTicks + 1 });
    const { detail } = await expectProblemIn(other, 409, 'conflict');
    expect(detail).toContain(String(vm.pid));
    const otherBoot = { pid: vm.pid, start_ticks: vm.startTicks, boot_id: '00000000-0000-4000-8000-000000000000' };
    await expectProblemIn(await put('claimed', otherBoot), 409, 'conflict');
    await expectProblemIn(await agent.get('/instances/claimed'), 404, 'not_found');
  });

  it('gives a VM that host discovery sees its id and name: one instance, with numbers, in the list and in the metrics', async () => {
    const answer = await put('tenant-7', { name: 'shop', pid: vm.pid, start_ticks: vm.startTicks });
    expect(answer.status).toBe(200);
    await expectShop();
    await expectProblemIn(await agent.get(`/instances/${vm.id}`), 404, 'not_found');
  });

  it('survives a restart of the agent', async () => {
    await agent.stop();
    agent = await startAgent(cleanup, flags);
    await expectShop();
  });

  it('lists what has no process yet', async () => {
    expect((await put('planned', { vcpus: 8, memory_bytes: 1024 })).status).toBe(200);
    expect(await agent.json('/instances/planned')).toMatchObject({ pid: null, allocated: { vcpus: 8, memory_bytes: 1024 }, processes: [] });
    expect(await agent.json('/instances/planned/stats')).toMatchObject({ cpu_seconds: null, memory_rss_bytes: null });
    await expectProblemIn(await agent.get('/instances/planned/metrics'), 404, 'not_found');
  });

  it('forgets on DELETE: the VM is again what the host shows, for good', async () => {
    for (const id of ['tenant-7', 'planned']) {
      const gone = await agent.send('DELETE', `/instances/${id}`, undefined, AUTHORIZED);
      expect({ status: gone.status, body: await gone.text() }).toEqual({ status: 204, body: '' });
      await expectProblemIn(await agent.get(`/instances/${id}`), 404, 'not_found');
      await expectProblemIn(await agent.send('DELETE', `/instances/${id}`, undefined, AUTHORIZED), 404, 'not_found');
    }
    expect(await agent.sees(vm.id)).toMatchObject({ instance_name: vm.name, source: 'host' });
    await agent.stop();
    agent = await startAgent(cleanup, flags);
    expect(await agent.json('/instances?source=registration')).toMatchObject({ instances: [] });
  });

  async function expectShop(): Promise<void> {
    const { instances } = await agent.json('/instances');
    const known = (Array.isArray(instances) ? instances : []).map((instance) => record(instance)).filter(({ pid }) => pid === vm.pid);
    expect(known).toEqual([
      expect.objectContaining({ id: 'tenant-7', name: 'shop', source: 'registration', hypervisor: 'qemu', state: 'running' }),
    ]);
    expect(await agent.json('/instances/shop')).toMatchObject({ sources: ['registration', 'host'], processes: [{ pid: vm.pid }] });
    const stats = await agent.sees('tenant-7');
    expect(stats).toMatchObject({ instance_id: 'tenant-7', allocated_vcpus: 2, allocated_memory_bytes: vm.memoryBytes });
    expect(stats.memory_rss_bytes).toBeGreaterThan(2 ** 20);
    const metrics = await (await agent.get('/metrics')).text();
    const names = metrics.split('\n').filter((line) => line.startsWith('hypeman_vm_cpu_seconds_total{') && /tenant-7|shop/.test(line));
    expect(names).toEqual([expect.stringMatching(/\{instance_id="tenant-7",instance_name="shop"\} [\d.]+$/)]);
    expect(metrics.includes(`instance_id="${vm.id}"`)).toBe(false);
  }
});
