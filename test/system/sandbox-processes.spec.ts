import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { descriptorsHeld } from '../../src/host/held.js';
import { Host } from '../../src/host/host.js';
import { Outcome } from '../../src/model/outcome.js';
import { House } from '../house.js';
import { SandboxView } from '../sandbox-proc.js';
import { Belongings } from './belongings.js';
import { Child, startTicksOf } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith, iproute, kvm, qemu, tun } from './needs.js';
import { NetworkNamespace } from './network-namespace.js';
import { IDLE_MACHINE, startQemu } from './real-qemu.js';

const MIB = 1024 * 1024;
const RAM_MIB = 96;
const TAP = 'tap0_kata';
const SUBNET = 77;

const text = (path: string): string => readFileSync(`/proc/${path}`, 'latin1');
/** A memory line of /proc/<pid>/status in bytes. */
const status = (pid: number, key: string): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text(`${pid}/status`))?.[1]) * 1024;
/** Fields 14 and 15 of a stat, clock ticks. */
const ticks = (path: string): number => {
  const line = text(`${path}/stat`);
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
};
const threadsOf = (pid: number): { name: string; path: string }[] =>
  readdirSync(`/proc/${pid}/task`).map((id) => ({ name: text(`${pid}/task/${id}/comm`).trim(), path: `${pid}/task/${id}` }));

/** QEMU keeps guest RAM in one of two ways; `-S` leaves it untouched, so it is filled beforehand. */
const MEMORY = [
  ['on a shared memfd', ['-M', 'pc,memory-backend=ram', '-object', `memory-backend-memfd,id=ram,size=${RAM_MIB}M,share=on,prealloc=on`]],
  ['that is private and anonymous', ['-mem-prealloc']],
] as const;

