import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentProcess, builtAgent } from './agent-process.js';
import type { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { Guest } from './guest.js';
import { buildGuestImage, guestKernel } from './guest-image.js';
import { BASICS, file, iproute, type Need, program, qemu, tun } from './needs.js';
import { freshInterfaceName, NetworkNamespace } from './network-namespace.js';
import type { DiskStats, VmmStats } from './stats-document.js';

export const NEEDS: readonly Need[] = [
  ...[...BASICS, builtAgent, qemu, tun, iproute, guestKernel],
  ...[program('cpio', 'cpio'), file('/bin/busybox', 'Debian package busybox-static')],
];

export const DISK_BYTES = 64 << 20;
/** Bytes a second that QEMU lets the first disk write. */
export const WRITE_LIMIT = 512 << 20;
/** Sectors of the second disk: a read of the one fails and is told to the guest, a write of the other fails and stops it; once each. */
export const BAD_READ = 2048;
export const BAD_WRITE = 4096;
export const BALLOON = '/machine/peripheral/balloon';
/** Not a name of the default, at which any other agent of this machine may be first. */
const RESERVED = `door-${randomUUID().slice(0, 8)}.sock`;

/** query-blockstats, qapi/block-core.json. */
interface BlockStats {
  readonly qdev: string;
  readonly stats: Readonly<Record<string, number>>;
}
/** Property guest-stats of virtio-balloon, docs/virtio-balloon-stats.txt. */
interface GuestStats {
  readonly 'last-update': number;
  readonly stats: Readonly<Record<string, number>>;
}

/** A guest that works, an agent that asks its VMM once a second, and the test's own eyes and hands at its second monitor. */
export class ObservedGuest {
  readonly tap = freshInterfaceName();
  readonly namespace: NetworkNamespace;
  private readonly directory = mkdtempSync(join(tmpdir(), 'vmgauge-system-guest-'));
  private running: { readonly agent: AgentProcess; readonly guest: Guest } | undefined;

  private constructor(private readonly belongings: Belongings) {
    belongings.own(() => rmSync(this.directory, { recursive: true, force: true }));
    this.namespace = new NetworkNamespace(belongings);
  }

  /** Resolves when the guest takes orders and its VMM has answered the agent. */
  static async boot(belongings: Belongings): Promise<ObservedGuest> {
    const vm = new ObservedGuest(belongings);
    const agent = await vm.startAgent();
    const guest = await Guest.boot(belongings, {
      image: buildGuestImage(vm.directory),
      reserved: join(vm.directory, RESERVED),
      own: join(vm.directory, 'own.sock'),
      namespace: vm.namespace,
      tap: vm.tap,
      devices: vm.devices(),
    });
    vm.running = { agent, guest };
    await vm.statsThat('an answer of the VMM', ({ collectors }) => collectors.vmm?.outcome === 'ok');
    return vm;
  }

  get agent(): AgentProcess {
    return this.both.agent;
  }

  get guest(): Guest {
    return this.both.guest;
  }

  /** Labels of the instance, as printed. */
  get labels(): string {
    return `instance_id="${this.guest.id}"`;
  }

  /** Another agent takes the place of this one. */
  async replaceAgent(flags: Readonly<Record<string, string>>): Promise<void> {
    await this.agent.end();
    this.running = { agent: await this.startAgent(flags), guest: this.guest };
  }

  stats(): Promise<VmmStats> {
    return this.agent.vmmStats(this.guest.id);
  }

  /** The first document of which this holds. */
  statsThat(what: string, holds: (stats: VmmStats) => unknown): Promise<VmmStats> {
    return eventually(what, async () => {
      const now = await this.stats();
      if (!holds(now)) throw new Error(JSON.stringify([now.state, now.network, now.vmm, now.memory, now.collectors.vmm]));
      return now;
    });
  }

  /** What QEMU counts of this disk. */
  async blockStats(disk: string): Promise<BlockStats['stats']> {
    const all = await this.guest.monitor.execute<BlockStats[]>('query-blockstats');
    const one = all.find(({ qdev }) => qdev.split('/').includes(disk));
    if (!one) throw new Error(`no ${disk} in ${JSON.stringify(all)}`);
    return one.stats;
  }

  /** What the guest's balloon driver last told QEMU. */
  guestStats(): Promise<GuestStats> {
    return this.guest.monitor.execute('qom-get', { path: BALLOON, property: 'guest-stats' });
  }

  /** Events of this name that the test's own monitor was told. */
  heard(name: string): number {
    return this.guest.monitor.events.filter((event) => event === name).length;
  }

  private get both(): { readonly agent: AgentProcess; readonly guest: Guest } {
    if (!this.running) throw new Error('it has not booted');
    return this.running;
  }

  private startAgent(flags: Readonly<Record<string, string>> = {}): Promise<AgentProcess> {
    return AgentProcess.start(this.belongings, { flags: { 'vmm.interval': '1s', 'vmm.qmp-reserved': RESERVED, ...flags } });
  }

  /** Two disks, the second of which has faults (blkdebug), balloon, panic device and watchdog. */
  private devices(): readonly string[] {
    const fault = (event: string, sector: number): string =>
      `[inject-error]\nevent = "${event}"\nerrno = "5"\nsector = "${sector}"\nonce = "on"\n`;
    const faults = join(this.directory, 'faults');
    writeFileSync(faults, fault('read_aio', BAD_READ) + fault('write_aio', BAD_WRITE));
    return [
      ...this.drive('disk', '', `throttling.bps-write=${WRITE_LIMIT}`),
      ...this.drive('bad', `blkdebug:${faults}:`, 'rerror=report,werror=stop'),
      ...['-device', 'virtio-balloon-pci,id=balloon', '-device', 'pvpanic-pci'],
      ...['-device', 'i6300esb', '-action', 'watchdog=pause'],
    ];
  }

  private drive(name: string, filter: string, more: string): readonly string[] {
    const path = join(this.directory, name);
    writeFileSync(path, '');
    truncateSync(path, DISK_BYTES);
    return [
      ...['-drive', `file=${filter}${path},format=raw,if=none,id=drive-${name},${more}`],
      ...['-device', `virtio-blk-pci,drive=drive-${name},id=${name}`],
    ];
  }
}

/** What the agent says of this disk. @throws when it says nothing */
export function diskOf({ disks }: VmmStats, disk: string): DiskStats {
  const one = disks.find(({ device }) => device.split('/').includes(disk));
  if (!one) throw new Error(`no ${disk} in ${JSON.stringify(disks)}`);
  return one;
}
