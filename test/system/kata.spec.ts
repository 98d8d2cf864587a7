import { afterAll, beforeAll, expect, it } from 'vitest';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { CUT_SECONDS, freshId, GUEST_MIB, KATA_NEEDS, KataHost, podOf, TAP } from './kata-host.js';
import { describeWith } from './needs.js';
import { hostInterfaces } from './network-namespace.js';

// Agent: root, CAP_SYS_PTRACE for io and descriptors. The test: CAP_NET_ADMIN for taps, CAP_SYS_ADMIN for namespaces.
describeWith('the numbers of Kata sandboxes', KATA_NEEDS, () => {
  const belongings = new Belongings();
  let host: KataHost;

  beforeAll(async () => {
    host = await KataHost.start(belongings, 5);
  });
  afterAll(() => belongings.release());

  it('have every number of their processes, which have their roles', async () => {
    const network = host.takeNetwork();
    const { id, shim, vmm, virtiofsd, pod } = await host.startGo(network);
    const worker = await eventually('its worker', () => host.childOf(virtiofsd));

    expect(await host.rolesOf(id)).toEqual({ shim, vmm, virtiofsd: worker });
    expect(await host.detail(id)).toMatchObject({ name: pod.name, source: 'kata', hypervisor: 'qemu', sandbox: { runtime: 'go', pod } });
    expect((await host.agent.detail(pod.name)).id).toBe(id);
    await host.agree(
      id,
      () =>
        new Map([
          ...host.files.ofProcess('shim', shim),
          ...host.files.ofProcess('hypervisor', vmm),
          ...host.files.ofProcess('virtiofsd', worker),
        ]),
    );
  });

  it('have the interfaces of their own network namespace, and none of the host’s', async () => {
    const network = host.takeNetwork();
    const { id, vmm } = await host.startGo(network);
    network.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer');
    network.run('ip', 'link', 'set', 'eth0-peer', 'up');
    network.raise('eth0', 1);
    network.raise(TAP, 2);
    network.sendDatagrams(1, 9, 700);
    network.run('bash', '-c', 'exec 3>/dev/udp/127.0.0.1/9; for i in 1 2 3; do printf x >&3; done');
    await host.agree(
      id,
      () =>
        new Map([
          ...host.files.interfaces('kata_shim_netdev', `${vmm}/net/dev`),
          ...host.files.interfaces('kata_hypervisor_netdev', `${vmm}/net/dev`),
        ]),
    );

    const found = await host.series(id, /_netdev$/);
    const names = new Set([...found.keys()].map((name) => /interface="([^"]*)"/.exec(name)?.[1]));
    expect([...names].sort()).toEqual(['eth0', 'eth0-peer', 'lo', TAP]);
    expect(found.get('kata_shim_netdev{interface="eth0",item="sent_bytes"}')).toBe(9 * 742);
    expect(found.get('kata_shim_netdev{interface="eth0",item="sent_packets"}')).toBe(network.counters('eth0').tx.packets);
    expect(found.get('kata_shim_netdev{interface="lo",item="recv_bytes"}')).toBe(network.counters('lo').rx.bytes);
    const others = hostInterfaces().filter((name) => name !== 'lo' && !names.has(name));
    const seen = new Set([...(await host.page()).values()].flatMap(({ samples }) => samples.map(({ labels }) => labels.get('interface'))));
    for (const name of others) expect(seen).not.toContain(name);
  });

  it('have the traffic of their tap in both directions, as the host sees it and as the guest does', async () => {
    const network = host.takeNetwork();
    const id = freshId();
    const shimProcess = await host.startShim(id);
    const [shim] = await shimProcess.tell('pid');
    // No child of the shim: known by Kata's file, its argument and its owner.
    const vmmProcess = await host.startInside(
      'cloud-hypervisor',
      ['--api-socket', `/run/vc/vm/${id}/clh-api.sock`],
      ['kvm 1', `network ${network.path}`, `tap ${TAP}`],
    );
    const [vmm] = await vmmProcess.tell('pid');
    network.raise(TAP, 3);
    host.tree.go({ id, shim, kind: 'clh', vmm, netns: network.path, pod: podOf(id) });
    await host.isRunning(id, vmm);
    network.sendDatagrams(3, 7, 1000);
    expect(await vmmProcess.tell('send 5 300')).toEqual([5]);
    const [frames, bytes] = await vmmProcess.tell('drain');
    await eventually('the traffic', async () => (await host.agent.stats(id)).network_tx_bytes === 5 * 300);

    expect({ frames, bytes }).toEqual({ frames: 7, bytes: 7 * 1042 });
    expect(await host.agent.stats(id)).toMatchObject({ network_rx_bytes: bytes, network_tx_bytes: 1500 });
    const found = await host.series(id, /^kata_(shim|hypervisor)_netdev$/);
    for (const family of ['kata_shim_netdev', 'kata_hypervisor_netdev']) {
      expect(found.get(`${family}{interface="${TAP}",item="recv_bytes"}`)).toBe(1500);
      expect(found.get(`${family}{interface="${TAP}",item="sent_bytes"}`)).toBe(bytes);
    }
  });

  it('have an overhead that is what /proc says of their processes', async () => {
    const { id, shim, shimProcess, vmm, virtiofsd } = await host.startGo(host.takeNetwork(), ['grow 20']);
    const worker = await eventually('its worker', () => host.childOf(virtiofsd));
    await shimProcess.tell('burn 600');
    const isRam = (path: string): boolean => path.startsWith('/memfd:');
    const seconds = (component: string) => `vmgauge_sandbox_overhead_cpu_seconds_total{component="${component}"}`;
    const found = await eventually('two readings after that', async () => {
      const now = await host.series(id, /./);
      return (now.get(seconds('shim')) ?? 0) >= 0.6 - CUT_SECONDS && (now.get(seconds('virtiofsd')) ?? 0) >= 0.5 - CUT_SECONDS && now;
    });
    const own = [shim, vmm, virtiofsd, worker].map((pid) => host.files.residentWithout(pid, isRam));
    const memory = found.get('kata_shim_pod_overhead_memory_in_bytes') ?? Number.NaN;

    // The kernel's counters per process lag its page tables by some pages a CPU.
    expect(Math.abs(memory - own.reduce((sum, bytes) => sum + bytes, 0))).toBeLessThan(2 << 20);
    expect(own[0]).toBeGreaterThan(20 << 20);
    expect(found.get('vmgauge_sandbox_guest_ram_backed_bytes')).toBeGreaterThanOrEqual(GUEST_MIB << 20);
    expect(found.get('vmgauge_sandbox_guest_ram_backed_bytes')).toBeLessThan((GUEST_MIB + 8) << 20);
    const threads = host.files.threads(vmm);
    const vcpus = threads.filter(({ name }) => /^CPU \d\/KVM$/.test(name));
    expect(vcpus).toHaveLength(2);
    expect(found.get(seconds('vmm'))).toBeLessThanOrEqual(threads.reduce((sum, { ticks }) => sum + ticks, 0) / 100);
    expect(found.get(seconds('shim'))).toBeLessThanOrEqual(host.files.ticks(shim) / 100);
    const idle = await eventually('a window without work', async () => {
      const percent = (await host.series(id)).get('kata_shim_pod_overhead_cpu');
      return percent !== undefined && percent < 20 && { percent };
    });
    expect(idle.percent).toBeGreaterThanOrEqual(0);
    const working = shimProcess.tell('burn 3000');
    await eventually('a window with work', async () => ((await host.series(id)).get('kata_shim_pod_overhead_cpu') ?? 0) > 20);
    await working;
  });

  it('are known as Dragonball by their threads, whose namespace is not that of the shim’s first', async () => {
    const network = host.takeNetwork();
    const id = freshId();
    const shimProcess = await host.startShim(id, [
      ...['kvm 2', `network ${network.path}`, `tap ${TAP}`, 'network /proc/1/ns/net'],
      ...[`thread vmm_master ${network.path} 300`, `thread db_vcpu0 ${network.path} 700`, `thread db_vcpu1 ${network.path} 500`],
    ]);
    const [shim] = await shimProcess.tell('pid');
    network.raise(TAP, 4);
    host.tree.rust({ id, shim, kind: 'dragonball', netns: network.path, pod: podOf(id) });
    await host.isRunning(id, shim);
    await shimProcess.tell('send 6 250');
    const master = host.files.threads(shim).find(({ name }) => name === 'vmm_master')?.tid;
    await host.agree(
      id,
      () =>
        new Map([...host.files.ofProcess('shim', shim), ...host.files.interfaces('kata_shim_netdev', `${shim}/task/${master}/net/dev`)]),
    );
    const found = await eventually('two readings of its threads', async () => {
      const now = await host.series(id, /./);
      return now.has('vmgauge_sandbox_vcpu_seconds_total') && now;
    });

    expect(await host.detail(id)).toMatchObject({ hypervisor: 'dragonball', sandbox: { runtime: 'rust', vmm_in_shim: true } });
    expect(await host.rolesOf(id)).toEqual({ vmm: shim, shim });
    expect([...found.keys()].filter((name) => /^kata_(hypervisor|virtiofsd)/.test(name))).toEqual([]);
    expect(found.get(`kata_shim_netdev{interface="${TAP}",item="recv_bytes"}`)).toBe(1500);
    expect(host.files.interfaceNames(`${shim}/net/dev`)).toEqual(expect.arrayContaining(hostInterfaces()));
    expect(found.get('vmgauge_sandbox_vcpu_seconds_total')).toBeGreaterThanOrEqual(1.2 - 2 * CUT_SECONDS);
    const beside = found.get('vmgauge_sandbox_overhead_cpu_seconds_total{component="shim"}') ?? Number.NaN;
    expect(beside).toBeGreaterThanOrEqual(0.3 - CUT_SECONDS);
    expect(beside).toBeLessThan(1.2);
  });
});