// Processes that stand where a shim, a VMM and a virtiofsd stand; who they are is told, what they are is read.
for (const [how, memory] of MEMORY)
  describeWith(`a sandbox with guest RAM ${how}`, [...BASICS, qemu, kvm, tun, iproute], () => {
    const belongings = new Belongings();
    const house = new House(new Host());
    const view = new SandboxView(house);
    let namespace: NetworkNamespace;
    let vmm: Child;
    let shim: Child;
    let virtiofsd: Child;
    let heldBefore: number;

    beforeAll(async () => {
      heldBefore = descriptorsHeld();
      belongings.own(() => house.close());
      namespace = new NetworkNamespace(belongings);
      const net = ['-netdev', `tap,id=n,ifname=${TAP},script=no,downscript=no`, '-device', 'virtio-net-pci,netdev=n,romfile='];
      const id = randomUUID();
      vmm = await startQemu(
        belongings,
        [...IDLE_MACHINE, '-name', `sandbox-${id},debug-threads=on`, '-m', String(RAM_MIB), '-smp', '2', ...memory, ...net],
        { through: namespace.entrance },
      );
      // A shim that works: the shell turns in a circle.
      shim = await Child.start(['sh', '-c', 'while :; do :; done']);
      virtiofsd = await Child.start(['sh', '-c', 'sleep 600 & wait']);
      for (const child of [shim, virtiofsd]) belongings.own(() => child.kill());
      await eventually(
        'guest RAM to be filled',
        () => status(vmm.pid, 'VmHWM') > RAM_MIB * MIB && threadsOf(vmm.pid).some(({ name }) => name === 'CPU 1/KVM'),
      );
      house.settings.slowIntervalMs = 0;
      house.settings.waitIntervalMs = 0;
      house.told.records = [
        {
          id,
          hypervisor: 'qemu',
          process: { pid: vmm.pid },
          memoryBytes: RAM_MIB * MIB,
          sandbox: { vmmInShim: false },
          companions: [
            { role: 'shim', pid: shim.pid, startTicks: startTicksOf(shim.pid) },
            { role: 'virtiofsd', pid: virtiofsd.pid, startTicks: startTicksOf(virtiofsd.pid) },
          ],
        },
      ];
    });
    afterAll(async () => {
      await belongings.release();
      expect(descriptorsHeld()).toBe(heldBefore);
    });

    /** A turn of every collector, with what the agent does off the sweep. */
    async function turn(): Promise<void> {
      await house.turn();
      const [instance] = house.registry.all();
      for (const state of house.sampler.active) if (state.collector.collectDetached) await house.sampler.collectDetached(state, instance);
      await house.turn();
    }
    const cell = (place: string): number => view.cell(`shim.${place}`);

    it('has the CPU time, sizes and limits that the kernel tells of each process', async () => {
      const before = ticks(String(shim.pid));
      await turn();
      expect(cell('cpu.total_seconds')).toBeGreaterThanOrEqual(before);
      expect(cell('cpu.total_seconds')).toBeLessThanOrEqual(ticks(String(shim.pid)));
      for (const [place, pid] of [
        ['', shim.pid],
        ['hypervisor.', vmm.pid],
        ['virtiofsd.', virtiofsd.pid],
      ] as const) {
        // QEMU goes on touching its heap for a while.
        await eventually(`the memory of ${pid} to be read while it stays`, async () => {
          await turn();
          return cell(`${place}status.anon_bytes`) === status(pid, 'RssAnon');
        });
        expect(cell(`${place}threads`)).toBe(threadsOf(pid).length);
        expect(cell(`${place}open_fds`)).toBe(readdirSync(`/proc/${pid}/fd`).length);
        expect(cell(`${place}status.executable_bytes`)).toBe(status(pid, 'VmExe'));
        expect(cell(`${place}io.rchar_bytes`)).toBe(Number(/^rchar: (\d+)$/m.exec(text(`${pid}/io`))?.[1]));
      }
      expect(cell('max_fds')).toBe(Number(/^Max open files +(\d+)/m.exec(text(`${shim.pid}/limits`))?.[1]));
      expect(cell('memory.virtual_max_bytes')).toBe(2 ** 64);
    });

    it('has the interfaces of its namespace and none of the host’s', async () => {
      namespace.raise(TAP, SUBNET);
      const before = namespace.counters(TAP);
      namespace.sendDatagrams(SUBNET, 20, 500);
      await turn();
      const { order, columns } = house.tables.sandboxInterfaces;
      expect(order.keys.map(({ name }) => name)).toEqual(['lo', TAP]);
      const of = (item: string): number => columns.find(({ metric }) => metric.json === item)?.front[order.rows[1]] ?? Number.NaN;
      const { rx, tx } = namespace.counters(TAP);
      expect([of('sent_bytes'), of('sent_packets'), of('recv_bytes'), of('recv_packets')]).toEqual([
        tx.bytes,
        tx.packets,
        rx.bytes,
        rx.packets,
      ]);
      expect(tx.packets + tx.dropped - before.tx.packets - before.tx.dropped).toBeGreaterThan(0);
      namespace.run('ip', 'tuntap', 'add', 'dev', 'eth0', 'mode', 'tap');
      await turn();
      expect(house.tables.sandboxInterfaces.order.keys.map(({ name }) => name)).toEqual(['eth0', 'lo', TAP]);
      namespace.run('ip', 'tuntap', 'delete', 'dev', 'eth0', 'mode', 'tap');
      await turn();
      expect(house.tables.sandboxInterfaces.order.keys.map(({ name }) => name)).toEqual(['lo', TAP]);
    });

    it('costs the CPU of its shim and of the VMM without vCPUs', async () => {
      await eventually('a share of the shim', async () => {
        await turn();
        return view.outcome('pod_overhead_cpu') === Outcome.ok && cell('overhead.shim_cpu_percent') > 0;
      });
      const own = threadsOf(vmm.pid).filter(({ name }) => !/^CPU \d\/KVM$/.test(name));
      expect(cell('overhead.shim_cpu_seconds')).toBeLessThanOrEqual(ticks(String(shim.pid)));
      expect(cell('overhead.vmm_cpu_seconds')).toBeLessThanOrEqual(own.reduce((sum, { path }) => sum + ticks(path), 0) + 100);
      expect(cell('overhead.cpu_percent')).toBeGreaterThanOrEqual(cell('overhead.shim_cpu_percent'));
      expect(cell('overhead.vcpu_cpu_percent')).toBeGreaterThanOrEqual(0);
    });

    it('costs the memory of its processes without guest RAM', async () => {
      await turn();
      const anonAndFile = (pid: number): number => status(pid, 'RssAnon') + status(pid, 'RssFile');
      const [sleep] = text(`${virtiofsd.pid}/task/${virtiofsd.pid}/children`).trim().split(' ').map(Number);
      expect(cell('overhead.shim_memory_bytes')).toBe(anonAndFile(shim.pid));
      expect(cell('overhead.virtiofsd_memory_bytes')).toBe(anonAndFile(virtiofsd.pid) + anonAndFile(sleep));
      expect(cell('overhead.guest_ram_backed_bytes')).toBe(RAM_MIB * MIB);
      // status counts pages in batches per thread; smaps walks them.
      const allOfVmm = status(vmm.pid, 'VmRSS');
      expect(Math.abs(cell('overhead.vmm_memory_bytes') + RAM_MIB * MIB - allOfVmm)).toBeLessThan(2 * MIB);
      const parts = ['shim', 'vmm', 'virtiofsd'].reduce((sum, part) => sum + cell(`overhead.${part}_memory_bytes`), 0);
      expect(cell('overhead.memory_bytes')).toBe(parts);
    });

    it('holds one descriptor beyond those of its three processes', async () => {
      await turn();
      // Each process: its directory, stat, io and fd, of the VMM statm as well; and the namespace.
      // And one for each level of the VMM's cgroup, of which machines have more or fewer.
      expect(descriptorsHeld() - heldBefore - cgroupFilesHeld()).toBe(3 * 4 + 1 + 1);
      expect(house.defects).toEqual([]);
    });
  });

function cgroupFilesHeld(): number {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // That of the listing itself.
      return [];
    }
  });
  return links.filter((link) => /\/cpu\.stat(\.local)?$/.test(link)).length;
}
