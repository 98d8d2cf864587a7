import { randomUUID } from 'node:crypto';
import type { Belongings } from './belongings.js';
import type { Child } from './child.js';
import { eventually } from './eventually.js';
import type { GuestImage } from './guest-image.js';
import type { NetworkNamespace } from './network-namespace.js';
import { QmpClient } from './qmp-client.js';
import { startQemu } from './real-qemu.js';

const MAC = '02:00:00:00:00:01';
export const MEMORY_MIB = 128;
export const VCPUS = 2;

export interface GuestOptions {
  readonly image: GuestImage;
  /** Of its monitors: the agent's and the test's own. */
  readonly reserved: string;
  readonly own: string;
  readonly namespace?: NetworkNamespace;
  /** Words before QEMU, instead of those into the namespace. */
  readonly through?: readonly string[];
  readonly tap?: string;
  /** Words for QEMU: disks and other devices. */
  readonly devices?: readonly string[];
}

/** A Linux that boots under emulation and does what it is told over its serial line. Its VMM has two monitors, as a considerate owner makes. */
export class Guest {
  private constructor(
    readonly id: string,
    readonly vmm: Child,
    readonly monitor: QmpClient,
  ) {}

  /** Resolves when its user space takes orders. */
  static async boot(
    belongings: Belongings,
    { image, reserved, own, namespace, through = namespace?.entrance, tap, devices = [] }: GuestOptions,
  ): Promise<Guest> {
    const id = randomUUID();
    const nic =
      tap === undefined
        ? []
        : ['-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no`, '-device', `virtio-net-pci,netdev=net0,mac=${MAC},romfile=`];
    const vmm = await startQemu(
      belongings,
      [
        ...['-accel', 'tcg', '-uuid', id, '-name', 'guest=truth,debug-threads=on', '-m', String(MEMORY_MIB), '-smp', String(VCPUS)],
        ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-shutdown'],
        ...['-kernel', image.kernel, '-initrd', image.initrd, '-append', 'console=ttyS0 quiet panic=0'],
        ...['-qmp', `unix:${reserved},server=on,wait=off`, '-qmp', `unix:${own},server=on,wait=off`],
        ...nic,
        ...devices,
      ],
      { through, socket: own },
    );
    const monitor = await QmpClient.connect(own);
    belongings.own(() => monitor.close());
    const guest = new Guest(id, vmm, monitor);
    await guest.ready();
    return guest;
  }

  /** After every boot. */
  async ready(): Promise<void> {
    await this.vmm.lineThat(/^guest ready/);
  }

  /** Shell for the guest. @returns what it printed */
  async order(text: string): Promise<string> {
    this.tell(text);
    return this.done();
  }

  /** An order whose end is waited for elsewhere, or that the guest does not live to see the end of. */
  tell(text: string): void {
    this.vmm.write(`${text}\n`);
  }

  /** The end of the order under way. @returns what it printed */
  async done(): Promise<string> {
    const printed: string[] = [];
    for (let line = await this.vmm.line(); line.trim() !== 'done'; line = await this.vmm.line()) printed.push(line.trimEnd());
    return printed.join('\n');
  }

  async status(word: string): Promise<void> {
    await eventually(`the state ${word}`, async () => (await this.monitor.status()) === word);
  }
}
