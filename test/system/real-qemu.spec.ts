import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { type Child, startTicksOf } from './child.js';
import { BASICS, compiler, describeWith, iproute, kvm, procps, qemu, tun } from './needs.js';
import { freshInterfaceName, hostCounters } from './network-namespace.js';
import { readPs } from './ps-reading.js';
import { IDLE_MACHINE, QEMU, startIdleQemu, startQemu } from './real-qemu.js';
import { StandInPrograms } from './stand-in.js';

// Agent: root. It needs CAP_SYS_PTRACE for the descriptors of other users' processes; permissions.spec.ts has it without root.
describeWith('a real QEMU under KVM', [...BASICS, builtAgent, qemu, kvm, tun, compiler, iproute, procps], () => {
  const belongings = new Belongings();
  const uuid = randomUUID();
  const tap = freshInterfaceName();
  let programs: StandInPrograms;
  let agent: AgentProcess;
  let plain: Child;
  let socket: string;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    socket = join(programs.directory, 'qmp.sock');
    agent = await AgentProcess.start(belongings);
    plain = await startQemu(
      belongings,
      [
        ...IDLE_MACHINE,
        ...['-name', `guest=plain-${uuid},debug-threads=on`, '-uuid', uuid, '-smp', '2,sockets=2,maxcpus=4', '-m', '96'],
        ...['-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no`],
        ...['-device', 'virtio-net-pci,netdev=net0,mac=52:54:00:12:34:56'],
        ...['-qmp', `unix:${socket},server=on,wait=off`],
      ],
      { socket },
    );
  });
  afterAll(() => belongings.release());

  it('is listed by the next look at the host', async () => {
    await agent.rescanned();

    expect((await agent.list()).find(({ id }) => id === uuid)).toMatchObject({
      name: `plain-${uuid}`,
      source: 'host',
      hypervisor: 'qemu',
      state: 'running',
      pid: plain.pid,
      allocated: { vcpus: 2, memory_bytes: 96 << 20 },
    });
  });

  it('is described by its argv and its descriptors', async () => {
    const detail = await agent.detail(uuid);

    expect(detail).toMatchObject({
      uuid,
      generation: 1,
      processes: [{ pid: plain.pid, start_ticks: startTicksOf(plain.pid), executable: QEMU, uid: 0 }],
      sockets: [socket],
    });
    expect(detail.interfaces).toMatchObject([{ kind: 'tap', name: tap, device: 'net0' }]);
  });

  it('started when ps says', async () => {
    const before = Date.now();
    const { elapsedSeconds } = readPs(plain.pid);
    const startedAt = Date.parse((await agent.detail(uuid)).started_at ?? '');

    // ps cuts to whole seconds, and so does the boot time both count from.
    expect(startedAt).toBeGreaterThan(before - (elapsedSeconds + 2) * 1000);
    expect(startedAt).toBeLessThan(before - (elapsedSeconds - 1) * 1000);
  });

  it('has the numbers that ps and ip see', async () => {
    const before = { ps: readPs(plain.pid), link: hostCounters(tap) };
    const stats = await agent.stats(uuid);
    const after = { ps: readPs(plain.pid), link: hostCounters(tap) };

    expect(stats.memory_rss_bytes).toBeGreaterThanOrEqual(Math.min(before.ps.rss, after.ps.rss) * 1024);
    expect(stats.memory_rss_bytes).toBeLessThanOrEqual(Math.max(before.ps.rss, after.ps.rss) * 1024);
    expect(stats.memory_vms_bytes).toBeGreaterThanOrEqual(Math.min(before.ps.vsz, after.ps.vsz) * 1024);
    expect(stats.memory_vms_bytes).toBeLessThanOrEqual(Math.max(before.ps.vsz, after.ps.vsz) * 1024);
    expect(stats.cpu_seconds).toBeGreaterThanOrEqual(before.ps.cpuSeconds);
    expect(stats.cpu_seconds).toBeLessThan(after.ps.cpuSeconds + 1);
    expect(stats.cpu_seconds).toBeGreaterThan(0);
    expect(stats.process.threads).toBeGreaterThanOrEqual(Math.min(before.ps.threads, after.ps.threads));
    expect(stats.process.threads).toBeLessThanOrEqual(Math.max(before.ps.threads, after.ps.threads));
    expect(stats.network_rx_bytes).toBeGreaterThanOrEqual(before.link.tx.bytes);
    expect(stats.network_rx_bytes).toBeLessThanOrEqual(after.link.tx.bytes);
    expect(stats.network_tx_bytes).toBe(0);
  });

  it('has every collector that applies to it ok', async () => {
    const { collectors } = await agent.stats(uuid);
    const words = Object.entries(collectors).filter(([, { outcome }]) => outcome !== 'ok');

    // It is in the host's namespace and in no cgroup of its own; vhost-net is off; delays are not counted and nothing is traced; smaps is only
    // read when asked for; its monitor is not for the agent.
    expect(words.map(([name, { reason }]) => `${name} ${reason}`).toSorted()).toEqual([
      'block_io_delay not_configured',
      'cgroup not_configured',
      'cgroup_io not_configured',
      'instance_conntrack unsupported',
      'latency not_configured',
      'memory_breakdown not_configured',
      'pressure not_configured',
      'pss not_configured',
      'resources not_configured',
      'vhost not_configured',
      'vmm not_configured',
    ]);
  });

  it('is found as libvirt starts it, with descriptors handed over and JSON in argv', async () => {
    const ownTap = freshInterfaceName();
    const ownUuid = randomUUID();
    const monitor = join(programs.directory, 'monitor.sock');
    const child = await startQemu(
      belongings,
      [
        ...['-name', `guest=libvirt-${ownUuid},debug-threads=on`, '-S', '-machine', 'pc,usb=off,accel=kvm,dump-guest-core=off'],
        ...['-m', 'size=65536k,slots=4,maxmem=1048576k', '-overcommit', 'mem-lock=off', '-smp', '3,maxcpus=8,sockets=8,cores=1,threads=1'],
        ...['-uuid', ownUuid, '-no-user-config', '-nodefaults', '-display', 'none'],
        ...['-chardev', 'socket,id=charmonitor,fd=28,server=on,wait=off', '-mon', 'chardev=charmonitor,id=monitor,mode=control'],
        ...['-netdev', '{"type":"tap","fd":"31","id":"hostnet0"}'],
        ...['-device', '{"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0","mac":"52:54:00:ab:cd:ef"}'],
      ],
      { through: [programs.launcher, 'open', '31', ownTap, '28', monitor, '--', QEMU], socket: monitor },
    );
    const detail = await agent.find(child.pid);

    expect(detail).toMatchObject({
      id: ownUuid,
      name: `libvirt-${ownUuid}`,
      hypervisor: 'qemu',
      allocated: { vcpus: 3, memory_bytes: 64 << 20 },
      sockets: [monitor],
    });
    expect(detail.interfaces).toMatchObject([{ kind: 'tap', name: ownTap, mac: '52:54:00:ab:cd:ef' }]);
    expect((await agent.stats(ownUuid)).network.interfaces).toMatchObject([{ name: ownTap, outcome: 'ok' }]);
  });

  it('is found under emulation too, where no KVM descriptor shows it', async () => {
    const { child, uuid: ownUuid } = await startIdleQemu(belongings, ['-accel', 'tcg']);

    expect(await agent.find(child.pid)).toMatchObject({ id: ownUuid, hypervisor: 'qemu', allocated: { vcpus: 1, memory_bytes: 64 << 20 } });
  });

  it('has no interface and says why where its NIC is on the user-mode network', async () => {
    const { child, uuid: ownUuid } = await startIdleQemu(belongings, ['-netdev', 'user,id=n', '-device', 'virtio-net-pci,netdev=n']);
    await agent.find(child.pid);
    const stats = await agent.stats(ownUuid);

    expect(stats).toMatchObject({ network_rx_bytes: null, network_tx_bytes: null });
    expect(stats.collectors.network).toMatchObject({ outcome: 'absent', reason: 'unsupported' });
    expect(await agent.sample(`hypeman_vm_network_rx_bytes_total{instance_id="${ownUuid}",instance_name="${ownUuid}"}`)).toBeUndefined();
  });
});
