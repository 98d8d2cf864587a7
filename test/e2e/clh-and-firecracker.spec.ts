import { afterAll, beforeAll, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { rootOf, story } from './stories.js';

const KATA = '9b1f6c0e5a7d4c2b8e3f1a6d7c9b0e2f4a5d6c7b8e9f0a1b2c3d4e5f60718293';

let agent: Agent;
beforeAll(async () => {
  agent = await Agent.start(rootOf(story('clh-and-firecracker')));
});
afterAll(() => agent.stop());

const json = async (path: string) => JSON.parse(await agent.text(path));

it('gives no sum over interfaces of which some cannot be counted, and still the one that can', async () => {
  const stats = await json('/instances/cloud-hypervisor-2101/stats');
  expect(stats).toMatchObject({ network_rx_bytes: null, network_tx_bytes: null });
  expect(stats.collectors.network).toMatchObject({ outcome: 'absent', reason: 'unsupported' });
  const byKind = new Map(stats.network.interfaces.map((one: { kind: string }) => [one.kind, one]));
  expect(byKind.get('tap')).toMatchObject({
    name: 'chtap0',
    outcome: 'ok',
    rx_bytes: 15_728_640,
    tx_bytes: 7_340_032,
    rx_drops: 7,
    tx_drops: 3,
  });
  for (const kind of ['vhost-user', 'passthrough']) {
    expect(byKind.get(kind)).toMatchObject({
      name: null,
      outcome: 'absent',
      reason: 'unsupported',
      rx_bytes: null,
      tx_bytes: null,
      rx_drops: null,
    });
  }
  const page = await agent.text('/instances/cloud-hypervisor-2101/metrics');
  expect(page).not.toContain('hypeman_vm_network');
  expect(page.match(/^vmgauge_vm_network_receive_bytes_total.*$/gm)).toEqual([
    'vmgauge_vm_network_receive_bytes_total{instance_id="cloud-hypervisor-2101-300000",interface="chtap0"} 15728640',
  ]);
});

it('reads what argv says of a Cloud Hypervisor: hot-plugged memory, a path of PCI, the socket', async () => {
  expect(await json('/instances/cloud-hypervisor-2101')).toMatchObject({
    allocated: { vcpus: 4, memory_bytes: 2560 * 1024 * 1024 },
    sockets: ['/run/clh/db-1/api.sock'],
    interfaces: [
      { kind: 'tap', name: 'chtap0', mac: '12:34:56:78:90:ab', device: 'net0' },
      { kind: 'vhost-user', name: null, device: 'net1' },
      { kind: 'passthrough', name: null, device: 'vfio0' },
    ],
  });
});

it('turns the direction of a tap and not that of a macvtap', async () => {
  expect(await json('/instances/fc-web-7/stats')).toMatchObject({ network_rx_bytes: 4096, network_tx_bytes: 2048 });
  const kata = await json(`/instances/${KATA}/stats`);
  expect(kata).toMatchObject({ network_rx_bytes: 1000, network_tx_bytes: 3000 });
  expect(kata.network.interfaces).toMatchObject([{ kind: 'macvtap', name: 'macvtap0', rx_drops: 2, tx_drops: 4 }]);
});

it('knows a jailed Firecracker by its id, and does not make up the memory that it got by API', async () => {
  expect(await json('/instances/fc-web-7')).toMatchObject({
    hypervisor: 'firecracker',
    allocated: { vcpus: 2, memory_bytes: null },
    sockets: ['/run/firecracker.socket'],
    cgroups: ['/firecracker/fc-web-7'],
  });
  expect(await json('/instances/fc-web-7/stats')).toMatchObject({ allocated_memory_bytes: null, memory_utilization_ratio: null });
});

it('reads the configuration file of a Firecracker that has one', async () => {
  expect(await json('/instances/firecracker-2404-303000')).toMatchObject({
    allocated: { vcpus: 1, memory_bytes: 256 * 1024 * 1024 },
    interfaces: [{ kind: 'tap', name: 'fctap1', mac: '06:00:ac:10:00:02', device: 'eth0' }],
  });
});
