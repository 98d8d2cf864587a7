import type { Host } from '../../host/host.js';

const UEVENT_BYTES = 4096;
const DEVNAME = /^DEVNAME=([^\n]+)$/m;
/** Numbers of loop devices, device-mapper and unplugged disks are used again. */
const KNOWN_MS = 60_000;
/** More than a host has; a stranger cannot make block devices. */
const MOST_NAMES = 4096;

/** What the kernel calls a block device: DEVNAME in /sys/dev/block/<major:minor>/uevent, and its number where that cannot be read. */
export class DeviceNames {
  private readonly names = new Map<string, { readonly name: string; readonly until: number }>();

  constructor(private readonly host: Host) {}

  of(number: string): string {
    const now = this.host.clock.monotonic();
    const known = this.names.get(number);
    if (known && now < known.until) return known.name;
    if (this.names.size >= MOST_NAMES) this.names.clear();
    const name = DEVNAME.exec(this.host.tryReadText(this.host.sys('dev', 'block', number, 'uevent'), UEVENT_BYTES) ?? '')?.[1] ?? number;
    this.names.set(number, { name, until: now + KNOWN_MS });
    return name;
  }
}
