import { describe, expect, it } from 'vitest';
import { evidenceOf, tap } from '../../../test/contracts/process-evidence.js';
import type { ProcessEvidence } from './driver.js';
import { qemuDriver } from './qemu.driver.js';

const nics = (argv: readonly string[], given: Partial<ProcessEvidence> = {}) =>
  qemuDriver.describe(evidenceOf({ ...given, argv: ['qemu-system-x86_64', ...argv] })).nics;

describe('NICs of QEMU', () => {
  it.each([
    [[], [{ kind: 'user' }]],
    [['-nodefaults'], []],
    [['-net', 'none'], []],
    [['-nic', 'none'], []],
    [['-M', 'microvm'], []],
    [['-machine', 'type=none'], []],
    [['-M', 'microvm', '-netdev', 'user,id=n'], [{ kind: 'user', device: 'n' }]],
    [['-nodefaults', '-netdev', 'vhost-user,id=n,chardev=c'], [{ kind: 'vhost-user', device: 'n' }]],
    [
      ['-nodefaults', '-chardev', 'socket,id=c,path=/run/vhost,,user.sock,server=on', '-netdev', 'vhost-user,id=n,chardev=c,queues=2'],
      [{ kind: 'vhost-user', device: 'n', socket: '/run/vhost,user.sock' }],
    ],
    [
      ['-nodefaults', '-chardev', 'pty,id=c,path=/run/x', '-netdev', 'vhost-user,id=n,chardev=c', '-netdev', 'user,id=u,chardev=c'],
      [
        { kind: 'vhost-user', device: 'n' },
        { kind: 'user', device: 'u' },
      ],
    ],
    [['-netdev', 'vhost-vdpa,id=n,vhostdev=/dev/vhost-vdpa-0'], [{ kind: 'vdpa', device: 'n' }]],
    [['-netdev', '{"type":"stream","id":"n","addr":{"type":"unix","path":"/tmp/passt"}}'], [{ kind: 'socket', device: 'n' }]],
    [['-netdev', 'dgram,id=n,local.type=inet'], [{ kind: 'socket', device: 'n' }]],
    [['-netdev', 'socket,id=n,listen=:1234'], [{ kind: 'socket', device: 'n' }]],
    [['-netdev', 'passt,id=n'], [{ kind: 'user', device: 'n' }]],
    [['-netdev', 'l2tpv3,id=n'], [{ kind: 'other', device: 'n' }]],
    [['-netdev', 'constructor,id=n'], [{ kind: 'other', device: 'n' }]],
    [['-netdev', 'hubport,id=h,hubid=0', '-netdev', 'user,id=n'], [{ kind: 'user', device: 'n' }]],
    [['-nic', 'user,model=virtio,mac=52-54-00-00-00-09,id=q'], [{ kind: 'user', mac: '52:54:00:00:00:09', device: 'q' }]],
    [['-net', 'nic,macaddr=52:54:00:00:00:07', '-net', 'user'], [{ kind: 'user', mac: '52:54:00:00:00:07' }]],
    [['-netdev', 'user,id=n', '-net', 'nic,netdev=n,macaddr=52:54:00:00:00:07'], [{ kind: 'user', mac: '52:54:00:00:00:07', device: 'n' }]],
    [['-net', 'nic', '-net', 'nic', '-net', 'user'], [{ kind: 'user' }]],
    [['-netdev', '{"type":', '-readconfig', 'x.cfg'], []],
  ])('%j', (argv, expected) => {
    expect(nics(argv)).toEqual(expected);
  });

  it('finds taps by descriptor, by name and in order', () => {
    const argv = words(
      '-nodefaults -netdev tap,id=a,fds=30:31,vhost=on,vhostfds=32:33 -device virtio-net-pci,mq=on,netdev=a,mac=52:54:00:00:00:0a',
      '-netdev tap,id=b,ifname=tap100i0,script=/x,queues=2 -netdev bridge,id=c,br=br0 -nic tap,fd=40,mac=52:54:00:00:00:0d',
      '-net tap',
    );
    const taps = [tap(12, 'tap100i0'), tap(13, 'tap100i0'), tap(14, 'tap0'), tap(15, 'tap1'), tap(30, 'v0'), tap(31, 'v0'), tap(40, 'v1')];
    expect(nics(argv, { taps: [...taps, tap(50, 'hot')] })).toEqual([
      { kind: 'tap', name: 'v0', mac: '52:54:00:00:00:0a', device: 'a' },
      { kind: 'tap', name: 'tap100i0', device: 'b' },
      { kind: 'tap', name: 'tap0', device: 'c' },
      { kind: 'tap', name: 'v1', mac: '52:54:00:00:00:0d' },
      { kind: 'tap', name: 'tap1' },
      { kind: 'tap', name: 'hot' },
    ]);
  });

  it('counts as NIC a host device of network class or of none known', () => {
    const argv = words(
      '-nodefaults -device vfio-pci,host=3b:00.1,id=a -device {"driver":"vfio-pci","host":"0000:3b:00.2","id":"b"}',
      '-device vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:3b:00.3 -device vfio-pci,host=0000:01:00.0 -device virtio-blk-pci',
    );
    const classes = new Map([
      ['3b:00.1', '0x020000'],
      ['0000:01:00.0', '0x030000'],
    ]);
    expect(nics(argv, { pciClass: (address) => classes.get(address) })).toEqual([
      { kind: 'passthrough', device: 'a' },
      { kind: 'passthrough', device: 'b' },
      { kind: 'passthrough' },
    ]);
  });
});

const words = (...lines: string[]) => lines.join(' ').split(' ');
