import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import type { HeldDirectory } from '../../host/held.js';
import { Slicer } from '../../host/slicer.js';
import { readArgv, readCgroups, readDescriptors, readListening, ScanCache } from './evidence.js';

let proc: FakeProc;
let directory: HeldDirectory;
let cache: ScanCache;
beforeEach(() => {
  proc = new FakeProc();
  proc.addProcess(7);
  directory = proc.host().holdDirectory(`${proc.root}/7`);
  cache = new ScanCache(proc.host());
});
afterEach(() => {
  directory.close();
  proc.close();
});
const descriptors = () => readDescriptors(directory, cache, new Slicer(proc.clock));

describe('readDescriptors', () => {
  it('counts VMs and distinct vCPUs, and collects sockets', async () => {
    const links = [
      'anon_inode:kvm-vm',
      'anon_inode:kvm-vcpu:0',
      'anon_inode:kvm-vcpu:0',
      'anon_inode:kvm-vcpu:7',
      'anon_inode:[eventfd]',
      'socket:[123]',
      'pipe:[5]',
      '/dev/kvm',
    ];
    for (const [fd, target] of links.entries()) proc.link(`7/fd/${fd}`, target);
    expect(await descriptors()).toEqual({ kvmVms: 1, kvmVcpus: 2, taps: [], socketInodes: new Map([[5, '123']]) });
  });

  it('goes through thousands of descriptors in pieces', async () => {
    for (let fd = 0; fd < 300; fd++) proc.link(`7/fd/${fd}`, fd === 299 ? 'anon_inode:kvm-vm' : `socket:[${fd}]`);
    let turns = 0;
    let done = false;
    const count = (): void => {
      turns++;
      proc.clock.ms += 1;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    const slicer = new Slicer({ now: () => 0, monotonic: () => (proc.clock.ms += 0.1) });
    const { kvmVms, socketInodes } = await readDescriptors(directory, cache, slicer);
    done = true;
    expect([kvmVms, socketInodes.size]).toEqual([1, 299]);
    expect(turns).toBeGreaterThan(5);
  });

  it('throws where there is nothing to look at', async () => {
    proc.removeProcess(7);
    const gone = proc.host().holdDirectory(proc.root);
    await expect(readDescriptors(gone, cache, new Slicer(proc.clock))).rejects.toMatchObject({ code: 'ENOENT' });
    gone.close();
  });
});

describe('readListening', () => {
  it('names the sockets that listen, from the table of the process’s own namespace, read once for all who share it', () => {
    proc.write('7/net/unix', 'Num\nffff: 00000002 00000000 00010000 0001 01 123 /run/q.sock\n');
    expect(
      readListening(
        directory,
        new Map([
          [5, '123'],
          [6, '124'],
        ]),
        cache,
      ),
    ).toEqual(new Map([[5, '/run/q.sock']]));
    expect(cache.sockets.size).toBe(1);
    readListening(directory, new Map([[5, '123']]), cache);
    expect(cache.sockets.size).toBe(1);
  });

  it('names none where the table cannot be read or nothing is asked', () => {
    expect(readListening(directory, new Map([[5, '123']]), cache).size).toBe(0);
    expect(readListening(directory, new Map(), cache).size).toBe(0);
  });
});

describe('readArgv', () => {
  it.each([
    ['a\0b c\0\0d\0', ['a', 'b c', '', 'd']],
    ['title rewritten by the process', ['title rewritten by the process']],
    ['', ['']],
  ])('%j', async (text, argv) => {
    proc.write('7/cmdline', text);
    expect(await readArgv(directory)).toEqual(argv);
  });

  it('is empty for a command line that cannot be read or is longer than any', async () => {
    expect(await readArgv(directory)).toEqual([]);
    proc.write('7/cmdline', 'x'.repeat((1 << 20) + 1));
    expect(await readArgv(directory)).toEqual([]);
  });
});

describe('readCgroups', () => {
  it('gives the paths of all hierarchies, each once', () => {
    proc.write('7/cgroup', '12:cpu,cpuacct:/a b/c:d\n1:name=systemd:/a b/c:d\n0::/machine.slice/vm\n');
    expect(readCgroups(directory)).toEqual(['/a b/c:d', '/machine.slice/vm']);
  });

  it('gives none of garbage', () => {
    for (const text of ['', '\n', '0::relative\n', 'x:y:/z\n', '\0']) {
      proc.write('7/cgroup', text);
      expect(readCgroups(directory)).toEqual([]);
    }
  });
});
