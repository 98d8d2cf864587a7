import { describe, expect, it } from 'vitest';
import { evidenceOf, tap } from '../../../test/contracts/process-evidence.js';
import type { ProcessEvidence } from './driver.js';
import { firecrackerDriver } from './firecracker.driver.js';

const read = (argv: readonly string[], given: Partial<ProcessEvidence> = {}) =>
  firecrackerDriver.describe(evidenceOf({ ...given, argv: ['/firecracker', ...argv] }));

const CONFIGURATION = JSON.stringify({
  'boot-source': { kernel_image_path: 'vmlinux' },
  'machine-config': { vcpu_count: 2, mem_size_mib: 131072, smt: false },
  'network-interfaces': [
    { iface_id: 'eth0', host_dev_name: 'fctap0', guest_mac: 'AA:FC:00:00:00:01' },
    { iface_id: 'eth1', host_dev_name: 'fctap1' },
  ],
});

describe('firecracker', () => {
  it('with a configuration file', () => {
    const readFile = (path: string) => (path === '/vm.json' ? CONFIGURATION : undefined);
    const taps = [tap(20, 'fctap1'), tap(21, 'fctap0')];
    expect(read(['--no-api', '--config-file', '/vm.json', '--id', 'vm-1'], { readFile, taps, kvmVcpus: 2 })).toEqual({
      id: 'vm-1',
      vcpus: 2,
      memoryBytes: 128 * 1024 ** 3,
      nics: [
        { kind: 'tap', name: 'fctap0', mac: 'aa:fc:00:00:00:01', device: 'eth0' },
        { kind: 'tap', name: 'fctap1', device: 'eth1' },
      ],
      sockets: [],
    });
  });

  it('jailed, configured by API', () => {
    const argv = '--id 551e7604 --start-time-us 1 --start-time-cpu-us 2 --parent-cpu-time-us 3';
    expect(read(argv.split(' '), { kvmVms: 1, kvmVcpus: 1, taps: [tap(9, 'tap0')], cgroups: ['/firecracker/other'] })).toEqual({
      id: '551e7604',
      vcpus: 1,
      nics: [{ kind: 'tap', name: 'tap0' }],
      sockets: ['/run/firecracker.socket'],
    });
  });

  it('never takes the id that all have', () => {
    expect(read(['--id', 'anonymous-instance', '--api-sock', '/tmp/fc.sock'])).toEqual({ sockets: ['/tmp/fc.sock'] });
    expect(read(['--api-sock', '/tmp/fc.sock'], { cgroups: ['/firecracker/anonymous-instance'] }).id).toBeUndefined();
    expect(read(['--id', '../x', '--api-sock', '/d/guests/abc/fc.sock']).id).toBe('abc');
    expect(read([], { executable: '/srv/jailer/firecracker/vm-2/root/firecracker' }).id).toBe('vm-2');
    expect(read(['--', '--id', 'x']).id).toBeUndefined();
  });

  it.each(['', '{', '[]', 'null', '{"machine-config":7,"network-interfaces":{"a":1}}', '['.repeat(60_000)])(
    'a configuration of %j',
    (text) => {
      const { vcpus, memoryBytes } = read(['--config-file', 'f'], { readFile: () => text, kvmVcpus: 1 });
      expect({ vcpus, memoryBytes }).toEqual({ vcpus: 1 });
    },
  );

  it('assumes nothing where argv cannot be read', () => {
    expect(firecrackerDriver.describe(evidenceOf())).toEqual({});
  });
});
