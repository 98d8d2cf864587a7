import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent, PROGRAM } from './agent-process.js';
import { Belongings } from './belongings.js';
import { type Child, startTicksOf } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm, qemu, tun, works } from './needs.js';
import { freshInterfaceName } from './network-namespace.js';
import { startIdleQemu } from './real-qemu.js';
import { StandInPrograms } from './stand-in.js';
import type { Stats } from './stats-document.js';

/** nobody of Debian: owns nothing. */
const USER = 65534;
const asNobody = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', '--pdeathsig', 'KILL'];
/** What the README and the unit file say is enough. */
const CAPABILITIES = '+sys_ptrace,+dac_read_search';
const asCapable = [...asNobody, `--inh-caps=${CAPABILITIES}`, `--ambient-caps=${CAPABILITIES}`];
/**
 * Absent whoever asks: vhost-net is off, smaps is only read when asked for, this QEMU has no monitor and its threads no names of vCPUs (which
 * debugfs tells where it is mounted). It shares its cgroup with us, the kernel counts delays only when told to, and nothing is traced here.
 */
const NOT_ASKED = [
  ...['vhost', 'pss', 'memory_breakdown', 'vmm', 'vcpus', 'kvm'],
  ...['cgroup', 'cgroup_io', 'resources', 'pressure', 'block_io_delay', 'latency'],
];

const mayRun = works('another user cannot run the agent here', [...asNobody, '--', process.execPath, PROGRAM, '--version']);
const mayHand = works('capabilities cannot be handed over here', [...asCapable, '--', 'true']);

const notOk = ({ collectors }: Stats): string[] =>
  Object.entries(collectors).flatMap(([name, { outcome, reason }]) =>
    outcome === 'ok' || NOT_ASKED.includes(name) ? [] : [`${name} ${reason}`],
  );

