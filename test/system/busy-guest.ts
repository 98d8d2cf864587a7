import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Belongings } from './belongings.js';
import { Child } from './child.js';
import { Guest } from './guest.js';
import { buildGuestImage } from './guest-image.js';
import { NetworkNamespace } from './network-namespace.js';
import type { WholeCgroup } from './whole-cgroup.js';

const DISK_BYTES = 16 << 20;
/** What the resolver takes to answer. */
export const DNS_DELAY_MS = 5;

/** A resolver that knows one address and takes its time, and a server that says something to whoever connects. */
const SERVERS = `
const dns = require('node:dgram').createSocket('udp4');
dns.on('message', (query, { port, address }) => {
  const end = query.indexOf(0, 12) + 5;
  const answer = Buffer.concat([query.subarray(0, end), Buffer.from('c00c0001000100000001000401020304', 'hex')]);
  answer.writeUInt16BE(0x8180, 2);
  // One question, an answer where an address was asked for, nothing else.
  const isAddress = query.readUInt16BE(end - 4) === 1;
  answer.writeUInt16BE(1, 4);
  answer.writeUInt16BE(isAddress ? 1 : 0, 6);
  answer.writeUInt32BE(0, 8);
  setTimeout(() => dns.send(isAddress ? answer : answer.subarray(0, end), port, address), ${DNS_DELAY_MS});
});
dns.bind(53, '127.0.0.1', () => {
  require('node:net').createServer((peer) => peer.on('error', () => {}).end('x'.repeat(20000))).listen(9, '127.0.0.1', () => console.log('ready'));
});
`;

/** What the guest does again and again until its machine is switched off. */
const WORK = [
  'dd if=/dev/zero of=/dev/vda bs=64k count=16 oflag=direct conv=fsync 2>/dev/null',
  'dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null',
  'nslookup vmgauge.test 10.0.2.3 >/dev/null 2>&1',
  'nc 10.0.2.2 9 </dev/null >/dev/null',
].join('; ');

/**
 * A Linux that boots under emulation and keeps its VMM busy: its network is QEMU's own, so that each lookup and each connection of the guest
 * is one of the VMM, and its disk is a file of the host.
 */
export async function bootBusyGuest(belongings: Belongings, group: WholeCgroup): Promise<Guest> {
  const directory = mkdtempSync(join(tmpdir(), 'vmgauge-system-busy-'));
  belongings.own(() => rmSync(directory, { recursive: true, force: true }));
  const namespace = new NetworkNamespace(belongings);
  // ip-netns(8) puts it in the place of the host's own.
  const etc = `/etc/netns/${namespace.name}`;
  mkdirSync(etc, { recursive: true });
  belongings.own(() => rmSync(etc, { recursive: true, force: true }));
  writeFileSync(join(etc, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  const servers = await Child.start([...namespace.entrance, process.execPath, '-e', SERVERS]);
  belongings.own(() => servers.kill());
  await servers.lineThat(/^ready$/);

  const disk = join(directory, 'disk.raw');
  writeFileSync(disk, '');
  truncateSync(disk, DISK_BYTES);
  const guest = await Guest.boot(belongings, {
    ...{ image: buildGuestImage(directory), reserved: join(directory, 'reserved.sock'), own: join(directory, 'own.sock') },
    // In this order: ip-netns(8) mounts a new /sys, without cgroups.
    through: [...group.entrance, ...namespace.entrance],
    devices: [
      ...['-netdev', 'user,id=net0', '-device', 'virtio-net-pci,netdev=net0,romfile='],
      ...['-drive', `file=${disk},if=none,id=disk0,format=raw,cache=none,aio=threads`, '-device', 'virtio-blk-pci,drive=disk0'],
    ],
  });
  await guest.order('ip address add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2');
  guest.tell(`(while true; do ${WORK}; done) &`);
  await guest.done();
  return guest;
}
