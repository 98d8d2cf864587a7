import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { buildGuestImage, guestKernel } from './guest-image.js';
import { BASICS, compiler, describeWith, file, iproute, procps, program, qemu, tun } from './needs.js';
import { freshInterfaceName, type LinkCounters, NetworkNamespace } from './network-namespace.js';
import { readPs } from './ps-reading.js';
import { startQemu } from './real-qemu.js';
import { StandInPrograms } from './stand-in.js';
import type { Stats } from './stats-document.js';

const TO_GUEST_BYTES = 3 << 20;
const FROM_GUEST_BYTES = 1 << 20;
/** Headers and acknowledgements of TCP; the two directions differ by more. */
const OVERHEAD = 1.25;
const MAC = '02:00:00:00:00:01';

// Agent: root. The test: CAP_NET_ADMIN, CAP_SYS_ADMIN. No KVM: under emulation the guest's work is the VMM's CPU time.
describeWith(
  'a guest that boots and talks',
  [
    ...BASICS,
    builtAgent,
    qemu,
    tun,
    iproute,
    procps,
    compiler,
    program('cpio', 'cpio'),
    file('/bin/busybox', 'Debian package busybox-static'),
    guestKernel,
  ],
  () => {
    const belongings = new Belongings();
    const uuid = randomUUID();
    const tap = freshInterfaceName();
    let agent: AgentProcess;
    let namespace: NetworkNamespace;
    let guest: Child;

    /** An order to the guest. @returns what it printed */
    const order = async (text: string): Promise<string> => {
      guest.write(`${text}\n`);
      const printed: string[] = [];
      for (let line = await guest.line(); line.trim() !== 'done'; line = await guest.line()) printed.push(line);
      return printed.join('\n');
    };

    beforeAll(async () => {
      const { directory } = new StandInPrograms(belongings);
      const { kernel, initrd } = buildGuestImage(directory);
      namespace = new NetworkNamespace(belongings);
      agent = await AgentProcess.start(belongings);
      guest = await startQemu(
        belongings,
        [
          ...[
            '-accel',
            'tcg',
            '-uuid',
            uuid,
            '-name',
            'guest=talker',
            '-m',
            '128',
            '-smp',
            '1',
            '-nodefaults',
            '-display',
            'none',
            '-serial',
            'stdio',
          ],
          ...['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1', '-no-reboot'],
          ...['-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no`],
          ...['-device', `virtio-net-pci,netdev=net0,mac=${MAC},romfile=`],
        ],
        { through: namespace.entrance },
      );
      await guest.lineThat(/^guest ready/);
      namespace.raise(tap, 1, MAC);
      await order('ip address add 10.253.1.2/24 dev eth0');
    });
    afterAll(() => belongings.release());

    it('answers on its tap', async () => {
      await eventually('an answer to ping', () => {
        const [, answered] = /(\d+) packets received/.exec(namespace.run('busybox', 'ping', '-c', '1', '-w', '5', '10.253.1.2')) ?? [];
        return answered === '1';
      });
      expect(await agent.find(guest.pid)).toMatchObject({ id: uuid, name: 'talker', hypervisor: 'qemu', state: 'running' });
    });

    it('received and sent what the host counts the other way round, and what it counts itself', async () => {
      const before = namespace.counters(tap);
      // Both ends close when all has arrived.
      guest.write('nc -l -p 9 | wc -c\n');
      await eventually('the guest taking the bytes', () =>
        namespace.run('bash', '-c', `head -c ${TO_GUEST_BYTES} /dev/zero > /dev/tcp/10.253.1.2/9 && echo sent`).includes('sent'),
      );
      const [, arrived] = await guest.lineThat(/^(\d+)\r?$/);
      expect(Number(arrived)).toBe(TO_GUEST_BYTES);
      await guest.lineThat(/^done/);
      const listener = await Child.start([...namespace.entrance, 'bash', '-c', 'busybox nc -l -p 9 | wc -c']);
      belongings.own(() => listener.kill());
      await eventually('a listener', () => namespace.run('cat', '/proc/net/tcp6', '/proc/net/tcp').includes(':0009 '));
      await order(`head -c ${FROM_GUEST_BYTES} /dev/zero | nc 10.253.1.1 9`);
      expect(await listener.line()).toBe(String(FROM_GUEST_BYTES));

      const { host, stats, guestsOwn } = await quietReading();
      expect(stats.network_rx_bytes).toBe(host.tx.bytes);
      expect(stats.network_tx_bytes).toBe(host.rx.bytes);
      expect(stats.network.interfaces).toMatchObject([{ name: tap, rx_packets: host.tx.packets, tx_packets: host.rx.packets }]);
      const received = (stats.network_rx_bytes ?? 0) - before.tx.bytes;
      const sent = (stats.network_tx_bytes ?? 0) - before.rx.bytes;
      expect(received).toBeGreaterThan(TO_GUEST_BYTES);
      expect(received).toBeLessThan(TO_GUEST_BYTES * OVERHEAD);
      expect(sent).toBeGreaterThan(FROM_GUEST_BYTES);
      expect(sent).toBeLessThan(FROM_GUEST_BYTES * OVERHEAD);
      expect(guestsOwn).toEqual([stats.network_rx_bytes, stats.network_tx_bytes]);
    });

    it('has the CPU time and memory that ps sees', async () => {
      const before = readPs(guest.pid);
      const stats = await agent.stats(uuid);
      const after = readPs(guest.pid);

      expect(before.cpuSeconds).toBeGreaterThan(0);
      expect(stats.cpu_seconds).toBeGreaterThanOrEqual(before.cpuSeconds);
      expect(stats.cpu_seconds).toBeLessThan(after.cpuSeconds + 1);
      expect(stats.memory_rss_bytes).toBeGreaterThanOrEqual(Math.min(before.rss, after.rss) * 1024);
      expect(stats.memory_rss_bytes).toBeLessThanOrEqual(Math.max(before.rss, after.rss) * 1024);
      expect(stats.allocated_memory_bytes).toBe(128 << 20);
    });

    /** What host, agent and guest count while nothing moves: the host's counters are the same before and after. */
    function quietReading(): Promise<{ host: LinkCounters; stats: Stats; guestsOwn: number[] }> {
      return eventually('a quiet moment on the tap', async () => {
        const host = namespace.counters(tap);
        const stats = await agent.stats(uuid);
        const [, rx, tx] = /eth0:\s*(\d+)(?:\s+\d+){7}\s+(\d+)/.exec(await order('cat /proc/net/dev')) ?? [];
        return JSON.stringify(namespace.counters(tap)) === JSON.stringify(host) && { host, stats, guestsOwn: [Number(rx), Number(tx)] };
      });
    }
  },
);
