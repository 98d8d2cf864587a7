import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OvsObserver } from '../../src/modules/network/ovs/observer.js';
import { Agent, type AgentOptions } from './agent.js';
import { story } from './stories.js';
import { type ParsedFamily, parseStrictly } from './strict-exposition.js';
import { SwitchedVms } from './switched-vms.js';

const LONG_MS = 60_000;
/** With a tap at Antrea's bridge. */
const WEB = '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11';
/** At a plain bridge, by what libvirt wrote. */
const EXPORTED = '3f0c6a1e-0000-4000-8000-0123456789ab';
const PASSED = 'antrea_agent_local_pod_count{node="n1",upstream="antrea-agent"} 271';

let world: SwitchedVms;
let agent: Agent;
beforeEach(async () => {
  world = await SwitchedVms.start();
});
afterEach(() => agent.stop());

async function start(options: AgentOptions = {}): Promise<void> {
  agent = await Agent.of({ ...story('switched-vms'), world: async () => world }, options);
  await agent.sweep();
}

type Page = ReadonlyMap<string, ParsedFamily>;
const pageOf = async (path = '/metrics'): Promise<Page> => parseStrictly(await agent.text(path), 'text');
const linesOf = (page: Page, family: RegExp): string[] =>
  [...page].filter(([name]) => family.test(name)).flatMap(([, { samples }]) => samples.map(({ line }) => line));
const families = async (query: string): Promise<string[]> => [...(await pageOf(`/metrics?${query}`)).keys()];
const stats = async (id: string) => JSON.parse(await agent.text(`/instances/${id}/stats`));
const observer = (): OvsObserver => agent.app.get(OvsObserver, { strict: false });
const until = (holds: () => boolean): Promise<unknown> => vi.waitUntil(holds, { timeout: LONG_MS, interval: 5 });

describe('ports of VMs at a virtual switch', () => {
  it('are told with where they are, the same in the document and on the page', async () => {
    await start();
    const info = (await pageOf()).get('vmgauge_vm_switch_port_info');
    const expected = {
      [WEB]: { port: 'vnet0', bridge: 'br-int', interface: 'vnet0', ofport: 3, vlan: null, iface_id: 'vms/virt-launcher-1', link: 1 },
      [EXPORTED]: { port: 'vhu-exp-1', bridge: 'br-vhost', interface: null, ofport: 1, vlan: 42, iface_id: 'port-of-exp-1', link: 0 },
    };
    for (const [id, told] of Object.entries(expected)) {
      const { network, collectors } = await stats(id);
      expect(network.switch_ports).toEqual([expect.objectContaining({ ...told, age_seconds: 5 })]);
      expect(collectors.switch_ports).toMatchObject({ outcome: 'ok' });
      const { link, ...words } = told;
      const labels = Object.fromEntries(Object.entries({ instance_id: id, ...words }).map(([name, value]) => [name, String(value ?? '')]));
      const own = info?.samples.filter((sample) => sample.labels.get('instance_id') === id);
      expect(own?.map((sample) => Object.fromEntries(sample.labels))).toEqual([labels]);
    }
  });

  it('are counted from the side of the guest, and no sum of the instance has them', async () => {
    await start();
    const { network, network_rx_bytes } = await stats(WEB);
    // The switch received 400003 bytes through port 3.
    expect(network.switch_ports[0]).toMatchObject({ tx_bytes: 400_003, rx_bytes: 400_004, tx_drops: 405, rx_drops: 406 });
    expect(network_rx_bytes).toBe(network.interfaces[0].rx_bytes);
    expect(network.interfaces[0]).toMatchObject({ name: 'vnet0', bridge: null });
  });

  it('are on the page of their VM alone, without anything of the host', async () => {
    await start();
    const whole = await pageOf();
    const page = await pageOf(`/instances/${WEB}/metrics`);
    const own = linesOf(whole, /^vmgauge_vm_switch_port_/).filter((line) => line.includes(WEB));
    expect(own).toHaveLength(10);
    expect(linesOf(page, /^vmgauge_vm_switch_port_/)).toEqual(own);
    expect([...page.keys()].filter((name) => /^(vmgauge_(ovs|upstreams?|conntrack|host)_|antrea_)/.test(name))).toEqual([]);
  });

  it('stay known while their bridge is dead, without numbers, and come back with it', async () => {
    await start();
    const alive = await pageOf();
    await world.bridges['br-int'].close();
    await until(() =>
      observer()
        .bridges()
        .some(({ watch }) => !watch.isUp),
    );
    await agent.sweep();

    const dead = await pageOf();
    expect(linesOf(dead, /^vmgauge_ovs_bridge_up$/)).toEqual([
      'vmgauge_ovs_bridge_up{bridge="br-int"} 0',
      'vmgauge_ovs_bridge_up{bridge="br-vhost"} 1',
    ]);
    expect(linesOf(dead, /^vmgauge_ovs_(flow_entries|flow_bytes|table|meter|port)_/).filter((line) => line.includes('br-int'))).toEqual([]);
    expect(linesOf(dead, /^antrea_agent_ovs_(flow_count|total|meter)/)).toEqual([]);
    expect(linesOf(dead, /^vmgauge_vm_switch_port_info$/)).toEqual(linesOf(alive, /^vmgauge_vm_switch_port_info$/));
    expect(linesOf(dead, /^vmgauge_vm_switch_port_receive_bytes_total$/)).toHaveLength(1);
    const { network, collectors } = await stats(WEB);
    expect(network.switch_ports).toMatchObject([{ port: 'vnet0', bridge: 'br-int', rx_bytes: null, link: null }]);
    expect((await stats(EXPORTED)).network.switch_ports).toMatchObject([{ rx_bytes: 700_004 }]);
    expect(collectors.switch_ports).toMatchObject({ outcome: 'absent' });

    await world.reopen('br-int');
    await observer().poll();
    await agent.sweep();
    const again = await pageOf();
    const COUNTED = /^vmgauge_(ovs_(bridge_up|table|meter|port)|vm_switch_port)/;
    expect(linesOf(again, COUNTED)).toEqual(linesOf(alive, COUNTED));
    // What changed meanwhile nobody heard.
    await until(() => observer().bridges()[0].watch.tally?.deleted === 2);
    expect(linesOf(await pageOf(), /^vmgauge_ovs_flow_updates_total$/)).toContain(
      'vmgauge_ovs_flow_updates_total{bridge="br-int",event="missed"} 1',
    );
  });

  it('are told while the database is dead, and that it is', async () => {
    await start();
    const alive = await pageOf();
    await world.database.close();
    await observer().poll();
    await agent.sweep();
    const page = await pageOf();
    expect(linesOf(page, /^vmgauge_ovs_up$/)).toEqual([
      'vmgauge_ovs_up{directory="/run/openvswitch",component="ovs-vswitchd"} 1',
      'vmgauge_ovs_up{directory="/run/openvswitch",component="ovsdb-server"} 0',
    ]);
    expect(linesOf(page, /^vmgauge_vm_switch_port_/)).toEqual(linesOf(alive, /^vmgauge_vm_switch_port_/));
  });
});

