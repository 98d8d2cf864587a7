import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { descriptorsHeld } from '../../host/held.js';
import { Slicer } from '../../host/slicer.js';
import type { HypervisorDriver, ProcessEvidence } from '../hypervisor/driver.js';
import { ScanCache } from './evidence.js';
import { ProcessExaminer } from './process-examiner.js';

let proc: FakeProc;
let seen: ProcessEvidence[];
let before: number;
const driver: HypervisorDriver = {
  name: 'qemu',
  claims: (evidence) => {
    seen.push(evidence);
    return true;
  },
  describe: () => ({ id: 'vm-1', vcpus: 3 }),
};
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
  seen = [];
  proc.addProcess(7);
  proc.write('7/comm', 'a b\n');
  proc.write('7/cgroup', '0::/vm.slice\n');
});
afterEach(() => {
  expect(descriptorsHeld()).toBe(before);
  proc.close();
});

function examine(drivers: readonly HypervisorDriver[] = [driver], executables: readonly string[] = ['/bin/vmm']) {
  const host = proc.host();
  return new ProcessExaminer(host, drivers, executables).examine(7, new ScanCache(host), new Slicer(proc.clock));
}

describe('ProcessExaminer', () => {
  it('gives the driver the evidence, and its description with what is known of the process', async () => {
    proc.link('7/exe', '/bin/vmm');
    proc.write('7/cmdline', 'vmm\0--id\0x\0');
    expect(await examine()).toEqual({
      refused: false,
      vmm: {
        pid: 7,
        startTicks: 271431,
        hypervisor: 'qemu',
        uid: process.getuid?.(),
        executable: '/bin/vmm',
        cgroups: ['/vm.slice'],
        record: { id: 'vm-1', vcpus: 3, hypervisor: 'qemu', process: { pid: 7, startTicks: 271431 } },
      },
    });
    expect(seen[0]).toMatchObject({ pid: 7, comm: 'a b', executable: '/bin/vmm', argv: ['vmm', '--id', 'x'], kvmVms: 0 });
  });

  it('asks no driver about an ordinary process', async () => {
    proc.link('7/exe', '/bin/other');
    expect(await examine()).toEqual({ vmm: null, refused: false });
    expect(seen).toEqual([]);
  });

  it('is no VMM that no driver claims', async () => {
    proc.link('7/exe', '/bin/vmm');
    expect(await examine([{ ...driver, claims: () => false }])).toEqual({ vmm: null, refused: false });
  });

  it('throws over a process that is gone', async () => {
    proc.removeProcess(7);
    await expect(examine()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('reads files for the driver only of a process that sees the host’s own root', async () => {
    proc.link('7/exe', '/bin/vmm');
    proc.write('7/cwd/config.json', '{}');
    const texts: (string | undefined)[] = [];
    const reader: HypervisorDriver = {
      ...driver,
      describe: ({ readFile }) => {
        texts.push(readFile('config.json'), readFile('nothing'));
        return {};
      },
    };
    await examine([reader]);
    proc.link('7/root', '/');
    await examine([reader]);
    expect(texts).toEqual([undefined, undefined, '{}', undefined]);
  });

  it('looks up the class of a PCI device, and of nothing else', async () => {
    proc.link('7/exe', '/bin/vmm');
    proc.write('sys/bus/pci/devices/0000:00:01.0/class', '0x020000\n');
    proc.write('sys/bus/pci/class', 'outside');
    await examine();
    const [{ pciClass }] = seen;
    expect(pciClass('00:01.0')).toBe('0x020000');
    expect(pciClass('0000:00:01.0')).toBe('0x020000');
    for (const address of ['..', '../..', '', 'x', '00:01.0/..', '0'.repeat(100)]) expect(pciClass(address)).toBeUndefined();
  });
});
