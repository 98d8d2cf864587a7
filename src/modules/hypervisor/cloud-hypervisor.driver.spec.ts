import { describe, expect, it } from 'vitest';
import { evidenceOf, tap } from '../../../test/contracts/process-evidence.js';
import { cloudHypervisorDriver } from './cloud-hypervisor.driver.js';
import type { ProcessEvidence } from './driver.js';

const MIB = 1024 * 1024;
const read = (argv: readonly string[], given: Partial<ProcessEvidence> = {}) =>
  cloudHypervisorDriver.describe(evidenceOf({ ...given, argv: ['cloud-hypervisor', ...argv] }));

describe('cloud-hypervisor', () => {
  it('with its VM on the command line', () => {
    const argv =
      '--api-socket path=/d/guests/abc/ch.sock --kernel k --cpus boot=2,max=4 --memory size=1G,hotplugged_size=512M,shared=on --net tap=t0,mac=12:34:56:78:90:ab,id=n0 fd=[7,8],mac= vhost_user=true,socket=/s --net=tap=';
    const taps = [tap(5, 't0'), tap(7, 'v0'), tap(8, 'v0'), tap(9, 'vmtap0')];
    expect(read(argv.split(' '), { kvmVcpus: 2, taps })).toEqual({
      id: 'abc',
      vcpus: 2,
      memoryBytes: 1536 * MIB,
      nics: [
        { kind: 'tap', name: 't0', mac: '12:34:56:78:90:ab', device: 'n0' },
        { kind: 'tap', name: 'v0' },
        { kind: 'vhost-user', socket: '/s' },
        { kind: 'tap', name: 'vmtap0' },
      ],
      sockets: ['/d/guests/abc/ch.sock'],
    });
  });

  it('with its VM by API', () => {
    expect(read(['--api-socket', '/run/vc/vm/5f3c/clh-api.sock', '-v'], { kvmVcpus: 4 })).toEqual({
      id: '5f3c',
      vcpus: 4,
      sockets: ['/run/vc/vm/5f3c/clh-api.sock'],
    });
    expect(read(['--api-socket=/x'], { taps: [tap(4, 'a'), tap(5, 'a')] })).toEqual({
      sockets: ['/x'],
      nics: [{ kind: 'tap', name: 'a' }],
    });
    expect(read(['--api-socket', 'fd=3'], { listening: new Map([[3, '/run/ch.sock']]) })).toEqual({ sockets: ['/run/ch.sock'] });
    expect(read(['--restore', 'source_url=file:///s', '--net', 'id=n,fd=[4]'])).toEqual({ sockets: [] });
    expect(cloudHypervisorDriver.describe(evidenceOf())).toEqual({});
  });

  it.each([
    [[], 512],
    [['--memory', 'size=2147483648'], 2048],
    [['--memory', 'size=512M,hotplug_size=2G,hotplugged_size=0'], 512],
    [['--memory', 'size=0', '--memory-zone', 'id=a,size=1G', 'id=b,size=2G'], 3072],
    [['--memory', 'size=0'], undefined],
    [['--memory', 'size=lots'], undefined],
    [['--memory', 'shared=on'], 512],
  ])('memory of %j', (argv, mib) => {
    expect(read(['--kernel', 'k', ...argv]).memoryBytes).toBe(mib === undefined ? undefined : mib * MIB);
  });

  it.each([
    [[], 1],
    [['--cpus', 'max=4'], 1],
    [['--cpus=boot=3'], 3],
    [['--cpus', 'boot=x'], undefined],
  ])('vCPUs of %j', (argv, vcpus) => {
    expect(read(['--firmware', 'f', ...argv]).vcpus).toBe(vcpus);
  });

  it('no NIC at all, and host devices', () => {
    expect(read(['--kernel', 'k']).nics).toEqual([]);
    const argv = ['--kernel', 'k', '--device', 'path=/sys/bus/pci/devices/0000:3b:00.1/,id=v', 'path=/sys/bus/pci/devices/0000:01:00.0'];
    const pciClass = (address: string) => (address === '0000:3b:00.1' ? '0x020000' : '0x030200');
    expect(read(argv, { pciClass }).nics).toEqual([{ kind: 'passthrough', device: 'v' }]);
    expect(read(['--kernel', 'k', '--vdpa', 'path=/dev/vhost-vdpa-0']).nics).toEqual([{ kind: 'vdpa' }]);
  });
});
