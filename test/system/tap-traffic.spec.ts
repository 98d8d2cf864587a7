import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, iproute, kvm, tun } from './needs.js';
import { freshInterfaceName, hostCounters, type LinkCounters, NetworkNamespace } from './network-namespace.js';
import { StandIn, StandInPrograms } from './stand-in.js';
import type { InterfaceStats } from './stats-document.js';

/** The host's counters as the guest's interface would show them: every pair turned round. */
const asGuest = ({ rx, tx }: LinkCounters): Partial<InterfaceStats> => ({
  rx_bytes: tx.bytes,
  rx_packets: tx.packets,
  rx_errors: tx.errors,
  rx_drops: tx.dropped,
  tx_bytes: rx.bytes,
  tx_packets: rx.packets,
  tx_errors: rx.errors,
  tx_drops: rx.dropped,
});

const NOTHING = { rx_bytes: null, tx_bytes: null, rx_packets: null, tx_packets: null, rx_drops: null, tx_drops: null };

// Agent: root. Counters of another namespace need no right of their own: /proc/<pid>/net/dev shows them to everybody.
// The test: CAP_NET_ADMIN for taps, CAP_SYS_ADMIN for namespaces.
describeWith('the network of a VMM in a namespace of its own', [...BASICS, builtAgent, compiler, iproute, kvm, tun], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let agent: AgentProcess;
  let namespace: NetworkNamespace;
  let firecracker: string;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    firecracker = programs.named('firecracker');
    agent = await AgentProcess.start(belongings);
  });
  beforeEach(() => {
    namespace = new NetworkNamespace(belongings);
  });
  afterAll(() => belongings.release());

  const start = async (orders: readonly string[], through: readonly string[] = []): Promise<{ vmm: StandIn; id: string }> => {
    const id = randomUUID();
    const vmm = await StandIn.start(belongings, [...through, firecracker, '--id', id, '--no-api'], ['kvm 1', ...orders]);
    await agent.find(vmm.pid);
    return { vmm, id };
  };

  it('has the bytes and packets of both directions turned to the side of the guest', async () => {
    const tap = freshInterfaceName();
    const { vmm, id } = await start([`tap ${tap}`], namespace.entrance);
    namespace.raise(tap, 1);
    // Different sizes and numbers each way, so that a direction not turned cannot pass.
    namespace.sendDatagrams(1, 7, 1000);
    expect(await vmm.tell('send 5 300')).toEqual([5]);
    const [frames, bytes] = await vmm.tell('drain');
    const host = namespace.counters(tap);
    const stats = await agent.stats(id);

    expect({ frames, bytes }).toEqual({ frames: 7, bytes: 7 * 1042 });
    expect(namespace.counters(tap)).toEqual(host);
    expect(stats).toMatchObject({ network_rx_bytes: 7 * 1042, network_tx_bytes: 5 * 300 });
    expect(stats.network.interfaces).toMatchObject([{ name: tap, outcome: 'ok', ...asGuest(host) }]);
    expect(await agent.sample(`vmgauge_vm_network_receive_packets_total{instance_id="${id}",interface="${tap}"}`)).toBe(7);
    expect(await agent.sample(`hypeman_vm_network_tx_bytes_total{instance_id="${id}",instance_name="${id}"}`)).toBe(1500);
  });

  it('has drops on the side where the guest would miss the frames', async () => {
    const tap = freshInterfaceName();
    const { vmm, id } = await start([`tap ${tap}`], namespace.entrance);
    namespace.raise(tap, 1);
    namespace.run('ip', 'link', 'set', tap, 'txqueuelen', '2');
    namespace.sendDatagrams(1, 20, 100);
    namespace.run('ip', 'link', 'set', tap, 'down');
    expect(await vmm.tell('send 3 100')).toEqual([0]);
    const host = namespace.counters(tap);
    const { network } = await agent.stats(id);

    expect(host.tx.dropped).toBeGreaterThan(0);
    expect(host.rx.dropped).toBeGreaterThan(0);
    expect(host.tx.dropped).not.toBe(host.rx.dropped);
    expect(network.interfaces).toMatchObject([{ name: tap, ...asGuest(host) }]);
  });

  it('adds up its interfaces and keeps each', async () => {
    const taps = [freshInterfaceName(), freshInterfaceName()];
    const { vmm, id } = await start([], namespace.entrance);
    for (const [i, tap] of taps.entries()) {
      await vmm.tell(`tap ${tap}`);
      namespace.raise(tap, i + 1);
      await vmm.tell(`send ${i + 1} 500`);
    }
    const { network, network_tx_bytes } = await eventually('both interfaces', async () => {
      const stats = await agent.stats(id);
      return stats.network.interfaces.length === 2 && stats;
    });

    expect(network_tx_bytes).toBe(1500);
    expect(new Map(network.interfaces.map(({ name, tx_bytes }) => [name, tx_bytes]))).toEqual(
      new Map(taps.map((tap, i) => [tap, 500 * (i + 1)])),
    );
  });

  it('stays with the tap of the namespace when an interface of the same name on the host moves', async () => {
    const tap = freshInterfaceName();
    const { vmm, id } = await start([`tap ${tap}`], namespace.entrance);
    namespace.raise(tap, 1);
    const { vmm: other, id: otherId } = await start([`tap ${tap}`]);
    execFileSync('ip', ['link', 'set', tap, 'up']);
    await other.tell('send 9 999');
    await vmm.tell('send 1 111');

    expect((await agent.stats(id)).network_tx_bytes).toBe(111);
    expect((await agent.stats(otherId)).network_tx_bytes).toBe(hostCounters(tap).rx.bytes);
    expect(hostCounters(tap).rx.bytes).toBe(9 * 999);
  });

  it('is followed through a new name of the tap', async () => {
    const tap = freshInterfaceName();
    const renamed = freshInterfaceName();
    const { vmm, id } = await start([`tap ${tap}`], namespace.entrance);
    namespace.raise(tap, 1);
    await vmm.tell('send 2 200');
    expect((await agent.stats(id)).network_tx_bytes).toBe(400);
    namespace.run('ip', 'link', 'set', tap, 'down');
    namespace.run('ip', 'link', 'set', tap, 'name', renamed);
    namespace.raise(renamed, 1);
    await vmm.tell('send 1 200');
    const seen: (number | null)[] = [];
    const stats = await eventually('the new name', async () => {
      const now = await agent.stats(id);
      seen.push(now.network_tx_bytes);
      return now.network.interfaces[0]?.name === renamed && now.network_tx_bytes !== null && now;
    });

    expect(stats.network_tx_bytes).toBe(600);
    expect(stats.network.interfaces).toMatchObject([{ name: renamed, ...asGuest(namespace.counters(renamed)) }]);
    // In between nothing is known; 0 would be a lie.
    expect(seen.filter((bytes) => bytes !== null && bytes < 400)).toEqual([]);
  });

  it('is absent and never 0 once the tap was deleted under the VMM', async () => {
    const tap = freshInterfaceName();
    const { vmm, id } = await start([`tap ${tap}`], namespace.entrance);
    namespace.raise(tap, 1);
    await vmm.tell('send 2 200');
    expect((await agent.stats(id)).network_tx_bytes).toBe(400);
    namespace.run('ip', 'link', 'delete', tap);
    const first = await agent.stats(id);
    await agent.rescanned();
    const later = await agent.stats(id);

    for (const stats of [first, later]) {
      expect(stats).toMatchObject({ state: 'running', network_rx_bytes: null, network_tx_bytes: null });
      expect(stats.collectors.network).toMatchObject({ outcome: 'absent', reason: 'gone' });
      expect(stats.network.interfaces).toMatchObject([{ outcome: 'absent', reason: 'gone', ...NOTHING }]);
      expect(stats.collectors.cpu).toMatchObject({ outcome: 'ok' });
    }
    expect(await agent.sample(`hypeman_vm_network_tx_bytes_total{instance_id="${id}",instance_name="${id}"}`)).toBeUndefined();
  });

  it('does not take over the counters of a new tap with the old name', async () => {
    const tap = freshInterfaceName();
    const { vmm, id } = await start([`tap ${tap}`], namespace.entrance);
    namespace.raise(tap, 1);
    await vmm.tell('send 2 200');
    namespace.run('ip', 'link', 'delete', tap);
    const { vmm: stranger, id: strangersId } = await start([`tap ${tap}`], namespace.entrance);
    namespace.raise(tap, 1);
    await stranger.tell('send 50 1000');
    const first = (await agent.stats(id)).network_tx_bytes;
    await agent.rescanned();

    expect([null, 400]).toContain(first);
    expect((await agent.stats(id)).network_tx_bytes).toBeNull();
    expect((await agent.stats(strangersId)).network_tx_bytes).toBe(50_000);
  });

  it('counts a tap that stayed on the host when the VMM entered a namespace', async () => {
    const tap = freshInterfaceName();
    const { vmm, id } = await start([`tap ${tap}`, `network ${namespace.path}`]);
    execFileSync('ip', ['link', 'set', tap, 'up']);
    await vmm.tell('send 4 250');
    const host = hostCounters(tap);

    expect((await agent.stats(id)).network.interfaces).toMatchObject([{ name: tap, outcome: 'ok', tx_bytes: 1000 }]);
    expect(host.rx.bytes).toBe(1000);
  });

  it('is absent and never 0 where the tap was moved to a namespace that nobody of the VMM is in', async () => {
    const tap = freshInterfaceName();
    const elsewhere = new NetworkNamespace(belongings);
    const { vmm, id } = await start([`tap ${tap}`], namespace.entrance);
    namespace.run('ip', 'link', 'set', tap, 'netns', elsewhere.name);
    elsewhere.raise(tap, 1);
    await vmm.tell('send 4 250');
    await agent.rescanned();
    const stats = await agent.stats(id);

    expect(elsewhere.counters(tap).rx.bytes).toBe(1000);
    expect(stats.network_tx_bytes).toBeNull();
    expect(stats.network.interfaces).toMatchObject([{ name: tap, outcome: 'absent', reason: 'gone', ...NOTHING }]);
  });
});
