import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { HubQemu } from './hub-qemu.js';
import { BASICS, describeWith, iproute, kvm, qemu, tun } from './needs.js';
import { freshInterfaceName, NetworkNamespace } from './network-namespace.js';
import { startIdleQemu } from './real-qemu.js';
import type { InterfaceStats, Stats } from './stats-document.js';

const ip = (...argv: string[]): string => execFileSync('ip', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** One device of the test's own namespace as ip-link(8) has it. */
function link(name: string): {
  readonly ifindex: number;
  readonly address: string;
  readonly stats64: { readonly rx: Readonly<Record<string, number>> };
} {
  const [found] = JSON.parse(ip('-s', '-j', 'link', 'show', 'dev', name)) as ReturnType<typeof link>[];
  return found;
}

/** Makes devices of the host itself, where sysfs shows them; whoever is the other end goes with it. */
function device(belongings: Belongings, name: string, ...how: readonly string[]): void {
  ip('link', 'add', ...how);
  belongings.own(() => {
    try {
      ip('link', 'delete', name);
    } catch {
      // Gone with its other end.
    }
  });
}

// Agent: root. The test: CAP_NET_ADMIN for devices, CAP_SYS_ADMIN for namespaces.
describeWith('interfaces of a VM', [...BASICS, builtAgent, iproute, kvm, qemu, tun], () => {
  const belongings = new Belongings();
  let agent: AgentProcess;
  let directory: string;
  let namespace: NetworkNamespace;
  let tap: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-interfaces-'));
    belongings.own(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, 'instances.json'), '{"instances":[]}');
    agent = await AgentProcess.start(belongings, { flags: { 'source.file.path': join(directory, 'instances.json') } });
  });
  beforeEach(() => {
    namespace = new NetworkNamespace(belongings);
    tap = freshInterfaceName();
  });
  afterAll(() => belongings.release());

  const qemuNamed = (name: string): Promise<HubQemu> => HubQemu.start(belongings, namespace, `${name}-${tap}`);
  const idOf = async ({ child }: HubQemu): Promise<string> => (await agent.find(child.pid)).id;
  const statsWhen = (id: string, what: string, holds: (stats: Stats) => boolean): Promise<Stats> =>
    eventually(what, async () => {
      const stats = await agent.stats(id);
      if (!holds(stats)) throw new Error(JSON.stringify([stats.network_tx_bytes, stats.network.interfaces]));
      return stats;
    });
  const only = ({ network: { interfaces } }: Stats): InterfaceStats => {
    expect(interfaces).toHaveLength(1);
    return interfaces[0];
  };
  const up = (): string => namespace.run('ip', 'link', 'set', tap, 'up');

  it('go on with their counters when the tap is made anew, and with their sums while there is none', async () => {
    const vm = await qemuNamed('anew');
    const id = await idOf(vm);
    await vm.plug(tap);
    up();
    await vm.transmit(tap, 5, 300);
    const before = await statsWhen(id, 'the tap', ({ network_tx_bytes }) => network_tx_bytes === 1500);
    expect(only(before)).toMatchObject({ name: tap, generation: 1, rx_multicast: null });
    const seen: (number | null)[] = [];
    const note = async (): Promise<void> => void seen.push((await agent.stats(id)).network_tx_bytes);

    namespace.run('ip', 'link', 'delete', tap);
    await note();
    await vm.unplug();
    await statsWhen(id, 'no interface', ({ network, network_tx_bytes }) => network.interfaces.length === 0 && network_tx_bytes === 1500);
    await vm.plug(tap);
    up();
    await vm.transmit(tap, 2, 400);
    await note();
    const after = await statsWhen(id, 'the new tap', ({ network_tx_bytes }) => network_tx_bytes === 2300);
    expect(only(after)).toMatchObject({ name: tap, tx_bytes: 2300, tx_packets: 7, generation: 2 });
    expect(namespace.counters(tap).rx.bytes).toBe(800);

    // At once, and with more than before: the name and the counters alone would tell nothing.
    await vm.unplug();
    await vm.plug(tap);
    up();
    await vm.transmit(tap, 9, 500);
    await note();
    const last = await statsWhen(id, 'the third tap', ({ network_tx_bytes }) => network_tx_bytes === 6800);
    expect(only(last)).toMatchObject({ tx_bytes: 6800, generation: 3 });
    expect(await agent.sample(`vmgauge_vm_network_interface_generation{instance_id="${id}",interface="${tap}"}`)).toBe(3);
    for (const bytes of seen) expect([null, 1500, 2300, 6800]).toContain(bytes);
  });

  it('have nothing of a new tap of the same name that is another tenant’s', async () => {
    const [vm, other] = [await qemuNamed('first'), await qemuNamed('second')];
    const [id, otherId] = [await idOf(vm), await idOf(other)];
    await vm.plug(tap);
    // Down and without IPv6 it is on no list of devices: its index is told later.
    await statsWhen(
      id,
      'the tap, switched off',
      ({ network, network_tx_bytes }) => network.interfaces.length === 1 && network_tx_bytes === 0,
    );
    up();
    await vm.transmit(tap, 5, 300);
    await statsWhen(id, 'the tap', ({ network_tx_bytes }) => network_tx_bytes === 1500);
    const seen: (number | null)[] = [];
    await vm.unplug();
    await other.plug(tap);
    up();
    await other.transmit(tap, 50, 1000);
    for (let i = 0; i < 5; i++) seen.push((await agent.stats(id)).network_tx_bytes);
    const theirs = await statsWhen(otherId, 'the tap of the other', ({ network_tx_bytes }) => network_tx_bytes === 50_000);
    expect(only(theirs)).toMatchObject({ name: tap, generation: 1 });
    const mine = await statsWhen(
      id,
      'no interface',
      ({ network, network_tx_bytes }) => network.interfaces.length === 0 && network_tx_bytes !== null,
    );
    expect(mine.network_tx_bytes).toBe(1500);
    for (const bytes of seen) expect([null, 1500]).toContain(bytes);
  });

  it('have each only what was its own of a tap that is handed on', async () => {
    const [vm, other] = [await qemuNamed('giver'), await qemuNamed('taker')];
    const [id, otherId] = [await idOf(vm), await idOf(other)];
    // What went before is remembered of a namespace for as long as some VM has an interface in it.
    const neighbour = await qemuNamed('neighbour');
    await neighbour.plug(freshInterfaceName());
    await statsWhen(await idOf(neighbour), 'the tap of a third', ({ network }) => network.interfaces.length === 1);
    namespace.run('ip', 'tuntap', 'add', tap, 'mode', 'tap');
    up();
    await vm.plug(tap);
    await vm.transmit(tap, 5, 300);
    await statsWhen(id, 'the tap', ({ network_tx_bytes }) => network_tx_bytes === 1500);
    await vm.unplug();
    await statsWhen(id, 'no interface', ({ network }) => network.interfaces.length === 0);
    await other.plug(tap);
    await statsWhen(otherId, 'the tap of the other', ({ network_tx_bytes }) => network_tx_bytes === 0);
    await other.transmit(tap, 4, 200);
    const theirs = await statsWhen(otherId, 'its own bytes', ({ network_tx_bytes }) => network_tx_bytes === 800);
    expect(only(theirs)).toMatchObject({ tx_packets: 4 });
    await other.unplug();
    await statsWhen(otherId, 'none any more', ({ network }) => network.interfaces.length === 0);
    await vm.plug(tap);
    await statsWhen(id, 'the tap again', ({ network, network_tx_bytes }) => network.interfaces.length === 1 && network_tx_bytes === 1500);
    await vm.transmit(tap, 1, 100);
    expect(only(await statsWhen(id, 'one more', ({ network_tx_bytes }) => network_tx_bytes === 1600))).toMatchObject({ generation: 2 });
    expect((await agent.stats(otherId)).network_tx_bytes).toBe(800);
  });

  it('are one for all queues of a tap', async () => {
    const { child } = await startIdleQemu(
      belongings,
      [
        '-netdev',
        `tap,id=n,ifname=${tap},queues=2,vhost=off,script=no,downscript=no`,
        '-device',
        'virtio-net-pci,netdev=n,mq=on,vectors=6',
      ],
      { through: namespace.entrance },
    );
    const { id } = await agent.find(child.pid);
    await statsWhen(id, 'the tap', ({ network }) => network.interfaces.some(({ name }) => name === tap));
    expect((await agent.detail(id)).interfaces).toMatchObject([{ kind: 'tap', name: tap, device: 'n' }]);
    const queues = namespace.run('sh', '-c', `grep -l "iff:.*${tap}" /proc/${child.pid}/fdinfo/*`).trim().split('\n');
    expect(queues).toHaveLength(2);
    expect(only(await statsWhen(id, 'its counters', (now) => only(now).outcome === 'ok'))).toMatchObject({ name: tap, generation: 1 });
  });

  it('are counted where a source names the host’s end of a veth pair, and go on with the next one', async () => {
    const pod = new NetworkNamespace(belongings);
    const make = (): void => {
      namespace.run('ip', 'link', 'add', tap, 'type', 'veth', 'peer', 'name', 'pod0', 'netns', pod.name);
      namespace.raise(tap, 1);
      pod.run('ip', 'address', 'add', '10.253.1.2/24', 'dev', 'pod0');
      pod.run('ip', 'link', 'set', 'pod0', 'up');
      pod.run('ip', 'neighbour', 'replace', '10.253.1.1', 'lladdr', '02:00:00:00:00:02', 'dev', 'pod0');
    };
    make();
    const child = await Child.start([...namespace.entrance, 'sleep', 'infinity']);
    belongings.own(() => child.kill());
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    const start_ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    const entry = { id: tap, pid: child.pid, start_ticks, interfaces: [{ name: tap, kind: 'veth' }] };
    writeFileSync(join(directory, 'instances.json'), JSON.stringify({ instances: [entry] }));
    await agent.find(child.pid);
    namespace.sendDatagrams(1, 3, 1000);
    const sent = namespace.counters(tap);
    expect(sent.tx).toMatchObject({ packets: 3, bytes: 3 * 1042 });
    await statsWhen(tap, 'what the guest received', ({ network_rx_bytes }) => network_rx_bytes === 3 * 1042);
    pod.run('bash', '-c', 'exec 3>/dev/udp/10.253.1.1/9; echo hello >&3');
    const first = await statsWhen(tap, 'what the guest sent', (stats) => only(stats).tx_packets === 1);
    expect(only(first)).toMatchObject({ kind: 'veth', rx_packets: 3, generation: 1, rx_multicast: null });

    namespace.run('ip', 'link', 'delete', tap);
    make();
    namespace.sendDatagrams(1, 1, 500);
    const bytes = 3 * 1042 + 542;
    expect(only(await statsWhen(tap, 'the next pair', ({ network_rx_bytes }) => network_rx_bytes === bytes))).toMatchObject({
      generation: 2,
    });
  });

  it('have multicast where the kernel counts it: on a macvtap, from the guest’s side', async () => {
    const [lower, peer] = [tap, freshInterfaceName()];
    device(belongings, lower, lower, 'type', 'veth', 'peer', 'name', peer);
    const macvtap = freshInterfaceName();
    device(belongings, macvtap, 'link', lower, 'name', macvtap, 'type', 'macvtap', 'mode', 'bridge');
    for (const name of [lower, peer, macvtap]) ip('link', 'set', name, 'up');
    const descriptor = openSync(await characterDevice(link(macvtap).ifindex), constants.O_RDWR | constants.O_NONBLOCK);
    const { child } = await startIdleQemu(belongings, ['-netdev', 'tap,id=n,fd=3', '-device', 'virtio-net-pci,netdev=n'], {
      inherits: [descriptor],
    });
    closeSync(descriptor);
    const { id } = await agent.find(child.pid);
    // Who has 10.253.9.2? Neighbour discovery of IPv6 may be among them too.
    ip('address', 'add', '10.253.9.1/24', 'dev', peer);
    execFileSync('bash', ['-c', 'exec 3>/dev/udp/10.253.9.2/9; echo hello >&3']);
    const stats = await statsWhen(id, 'as many as the host has', (now) => {
      const { multicast } = link(macvtap).stats64.rx;
      return multicast > 0 && only(now).rx_multicast === multicast;
    });
    expect(only(stats)).toMatchObject({ name: macvtap, kind: 'macvtap', outcome: 'ok', host_mac: link(macvtap).address, carrier: 1 });
  });

  it('are described as the host has them now', async () => {
    const bridge = freshInterfaceName();
    device(belongings, bridge, bridge, 'type', 'bridge');
    const { child } = await startIdleQemu(belongings, [
      ...['-netdev', `tap,id=n,ifname=${tap},queues=2,vhost=off,script=no,downscript=no`],
      ...['-device', 'virtio-net-pci,netdev=n,mq=on,vectors=6'],
    ]);
    const { id } = await agent.find(child.pid);
    await statsWhen(id, 'the tap', ({ network }) => network.interfaces.some(({ name }) => name === tap));
    ip('link', 'set', tap, 'mtu', '1400', 'master', bridge, 'up');
    const stats = await statsWhen(id, 'the bridge', (now) => only(now).bridge === bridge && only(now).carrier === 1);
    expect(only(stats)).toMatchObject({ mtu_bytes: 1400, speed_bytes_per_second: 1.25e9, host_mac: link(tap).address });
    // The second one is switched on by a guest, and there is none.
    expect(only(stats).queues).toBe(readdirSync(`/sys/class/net/${tap}/queues`).filter((name) => name.startsWith('rx-')).length);
    await statsWhen(id, 'its next turn', ({ collectors }) => collectors.interfaces?.outcome === 'ok');
    const changes = only(stats).carrier_changes ?? Number.NaN;
    const labels = `{instance_id="${id}",interface="${tap}"}`;
    expect(await agent.sample(`vmgauge_vm_network_mtu_bytes${labels}`)).toBe(1400);
    expect(await agent.sample(`vmgauge_vm_network_speed_bytes_per_second${labels}`)).toBe(1.25e9);

    ip('link', 'set', tap, 'carrier', 'off');
    ip('link', 'set', tap, 'nomaster', 'mtu', '9000');
    const later = await statsWhen(id, 'no carrier', (now) => only(now).carrier === 0 && only(now).mtu_bytes === 9000);
    expect(only(later)).toMatchObject({ bridge: null, speed_bytes_per_second: null, operstate: 'down', carrier_changes: changes + 1 });
    expect(await agent.sample(`vmgauge_vm_network_carrier${labels}`)).toBe(0);
    ip('link', 'set', tap, 'down');
    // A device that is switched off does not say whether it has one.
    await statsWhen(id, 'nothing of the carrier', (now) => only(now).carrier === null && only(now).mtu_bytes === 9000);
    expect(await agent.sample(`vmgauge_vm_network_carrier${labels}`)).toBeUndefined();
  });

  it('are not described in another namespace than the one that sysfs shows', async () => {
    const vm = await qemuNamed('elsewhere');
    const id = await idOf(vm);
    await vm.plug(tap);
    // The host has one of the same name.
    device(belongings, tap, tap, 'type', 'bridge');
    const stats = await statsWhen(id, 'what is not known', ({ collectors }) => collectors.interfaces?.reason === 'unsupported');
    expect(only(stats)).toMatchObject({ outcome: 'ok', mtu_bytes: null, carrier: null, host_mac: null, bridge: null });
  });
});

/** devtmpfs makes it a moment after the device. */
async function characterDevice(index: number): Promise<string> {
  const path = `/dev/tap${index}`;
  await eventually(path, () => existsSync(path));
  return path;
}