describe('groups of the page', () => {
  it.each([
    ['collect[]=switch_ports', /^vmgauge_vm_switch_port_/, 9],
    ['collect[]=ovs', /^vmgauge_ovs_/, 25],
    // Alone they are ours: what an upstream says is another group.
    ['collect[]=antrea', /^antrea_agent_/, 7],
    ['collect[]=upstreams', /^(vmgauge_upstream|antrea_agent_(local_pod|networkpolicy|ovs_flow_ops_latency))/, 14],
  ] as const)('%s has its families and no other', async (query, names, count) => {
    await start();
    const found = await families(query);
    expect(found.filter((name) => !names.test(name))).toEqual([]);
    expect(found).toHaveLength(count);
  });

  it('ovs is left out whole, and costs the ports of VMs nothing', async () => {
    await start();
    const found = await families('exclude[]=ovs');
    expect(found.filter((name) => /^vmgauge_ovs_/.test(name))).toEqual([]);
    expect(found).toContain('vmgauge_vm_switch_port_up');
  });

  it('ovs and all that it feeds are silent where it is off', async () => {
    // Nobody asks the switch then, for whom the story would wait.
    const off = { ...story('switched-vms'), world: async () => Object.assign(world, { settle: async () => undefined }) };
    agent = await Agent.of(off, { settings: { collectors: new Map([['ovs', false]]), upstreams: [] } });
    await agent.sweep();
    expect(world.database.heard).toEqual([]);
    expect((await stats(WEB)).network.switch_ports).toBeNull();
    expect(linesOf(await pageOf(), /^(vmgauge_(ovs|vm_switch_port)|antrea)_/)).toEqual([]);
  });
});

describe('families of Antrea', () => {
  it('are the agent’s where it delivers them, and ours where it does not', async () => {
    await start();
    const page = await pageOf();
    expect(linesOf(page, /^antrea_agent_local_pod_count$/)).toEqual([PASSED]);
    expect(linesOf(page, /^antrea_agent_ovs_total_flow_count$/)).toEqual(['antrea_agent_ovs_total_flow_count 12']);
    const alone = await pageOf('/metrics?exclude[]=upstreams');
    // One pod is a VM.
    expect(linesOf(alone, /^antrea_agent_local_pod_count$/)).toEqual(['antrea_agent_local_pod_count 2']);
  });

  it('are ours again when the agent has said nothing for long', async () => {
    await start();
    await world.antrea.close();
    agent.host.clock.advance(4 * 3_600_000);
    const page = await pageOf();
    expect(linesOf(page, /^antrea_agent_local_pod_count$/)).toEqual(['antrea_agent_local_pod_count 2']);
    expect(linesOf(page, /^antrea_agent_networkpolicy_count$/)).toEqual([]);
  });

  it('are not there where they are not wanted', async () => {
    await start({ settings: { antreaFamilies: 'off', upstreams: [] } });
    expect(linesOf(await pageOf(), /^antrea_/)).toEqual([]);
    expect(linesOf(await pageOf(), /^vmgauge_ovs_meter_packets_total$/)).toHaveLength(4);
  });
});
