import { describe, expect, it } from 'vitest';
import { evidenceOf, tap } from '../../../test/contracts/process-evidence.js';
import type { ProcessEvidence } from './driver.js';
import { qemuDriver } from './qemu.driver.js';

const MIB = 1024 * 1024;
const UUID = '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11';
const read = (argv: readonly string[], given: Partial<ProcessEvidence> = {}) =>
  qemuDriver.describe(evidenceOf({ ...given, argv: ['/usr/bin/qemu-system-x86_64', ...argv] }));

// QEMU 7.2 on KVM, started by hand.
const BY_HAND =
  '-name guest=exp-vm-1,debug-threads=on -uuid 3f0c6a1e-0000-4000-8000-0123456789ab -M pc -accel kvm -m 128 -smp 2 -nodefaults -no-user-config -display none -kernel vmlinuz -initrd initrd.gz -append|console=ttyS0 panic=-1 quiet|-serial file:serial.log -netdev tap,id=net0,ifname=exptap0,script=no,downscript=no -device virtio-net-pci,netdev=net0,mac=52:54:00:aa:bb:01,romfile= -drive file=disk.raw,if=none,id=drive0,format=raw,cache=none -device virtio-blk-pci,drive=drive0,id=virtio-disk0 -device virtio-balloon-pci,id=balloon0 -qmp unix:qmp.sock,server=on,wait=off -chardev socket,id=charmon2,path=qmp2.sock,server=on,wait=off -mon chardev=charmon2,id=mon2,mode=control';
// QEMU 7.2 under TCG, started the way libvirt does.
const BY_LIBVIRT = `-name guest=web-1,debug-threads=on -S -object {"qom-type":"memory-backend-memfd","id":"pc.ram","share":true,"size":134217728} -machine pc-i440fx-7.2,usb=off,dump-guest-core=off,memory-backend=pc.ram -accel tcg -m size=131072k -smp 2,sockets=2,cores=1,threads=1 -uuid ${UUID} -display none -no-user-config -nodefaults -chardev socket,id=charmonitor,fd=4,server=on,wait=off -mon chardev=charmonitor,id=monitor,mode=control -netdev {"type":"tap","fd":"3","id":"hostnet0"} -device {"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0","mac":"52:54:00:11:22:33","romfile":""} -device {"driver":"virtio-balloon-pci","id":"balloon0"} -kernel vmlinuz -initrd initrd.gz -append|console=ttyS0 quiet|-serial file:serial3.log`;
const words = (line: string) => line.split('|').flatMap((part, i) => (i % 2 === 0 ? part.trim().split(' ') : [part]));

describe('real command lines', () => {
  it('started by hand', () => {
    expect(read(words(BY_HAND), { kvmVcpus: 2, taps: [tap(13, 'exptap0')] })).toEqual({
      id: '3f0c6a1e-0000-4000-8000-0123456789ab',
      uuid: '3f0c6a1e-0000-4000-8000-0123456789ab',
      name: 'exp-vm-1',
      vcpus: 2,
      memoryBytes: 128 * MIB,
      nics: [{ kind: 'tap', name: 'exptap0', mac: '52:54:00:aa:bb:01', device: 'net0' }],
      sockets: ['qmp.sock', 'qmp2.sock'],
    });
  });

  it('started by libvirt', () => {
    const listening = new Map([[4, '/var/lib/libvirt/qemu/domain-1-web-1/monitor.sock']]);
    expect(read(words(BY_LIBVIRT), { taps: [tap(3, 'vnet0')], listening })).toEqual({
      id: UUID,
      uuid: UUID,
      name: 'web-1',
      vcpus: 2,
      memoryBytes: 128 * MIB,
      nics: [{ kind: 'tap', name: 'vnet0', mac: '52:54:00:11:22:33', device: 'hostnet0' }],
      sockets: ['/var/lib/libvirt/qemu/domain-1-web-1/monitor.sock'],
    });
  });

  it.each([BY_HAND, BY_LIBVIRT])('cut anywhere', (line) => {
    const cmdline = ['/usr/bin/qemu-system-x86_64', ...words(line)].join('\0');
    for (let end = 0; end <= cmdline.length; end++) {
      const { vcpus, memoryBytes } = qemuDriver.describe(evidenceOf({ argv: cmdline.slice(0, end).split('\0') }));
      expect([undefined, 1, 2]).toContain(vcpus);
      expect(memoryBytes ?? 0).toBeLessThanOrEqual(131_072 * MIB);
    }
  });
});

