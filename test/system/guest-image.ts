import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Need } from './needs.js';

/** In the order in which they need each other. */
const DRIVERS = [
  'virtio_ring',
  'virtio',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'failover',
  'net_failover',
  'virtio_net',
  'virtio_blk',
  'virtio_balloon',
  'pvpanic',
  'pvpanic-pci',
];
const BUSYBOX = '/bin/busybox';

/** The guest's whole user space. It takes orders, which are shell, from its serial line and says `done` after each. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for driver in ${DRIVERS.join(' ')}; do [ -e /drivers/$driver.ko ] && insmod /drivers/$driver.ko; done
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
ip link set eth0 up
stty -echo
echo guest ready
while read -r order; do eval "$order"; echo done; done
`;

function findKernel(): string | undefined {
  const name = readdirSync('/boot')
    .filter((entry) => /^vmlinuz-.*-cloud-/.test(entry))
    .sort()
    .at(-1);
  return name === undefined ? undefined : join('/boot', name);
}

/** Kernel and busybox are Debian's; the test only packs them. */
export const guestKernel: Need = {
  missing: () => (findKernel() === undefined ? 'no cloud kernel in /boot (Debian package linux-image-cloud-amd64)' : undefined),
};

export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

/** Packs busybox, the drivers of the kernel and the guest's init into an initrd in this directory. */
export function buildGuestImage(directory: string): GuestImage {
  const kernel = findKernel();
  if (kernel === undefined) throw new Error('no kernel');
  const root = join(directory, 'guest');
  for (const name of ['bin', 'drivers', 'proc', 'sys', 'dev']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'));
  writeFileSync(join(root, 'init'), INIT);
  chmodSync(join(root, 'init'), 0o755);
  execFileSync('mknod', [join(root, 'dev/console'), 'c', '5', '1']);
  copyDrivers(`/lib/modules/${basename(kernel).replace('vmlinuz-', '')}/kernel`, join(root, 'drivers'));
  const initrd = join(directory, 'initrd');
  execFileSync('bash', ['-c', 'find . | cpio -o -H newc --quiet > "$0"', initrd], { cwd: root });
  return { kernel, initrd };
}

/** What is not there is built in. */
function copyDrivers(from: string, to: string): void {
  for (const path of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    const [, name, compressed] = /([^/]+)\.ko(\.xz)?$/.exec(path) ?? [];
    if (name === undefined || !DRIVERS.includes(name)) continue;
    const target = join(to, `${name}.ko`);
    if (compressed === undefined) copyFileSync(join(from, path), target);
    else writeFileSync(target, execFileSync('xz', ['-dc', join(from, path)], { maxBuffer: 1 << 26 }));
  }
}
