import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm, program, tun } from './needs.js';
import { freshInterfaceName, NetworkNamespace } from './network-namespace.js';
import { OPEN_VSWITCH, OpenVSwitch } from './open-vswitch.js';
import { StandIn, StandInPrograms } from './stand-in.js';
import { SwitchedQemu } from './switched-qemu.js';

interface SwitchPort {
  readonly port: string;
  readonly bridge: string | null;
  readonly interface: string | null;
  readonly ofport: number | null;
  readonly vlan: number | null;
  readonly iface_id: string | null;
  readonly rx_bytes: number | null;
  readonly tx_bytes: number | null;
  readonly rx_packets: number | null;
  readonly tx_packets: number | null;
  readonly rx_drops: number | null;
  readonly link: number | null;
  readonly age_seconds: number | null;
}
interface Stats {
  readonly network: { readonly switch_ports: readonly SwitchPort[] | null };
  readonly collectors: Readonly<Record<string, { readonly outcome: string; readonly reason?: string }>>;
}

const BRIDGE = 'br-vm';
const PROTOCOLS = 'protocols=OpenFlow10,OpenFlow13,OpenFlow15';
const FLAGS = { 'ovs.interval': '1s', 'ovs.deadline': '500ms' };
const qemu = program('qemu-system-x86_64', 'qemu-system-x86');

