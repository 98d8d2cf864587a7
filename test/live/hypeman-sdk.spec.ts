import Hypeman, { NotFoundError } from '@onkernel/hypeman';
import { beforeAll, expect, it } from 'vitest';
import { type RunningAgent, startAgent } from './agent.js';
import { runWell } from './child.js';
import { Cleanup } from './cleanup.js';
import { liveSuite, program, root, tap } from './needs.js';
import { makeNamespace, startVm, type Vm } from './vm.js';

const cleanup = new Cleanup();

liveSuite("hypeman's published SDK", [program('qemu-system-x86_64'), program('curl'), root, tap], () => {
  let vm: Vm;
  let agent: RunningAgent;
  let client: Hypeman;

  beforeAll(async () => {
    vm = await startVm(cleanup, { name: 'sdk-guest', vcpus: 2, namespace: await makeNamespace(cleanup) });
    // One sweep for all readers: their answers must be equal.
    agent = await startAgent(cleanup, ['--collection.max-age=1h', '--collection.interval=1h']);
    await agent.sees(vm.id);
    client = new Hypeman({ baseURL: agent.url, apiKey: 'none is asked for', maxRetries: 0 });
  });

  it('reads the ten fields in their documented types, equal to what curl reads', async () => {
    const stats = await client.instances.stats(vm.id);
    const ten = {
      instance_id: vm.id,
      instance_name: 'sdk-guest',
      cpu_seconds: expect.any(Number),
      memory_rss_bytes: expect.any(Number),
      memory_vms_bytes: expect.any(Number),
      network_rx_bytes: expect.any(Number),
      network_tx_bytes: expect.any(Number),
      allocated_vcpus: 2,
      allocated_memory_bytes: vm.memoryBytes,
      memory_utilization_ratio: stats.memory_rss_bytes / vm.memoryBytes,
    };
    expect(stats).toMatchObject(ten);
    for (const field of ['memory_rss_bytes', 'memory_vms_bytes', 'network_rx_bytes', 'network_tx_bytes'] as const) {
      expect(stats[field]).toSatisfy(Number.isSafeInteger);
    }
    expect(stats.memory_rss_bytes).toBeGreaterThan(2 ** 20);
    expect(stats.memory_vms_bytes).toBeGreaterThan(stats.memory_rss_bytes);
    expect(JSON.parse(await runWell('curl', ['-sSf', `${agent.url}/instances/${vm.id}/stats`]))).toEqual(stats);
  });

  it('finds the VM by its name and by the beginning of its id', async () => {
    for (const key of ['sdk-guest', vm.id.slice(0, 13)]) expect((await client.instances.stats(key)).instance_id).toBe(vm.id);
  });

  it('makes its NotFoundError of our 404, code and message readable', async () => {
    const error = await client.instances.stats('nobody').catch((caught: unknown) => caught);
    if (!(error instanceof NotFoundError)) throw new Error(`not a NotFoundError: ${error}`);
    expect(error.status).toBe(404);
    expect(error.error).toMatchObject({ code: 'not_found', message: 'Container ID (nobody) does not exist' });
    expect(error.message).toContain('Container ID (nobody) does not exist');
  });

  it('reads its own health probe', async () => {
    expect(await client.health.check()).toMatchObject({ status: 'ok' });
  });
});