describe('identity', () => {
  it.each([
    [['-name', 'web'], { id: 'web', name: 'web' }],
    [['--name', 'web,process=foo'], { id: 'web', name: 'web' }],
    [['-name', 'guest=a b'], { name: 'a b' }],
    [['-name', 'a,,b'], { name: 'a,b' }],
    [['-name', 'debug-threads=on', '-name', 'web'], { id: 'web', name: 'web' }],
    [['-name', 'sandbox-5f3c', '-pidfile', '/run/vc/vm/5f3c/pid'], { id: '5f3c', name: 'sandbox-5f3c' }],
    [['-uuid', UUID], { id: UUID, uuid: UUID }],
    [['-uuid', '00000000-0000-0000-0000-000000000000'], {}],
    [['-uuid', '../../etc'], {}],
    [['-chardev', 'socket,id=qmp,path=/d/guests/abc/qemu.sock,server=on', '-mon', 'chardev=qmp,mode=control'], { id: 'abc' }],
    [['-id', '100', '-pidfile', '/var/run/qemu-server/100.pid', '-name', 'web'], { id: '100', name: 'web' }],
    [[], {}],
  ])('%j', (argv, expected) => {
    const { id, name, uuid } = read(argv);
    expect({ id, name, uuid }).toEqual(expected);
  });

  it('has a name from libvirt’s cgroup where argv cannot be read', () => {
    const cgroups = ['/machine.slice/machine-qemu\\x2d3\\x2dweb\\x2d1.scope'];
    expect(qemuDriver.describe(evidenceOf({ cgroups }))).toEqual({ name: 'web-1' });
  });
});

// Compared with what query-cpus-fast and query-memory-size-summary of QEMU 7.2 said.
describe('vCPUs and memory', () => {
  it.each([
    [[], 1],
    [['-smp', '2'], 2],
    [['--smp', 'cpus=2'], 2],
    [['-smp', '2,sockets=2,cores=1,threads=1,maxcpus=4'], 2],
    [['-smp', 'sockets=2,cores=2,threads=1'], 4],
    [['-smp', 'maxcpus=4'], 4],
    [['-smp', '2', '-smp', 'maxcpus=4'], 2],
    [['-M', 'pc,smp.cpus=3'], 3],
    [['-M', 'none'], undefined],
    [['-smp', 'many'], undefined],
    [['-smp', '99999999999'], undefined],
    [['-smp', 'sockets=60000,cores=60000'], undefined],
  ])('%j → %s vCPUs', (argv, vcpus) => {
    expect(read(argv).vcpus).toBe(vcpus);
  });

  it.each([
    [[], 128],
    [['-m', '128'], 128],
    [['-m', '2G'], 2048],
    [['-m', '0.5G'], 512],
    [['-m', 'size=131072k,slots=2,maxmem=1G'], 128],
    [['-m', '256', '-m', 'slots=2,maxmem=1G'], 256],
    [['-m', 'slots=2,maxmem=1G'], 128],
    [['-M', 'pc,memory.size=200M'], 200],
    [['-m', '300m', '-M', 'pc,memory.size=200M'], 300],
    [['-object', 'memory-backend-ram,id=r,size=64M', '-machine', 'pc,memory-backend=r'], 64],
    [['-object', '{"qom-type":"memory-backend-ram","id":"r","size":67108864}', '-M', 'pc,memory-backend=r'], 64],
    [['-object', 'memory-backend-ram,id=r,size=64M', '-M', 'pc,memory-backend=r', '-m', '64M'], 64],
    [['-M', 'pc,memory-backend=r'], undefined],
    [['-object', 'memory-backend-ram,id=r,size=64M'], 128],
    [['-m', '99999999999999999999G'], undefined],
    [['-M', 'none'], undefined],
  ])('%j → %s MiB', (argv, mib) => {
    expect(read(argv).memoryBytes).toBe(mib === undefined ? undefined : mib * MIB);
  });

  it('counts descriptors where argv does not tell, and assumes no defaults then', () => {
    expect(qemuDriver.describe(evidenceOf({ argv: [''], kvmVcpus: 3, taps: [tap(3, 't')] }))).toEqual({
      vcpus: 3,
      nics: [{ kind: 'tap', name: 't' }],
    });
    expect(read(Array.from({ length: 10_000 }, () => '-S'))).toEqual({});
  });
});
