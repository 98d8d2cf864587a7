import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Belongings } from './belongings.js';
import type { Child } from './child.js';
import { eventually } from './eventually.js';
import type { NetworkNamespace } from './network-namespace.js';
import { QmpClient } from './qmp-client.js';
import { startQemu } from './real-qemu.js';

let ports = 20_000;

/**
 * A QEMU that carries frames without a guest: datagrams to a port of its namespace go through a hub of its own out of whatever tap is plugged
 * in, as if its guest had sent them. All backends are plugged in by QMP, so that its command line knows of none. It runs: a QEMU that
 * stands still carries nothing.
 */
export class HubQemu {
  private readonly port = ports++;

  private constructor(
    readonly child: Child,
    private readonly client: QmpClient,
    private readonly namespace: NetworkNamespace,
  ) {}

  static async start(belongings: Belongings, namespace: NetworkNamespace, name: string): Promise<HubQemu> {
    const directory = mkdtempSync(join(tmpdir(), 'vmgauge-hub-'));
    belongings.own(() => rmSync(directory, { recursive: true, force: true }));
    const socket = join(directory, 'monitor.sock');
    const words = [
      '-accel',
      'kvm',
      '-nodefaults',
      '-display',
      'none',
      '-m',
      '64',
      '-name',
      name,
      '-qmp',
      `unix:${socket},server=on,wait=off`,
    ];
    const child = await startQemu(belongings, words, { socket, through: namespace.entrance });
    // SO_ACCEPTCON, in the table of the namespace that it is in.
    await eventually('a monitor that listens', () =>
      new RegExp(` 00010000 .*${socket}$`, 'm').test(namespace.run('cat', '/proc/net/unix')),
    );
    const client = await QmpClient.connect(socket);
    belongings.own(() => client.close());
    const qemu = new HubQemu(child, client, namespace);
    await qemu.add({ type: 'dgram', id: 'wire', local: qemu.address(0), remote: qemu.address(1) });
    await qemu.add({ type: 'hubport', id: 'to-wire', hubid: 0, netdev: 'wire' });
    return qemu;
  }

  /** Makes the tap where there is none. */
  async plug(tap: string): Promise<void> {
    await this.add({ type: 'tap', id: 'tap', ifname: tap, script: 'no', downscript: 'no' });
    await this.add({ type: 'hubport', id: 'to-tap', hubid: 0, netdev: 'tap' });
  }

  /** A tap that it made itself is gone with it. */
  async unplug(): Promise<void> {
    for (const id of ['to-tap', 'tap']) await this.client.execute('netdev_del', { id });
  }

  /** Frames out of the tap, until the kernel has counted them there. */
  async transmit(tap: string, frames: number, bytes: number): Promise<void> {
    const wanted = this.namespace.counters(tap).rx.packets + frames;
    const script = `exec 3>/dev/udp/127.0.0.1/${this.port}; for ((i = 0; i < ${frames}; i++)); do head -c ${bytes} /dev/zero >&3; done`;
    this.namespace.run('bash', '-c', script);
    await eventually(`${frames} frames out of ${tap}`, () => this.namespace.counters(tap).rx.packets >= wanted);
  }

  private add(backend: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.client.execute('netdev_add', backend);
  }

  /** Two ports of its own: one that it listens at, one that it answers to and where nobody is. */
  private address(place: 0 | 1): Readonly<Record<string, string>> {
    return { type: 'inet', host: '127.0.0.1', port: String(this.port + place * 1000) };
  }
}
