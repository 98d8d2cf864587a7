import { randomInt, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Belongings } from './belongings.js';
import type { Child } from './child.js';
import { eventually } from './eventually.js';
import type { NetworkNamespace } from './network-namespace.js';
import { startQemu } from './real-qemu.js';

/** Firmware without anything to boot; the VM has to run, for one that is stopped takes no frames. */
const MACHINE: readonly string[] = ['-accel', 'kvm', '-m', '64', '-nodefaults', '-display', 'none'];
/** Where nobody listens: what comes out of the tap is thrown away. */
const NOWHERE = '127.0.0.1:9';
/** EtherType that nothing of a host understands (IEEE 802). */
const LOCAL_EXPERIMENTAL = 0x88b5;

/**
 * A real QEMU with a UUID and a tap that its command line names, to be plugged into a switch. In the place of a guest a UDP socket is at the
 * other end of its network backend: each datagram is a frame that QEMU writes into the tap.
 */
export class SwitchedQemu {
  private constructor(
    readonly child: Child,
    readonly tap: string,
    private readonly namespace: NetworkNamespace,
    private readonly port: number,
    private readonly frame: string,
  ) {}

  /** Resolves when its tap is there, and up. */
  static async start(belongings: Belongings, namespace: NetworkNamespace, tap: string, uuid: string = randomUUID()): Promise<SwitchedQemu> {
    const scratch = mkdtempSync(join(tmpdir(), 'vmgauge-switched-'));
    belongings.own(() => rmSync(scratch, { recursive: true, force: true }));
    const port = randomInt(20_000, 60_000);
    const netdevs = [
      ...[`tap,id=t,ifname=${tap},script=no,downscript=no`, 'hubport,id=a,hubid=0,netdev=t'],
      ...[`socket,id=u,udp=${NOWHERE},localaddr=127.0.0.1:${port}`, 'hubport,id=b,hubid=0,netdev=u'],
    ].flatMap((words) => ['-netdev', words]);
    const child = await startQemu(belongings, [...MACHINE, '-uuid', uuid, ...netdevs], { through: namespace.entrance });
    await eventually(`the tap ${tap}`, () => {
      namespace.run('ip', 'link', 'set', tap, 'up');
      return true;
    });
    return new SwitchedQemu(child, tap, namespace, port, join(scratch, 'frame'));
  }

  /** Frames of its guest, so to speak: from an address of its own to everybody, so that a switch floods them whatever it has learned. */
  send(frames: number, bytes: number): void {
    const frame = Buffer.alloc(bytes);
    frame.write('ffffffffffff02', 'hex');
    frame.writeUIntBE(this.port, 7, 5);
    frame.writeUInt16BE(LOCAL_EXPERIMENTAL, 12);
    writeFileSync(this.frame, frame);
    // One write, hence one datagram.
    const script = `exec 3>/dev/udp/127.0.0.1/${this.port}; for ((i = 0; i < ${frames}; i++)); do cat ${this.frame} >&3; done`;
    this.namespace.run('bash', '-c', script);
  }
}