// Agent: root, for the sockets of Open vSwitch are root's (0750). The test: CAP_NET_ADMIN and CAP_SYS_ADMIN for taps and namespaces.
describeWith(
  'Open vSwitch, with taps of real QEMUs and traffic through them',
  [...BASICS, builtAgent, compiler, ...OPEN_VSWITCH, kvm, tun, qemu],
  () => {
    const belongings = new Belongings();
    let namespace: NetworkNamespace;
    let ovs: OpenVSwitch;
    let agent: AgentProcess;
    beforeAll(async () => {
      namespace = new NetworkNamespace(belongings);
      ovs = await OpenVSwitch.start(belongings, namespace);
      ovs.addBridge(BRIDGE, PROTOCOLS);
      namespace.run('ip', 'link', 'set', BRIDGE, 'up');
      agent = await AgentProcess.start(belongings, { flags: { ...FLAGS, 'ovs.run-directories': ovs.directory } });
    });
    afterAll(() => belongings.release());
    // Firmware without anything to boot is busy all the time.
    const vms: SwitchedQemu[] = [];
    afterEach(async () => {
      for (const vm of vms.splice(0)) await vm.child.kill();
    });

    const start = async (tap = freshInterfaceName(), uuid: string = randomUUID()): Promise<SwitchedQemu> => {
      const vm = await SwitchedQemu.start(belongings, namespace, tap, uuid);
      vms.push(vm);
      return vm;
    };
    const plug = (tap: string, ...columns: readonly string[]): void => {
      ovs.vsctl('add-port', BRIDGE, tap, ...columns);
    };
    const machine = async (
      ...columns: readonly string[]
    ): Promise<{ readonly vm: SwitchedQemu; readonly id: string; readonly tap: string }> => {
      const tap = freshInterfaceName();
      const vm = await start(tap);
      plug(tap, ...columns);
      const { id } = await agent.find(vm.child.pid);
      return { vm, id, tap };
    };
    const stats = async (id: string): Promise<Stats> => JSON.parse(await agent.read(`/instances/${id}/stats`)) as Stats;
    const ports = async (id: string): Promise<readonly SwitchPort[]> => (await stats(id)).network.switch_ports ?? [];
    /** Of ovs-ofctl, as the switch sees it. */
    const dumped = (port: string) => {
      const text = ovs.ofctl('dump-ports', BRIDGE, port);
      const side = (word: string) => {
        const [, packets, bytes, drop] = new RegExp(`${word} +pkts=(\\d+), bytes=(\\d+), drop=(\\d+)`).exec(text) ?? [];
        return { packets: Number(packets), bytes: Number(bytes), drop: Number(drop) };
      };
      return { rx: side('rx'), tx: side('tx') };
    };
    /** What the switch has, from the guest's side. */
    const asGuest = (port: string) => {
      const { rx, tx } = dumped(port);
      return { rx_bytes: tx.bytes, tx_bytes: rx.bytes, rx_packets: tx.packets, tx_packets: rx.packets, rx_drops: tx.drop };
    };
    const metric = (name: string, labels: string): Promise<number | undefined> => agent.sample(`${name}{${labels}}`);
    const matching = async (start: string): Promise<readonly string[]> =>
      (await agent.read('/metrics')).split('\n').filter((line) => line.startsWith(start));
    const up = (component: string): Promise<number | undefined> =>
      metric('vmgauge_ovs_up', `directory="${ovs.directory}",component="${component}"`);

    it('counts a port of an instance as the tap and ovs-ofctl do, from the side of the guest', async () => {
      const [one, other] = [await machine('tag=7', '--', 'set', 'Interface', BRIDGE, 'external_ids:x=y'), await machine('tag=7')];
      // Sizes and numbers that differ each way. The switch floods what it does not know, so each receives what the other sent.
      one.vm.send(7, 400);
      other.vm.send(3, 900);
      const [port] = await eventually('the numbers of the switch', async () => {
        const own = await ports(one.id);
        return own[0]?.tx_packets === 7 && own[0].rx_packets === 3 && own;
      });

      expect(port).toMatchObject({ port: one.tap, bridge: BRIDGE, interface: one.tap, vlan: 7, link: 1, ...asGuest(one.tap) });
      expect(port).toMatchObject({ tx_bytes: 2800, rx_bytes: 2700 });
      const { rx, tx } = namespace.counters(one.tap);
      expect(port).toMatchObject({ rx_bytes: tx.bytes, tx_bytes: rx.bytes, rx_packets: tx.packets, tx_packets: rx.packets });
      expect(port.ofport).toBe(Number(ovs.vsctl('get', 'Interface', one.tap, 'ofport')));
      expect((await ports(other.id))[0]).toMatchObject({ port: other.tap, tx_bytes: 2700, rx_bytes: 2800 });
      expect(await metric('vmgauge_vm_switch_port_transmit_bytes_total', `instance_id="${one.id}",port="${one.tap}"`)).toBe(2800);
      expect(await metric('vmgauge_vm_switch_port_up', `instance_id="${one.id}",port="${one.tap}"`)).toBe(1);
      // Nobody's ports are the host's, and only those.
      expect(await matching(`vmgauge_ovs_port_receive_bytes_total{bridge="${BRIDGE}",port="${one.tap}"`)).toEqual([]);
      expect(await matching(`vmgauge_ovs_port_receive_bytes_total{bridge="${BRIDGE}",port="${BRIDGE}"`)).toHaveLength(1);
    });

    it('knows the port of a VM behind a Linux bridge by what OpenStack wrote', async () => {
      const uuid = randomUUID();
      const [qvb, qvo, port] = [freshInterfaceName(), freshInterfaceName(), randomUUID()];
      const vm = await start(freshInterfaceName(), uuid);
      namespace.run('ip', 'link', 'add', qvo, 'type', 'veth', 'peer', 'name', qvb);
      for (const end of [qvb, qvo]) namespace.run('ip', 'link', 'set', end, 'up');
      plug(qvo, '--', 'set', 'Interface', qvo, `external_ids:vm-uuid=${uuid}`, `external_ids:iface-id=${port}`);
      const { id } = await agent.find(vm.child.pid);
      const [own] = await eventually('the port', async () => {
        const known = await ports(id);
        return known.length > 0 && known;
      });

      expect(own).toMatchObject({ port: qvo, interface: null, iface_id: port });
      // One that only says it is that VM makes it nobody's, and never its own.
      const rival = await start(freshInterfaceName(), uuid);
      const claimed = await agent.find(rival.child.pid);
      await eventually('the port without owner', async () => (await ports(id)).length === 0 || claimed.id === id);
      expect(claimed.id === id ? [] : await ports(claimed.id)).toEqual([]);
    });

    it('has the flows of each table and of all as ovs-ofctl has them', async () => {
      for (let i = 0; i < 9; i++) ovs.ofctl('add-flow', BRIDGE, `table=5,priority=${i + 1},udp,tp_dst=${i + 1},actions=drop`);
      ovs.vsctl('--id=@t', 'create', 'Flow_Table', 'name=Spoof', '--', 'set', 'Bridge', BRIDGE, 'flow_tables:5=@t');
      const { vm } = await machine();
      vm.send(4, 200);
      await eventually(
        'the flows',
        async () => (await metric('vmgauge_ovs_flow_entries', `bridge="${BRIDGE}",table_id="5",table_name="Spoof"`)) === 9,
      );

      const sum = /flow_count=(\d+)/.exec(ovs.ofctl('dump-aggregate', BRIDGE))?.[1];
      const told = (await matching(`vmgauge_ovs_flow_entries{bridge="${BRIDGE}"`)).map((line) => Number(line.split(' ').at(-1)));
      expect(told.reduce((a, b) => a + b, 0)).toBe(Number(sum));
      await eventually('packets as the switch counts them', async () => {
        const [, lookups] = /table 0:?[\s\S]*?lookup=(\d+)/.exec(ovs.ofctl('dump-tables', BRIDGE)) ?? [];
        return (await metric('vmgauge_ovs_table_lookups_total', `bridge="${BRIDGE}",table_id="0",table_name="table0"`)) === Number(lookups);
      });
      await eventually('what the flows matched', async () => {
        const [, packets, bytes] = /packet_count=(\d+) byte_count=(\d+)/.exec(ovs.ofctl('dump-aggregate', BRIDGE)) ?? [];
        const seen = [
          await metric('vmgauge_ovs_flow_packets', `bridge="${BRIDGE}"`),
          await metric('vmgauge_ovs_flow_bytes', `bridge="${BRIDGE}"`),
        ];
        return seen[0] === Number(packets) && seen[1] === Number(bytes);
      });
    });

    it('has what a meter dropped', async () => {
      const { vm, tap } = await machine();
      ovs.ofctl('--protocols=OpenFlow13', 'add-meter', BRIDGE, 'meter=5,pktps,burst,stats,band=type=drop,rate=1,burst_size=1');
      ovs.ofctl('--protocols=OpenFlow13', 'add-flow', BRIDGE, `priority=99,in_port=${tap},actions=meter:5`);
      vm.send(40, 100);
      const stated = (): readonly [number, number] => {
        const text = ovs.ofctl('--protocols=OpenFlow13', 'meter-stats', BRIDGE);
        return [Number(/packet_in_count:(\d+)/.exec(text)?.[1]), Number(/0: packet_count:(\d+)/.exec(text)?.[1])];
      };
      await eventually('the drops of the switch', async () => {
        const [all, dropped] = stated();
        const seen = await metric('vmgauge_ovs_meter_dropped_packets_total', `bridge="${BRIDGE}",meter_id="5",band="0"`);
        const packets = await metric('vmgauge_ovs_meter_packets_total', `bridge="${BRIDGE}",meter_id="5"`);
        return all === 40 && dropped > 0 && seen === dropped && packets === all;
      });
      ovs.ofctl('--protocols=OpenFlow13', 'del-meters', BRIDGE);
    });

    it('withholds counters of a switch that was killed, keeps who is where, and comes back', async () => {
      const { vm, id, tap } = await machine();
      vm.send(5, 300);
      await eventually('its counters', async () => (await ports(id))[0]?.tx_packets === 5);
      await ovs.killSwitch();
      try {
        await eventually('the end of the switch', async () => (await up('ovs-vswitchd')) === 0);
        const { network, collectors } = await stats(id);

        expect(network.switch_ports).toMatchObject([
          { port: tap, bridge: BRIDGE, tx_packets: null, rx_bytes: null, link: null, age_seconds: null },
        ]);
        expect(collectors.switch_ports).toMatchObject({ outcome: 'absent', reason: 'gone' });
        expect(await up('ovsdb-server')).toBe(1);
        for (const family of [
          'vmgauge_ovs_flow_entries',
          'vmgauge_ovs_table_lookups_total',
          'vmgauge_ovs_port_receive_bytes_total',
          'vmgauge_vm_switch_port_receive_bytes_total',
          'vmgauge_ovs_poll_age_seconds',
        ])
          expect([family, await matching(`${family}{`)]).toEqual([family, []]);
        expect(await metric('vmgauge_ovs_bridge_up', `bridge="${BRIDGE}"`)).toBe(0);
        expect(await matching(`vmgauge_ovs_ports{bridge="${BRIDGE}"}`)).toHaveLength(1);
      } finally {
        await ovs.startSwitch();
      }
      await eventually('the switch again', async () => (await up('ovs-vswitchd')) === 1);
      vm.send(2, 300);
      // The counters are the tap's.
      await eventually('its counters again', async () => (await ports(id))[0]?.tx_packets === 7);
    });

    it('goes on counting while the database is gone, and follows it again', async () => {
      const { vm, id } = await machine();
      vm.send(1, 300);
      await eventually('its counters', async () => (await ports(id))[0]?.tx_packets === 1);
      await ovs.killDatabase();
      const seen = await eventually('the end of the database', async () => (await up('ovsdb-server')) === 0 && up('ovs-vswitchd')).finally(
        () => ovs.startDatabase(),
      );
      expect(seen).toBe(1);
      await eventually('the database again', async () => (await up('ovsdb-server')) === 1);
      const later = await machine();
      later.vm.send(3, 300);
      await eventually('a port that came since', async () => (await ports(later.id))[0]?.tx_packets === 3);
      vm.send(1, 300);
      await eventually('the old port', async () => (await ports(id))[0]?.tx_packets === 2);
    });

    it('never goes back when a tap is taken away and made anew', async () => {
      const tap = freshInterfaceName();
      const argv = [...namespace.entrance, new StandInPrograms(belongings).named('firecracker'), '--id', randomUUID(), '--no-api'];
      const vm = await StandIn.start(belongings, argv, ['kvm 1', `tap ${tap}`]);
      namespace.run('ip', 'link', 'set', tap, 'up');
      plug(tap);
      const { id } = await agent.find(vm.pid);
      const index = (): string => ovs.vsctl('get', 'Interface', tap, 'ifindex').trim();
      const seen: number[] = [];
      const reaches = (packets: number) => async (): Promise<boolean> => {
        const now = (await ports(id))[0]?.tx_packets ?? null;
        if (now !== null) seen.push(now);
        return now === packets;
      };
      expect(await vm.tell('send 6 500')).toEqual([6]);
      await eventually('its counters', reaches(6));
      const before = index();
      namespace.run('ip', 'link', 'delete', tap);
      await eventually('the end of the device', () => index() === '0');
      await vm.tell(`tap ${tap}`);
      namespace.run('ip', 'link', 'set', tap, 'up');
      await eventually('the new device', () => !['0', before].includes(index()));
      expect(await vm.tell('send 4 500')).toEqual([4]);
      await eventually('both lives of the port', reaches(10));

      expect(dumped(tap).rx.packets).toBe(4);
      expect(seen).toEqual(seen.toSorted((one, other) => one - other));
    });

    it('is answered while the switch is stopped, and has its numbers no longer than three intervals', async () => {
      const { vm, id } = await machine();
      vm.send(2, 300);
      await eventually('its counters', async () => (await ports(id))[0]?.tx_packets === 2);
      ovs.signalSwitch('SIGSTOP');
      try {
        // Each page is made of what is known: none of them waits for the switch, or there would be no end of them.
        await eventually('the switch down', async () => (await up('ovs-vswitchd')) === 0);
        await eventually('numbers too old to show', async () => (await ports(id))[0]?.tx_packets === null);
        expect((await stats(id)).collectors.switch_ports).toMatchObject({ outcome: 'failed', reason: 'timeout' });
      } finally {
        ovs.signalSwitch('SIGCONT');
      }
      vm.send(1, 300);
      await eventually('the switch again', async () => (await ports(id))[0]?.tx_packets === 3);
    });

    it('gives families of the Antrea agent for a bridge of Antrea, and for no other', async () => {
      expect(await matching('antrea_agent_')).toEqual([]);
      const [gateway, pod] = [freshInterfaceName(), freshInterfaceName()];
      ovs.addBridge('br-int', 'protocols=OpenFlow10,OpenFlow15');
      for (const name of [gateway, pod]) namespace.run('ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap');
      ovs.vsctl('add-port', 'br-int', gateway, '--', 'set', 'Port', gateway, 'external_ids:antrea-type=gateway');
      ovs.vsctl('add-port', 'br-int', pod, '--', 'set', 'Port', pod, 'external_ids:antrea-type=container', 'external_ids:container-id=c1');
      ovs.ofctl('add-flow', 'br-int', 'table=10,actions=drop');
      ovs.ofctl('--protocols=OpenFlow15', 'add-meter', 'br-int', 'meter=256,pktps,burst,stats,band=type=drop,rate=1,burst_size=1');
      await eventually(
        'its flows',
        async () => (await agent.sample('antrea_agent_ovs_flow_count{table_id="10",table_name="table10"}')) === 1,
      );
      const total = /flow_count=(\d+)/.exec(ovs.ofctl('dump-aggregate', 'br-int'))?.[1];

      expect(await agent.sample('antrea_agent_ovs_total_flow_count')).toBe(Number(total));
      expect(await agent.sample('antrea_agent_local_pod_count')).toBe(1);
      expect(await agent.sample('antrea_agent_ovs_meter_packet_dropped_count{meter_id="PacketInMeterNetworkPolicy"}')).toBe(0);
      ovs.vsctl('del-br', 'br-int');
      await eventually('none any more', async () => (await matching('antrea_agent_')).length === 0);
    });
  },
);