// Each agent here says what it needs: a capability, the same user, or nothing.
describeWith('rights of the agent', [...BASICS, builtAgent, qemu, kvm, tun, compiler, mayRun, mayHand], () => {
  const belongings = new Belongings();
  const tap = freshInterfaceName();
  let programs: StandInPrograms;
  let rootsVm: Child;
  let uuid: string;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    ({ child: rootsVm, uuid } = await startIdleQemu(belongings, [
      ...['-netdev', `tap,id=n,ifname=${tap},script=no,downscript=no`, '-device', 'virtio-net-pci,netdev=n,romfile='],
    ]));
  });
  afterAll(() => belongings.release());

  const settled = (agent: AgentProcess, id: string): Promise<Stats> =>
    eventually('all collectors of the instance', async () => {
      const stats = await agent.stats(id);
      return Object.values(stats.collectors).every(({ reason }) => reason !== 'busy') && stats;
    });

  it('CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are enough for everything of a QEMU of root', async () => {
    const agent = await AgentProcess.start(belongings, { through: [...asCapable, '--'] });
    await agent.find(rootsVm.pid);
    const stats = await settled(agent, uuid);

    // It tracks its connections in the namespace of the host, as everybody there does.
    expect(notOk(stats)).toEqual(['instance_conntrack unsupported']);
    expect(stats.process.fds).toBeGreaterThan(0);
    expect(stats.process.io.rchar_bytes).toBeGreaterThan(0);
    expect(await agent.detail(uuid)).toMatchObject({ interfaces: [{ name: tap }], processes: [{ uid: 0 }] });
    expect(await agent.sample('vmgauge_discovery_unreadable_processes')).toBe(0);
  });

  it('none at all shows no VM of others and says how many processes it could not look at', async () => {
    const agent = await AgentProcess.start(belongings, { through: [...asNobody, '--'] });
    await agent.rescanned();

    expect((await agent.list()).map(({ id }) => id)).not.toContain(uuid);
    expect(await agent.sample('vmgauge_discovery_unreadable_processes')).toBeGreaterThan(0);
  });

  it('none at all still gives what is public of a registered QEMU of root, the rest as not_permitted and never as 0', async () => {
    const [id, registered] = [randomUUID(), join(programs.directory, 'instances.json')];
    const entry = { id, hypervisor: 'qemu', pid: rootsVm.pid, start_ticks: startTicksOf(rootsVm.pid), vcpus: 1, memory_bytes: 64 << 20 };
    writeFileSync(registered, JSON.stringify({ instances: [entry] }));
    const agent = await AgentProcess.start(belongings, { through: [...asNobody, '--'], flags: { 'source.file.path': registered } });
    const stats = await settled(agent, id);

    expect(stats.state).toBe('running');
    expect(notOk(stats)).toEqual([
      ...['descriptors', 'io', 'network', 'interfaces'].map((name) => `${name} not_permitted`),
      'instance_conntrack unsupported',
    ]);
    expect(stats.cpu_seconds).toBeGreaterThan(0);
    expect(stats.memory_rss_bytes).toBeGreaterThan(0);
    expect(stats).toMatchObject({
      network_rx_bytes: null,
      network_tx_bytes: null,
      process: { fds: null, io: { rchar_bytes: null, write_bytes: null } },
    });
    const text = await agent.read('/metrics');
    for (const family of ['open_fds', 'process_io_bytes_total', 'process_io_storage_bytes_total', 'network_receive_bytes_total']) {
      expect(text).not.toMatch(new RegExp(`^vmgauge_vm_${family}\\{.*${id}`, 'm'));
    }
    expect(text).not.toMatch(new RegExp(`^hypeman_vm_network_.*${id}`, 'm'));
    expect(text).toMatch(new RegExp(`^hypeman_vm_cpu_seconds_total\\{instance_id="${id}"`, 'm'));
    for (const collector of ['io', 'descriptors']) {
      const labels = `instance_id="${id}",collector="${collector}",outcome="absent",reason="not_permitted"`;
      expect(await agent.sample(`vmgauge_collector_outcome{${labels}}`)).toBe(1);
    }
  });

  it('none at all gives the network of a registered QEMU of root where the registration names the tap', async () => {
    const [id, registered] = [randomUUID(), join(programs.directory, 'instances.yaml')];
    const lines = [`- id: ${id}`, `  pid: ${rootsVm.pid}`, `  start_ticks: ${startTicksOf(rootsVm.pid)}`, `  interfaces: [{name: ${tap}}]`];
    writeFileSync(registered, `instances:\n${lines.join('\n')}\n`);
    const agent = await AgentProcess.start(belongings, { through: [...asNobody, '--'], flags: { 'source.file.path': registered } });
    const stats = await settled(agent, id);

    expect(stats.network.interfaces).toMatchObject([{ name: tap, outcome: 'ok', rx_bytes: expect.any(Number) }]);
    expect(stats.collectors.network.outcome).toBe('ok');
  });

  it('a wrong start time makes a registration of a pid worth nothing', async () => {
    const [id, registered] = [randomUUID(), join(programs.directory, 'stale.json')];
    writeFileSync(registered, JSON.stringify({ instances: [{ id, pid: rootsVm.pid, start_ticks: startTicksOf(rootsVm.pid) - 1 }] }));
    const agent = await AgentProcess.start(belongings, { flags: { 'source.file.path': registered } });

    expect(await agent.detail(id)).toMatchObject({ state: 'stopped', pid: null, processes: [] });
    expect(await agent.stats(id)).toMatchObject({ cpu_seconds: null, memory_rss_bytes: null });
    expect(await agent.detail(uuid)).toMatchObject({ pid: rootsVm.pid });
  });

  it('none at all are needed for a QEMU of the same user', async () => {
    const { child, uuid: own } = await startIdleQemu(
      belongings,
      ['-accel', 'tcg', '-netdev', 'user,id=n', '-device', 'virtio-net-pci,netdev=n'],
      {
        through: [...asNobody, '--'],
      },
    );
    const agent = await AgentProcess.start(belongings, { through: [...asNobody, '--'] });
    await agent.find(child.pid);
    const stats = await settled(agent, own);

    expect(notOk(stats)).toEqual(['network', 'interfaces', 'instance_conntrack'].map((name) => `${name} unsupported`));
    expect(stats.process.fds).toBeGreaterThan(0);
    expect(stats.process.io.rchar_bytes).toBeGreaterThan(0);
    expect(await agent.detail(own)).toMatchObject({ processes: [{ uid: USER }] });
  });
});
