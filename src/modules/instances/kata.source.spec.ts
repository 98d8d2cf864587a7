import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeKata, type FakeProgram, persist, podSpec, rustState, SHIM } from '../../../test/fake-kata.js';
import { statLine } from '../../../test/fake-proc.js';
import { descriptorsHeld } from '../../host/held.js';

let kata: FakeKata;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  kata = new FakeKata();
});
afterEach(() => {
  kata.close();
  expect(descriptorsHeld()).toBe(before);
});

const CUT = 'b962d4afcc67a811c4fdefbf6e55b5fe';
const LONG = `${CUT}d69f9c933b01f1f45b3682342dbcccac`;
const firecracker = (id: string): FakeProgram => ({
  argv: ['/firecracker', '--id', id, '--start-time-us', '1'],
  executable: '/firecracker',
  vm: true,
});

/** A sandbox of the Go runtime with everything there is: shim 100, virtiofsd 110, QEMU 120. */
function goSandbox(id: string): void {
  kata.shim(100, id);
  kata.virtiofsd(110, id, 100);
  kata.qemu(120, id, { parent: 100 });
  kata.bundle(id, 100);
  kata.write(`vc/sbs/${id}/persist.json`, persist(id, { Pid: 120, VirtiofsDaemonPid: 110 }));
}

describe('a sandbox of the Go runtime', () => {
  it('is its VMM with shim and virtiofsd beside it, under its own id and the pod’s name', async () => {
    goSandbox('s1');
    expect(await kata.list()).toEqual([
      {
        id: 's1',
        name: 'pod-of-s1',
        hypervisor: 'qemu',
        process: { pid: 120, startTicks: 120, mustBeVmm: true },
        vcpus: 1,
        companions: [
          { role: 'shim', pid: 100, startTicks: 100 },
          { role: 'virtiofsd', pid: 110, startTicks: 110 },
        ],
        sandbox: {
          id: 's1',
          hypervisor: 'qemu',
          runtime: 'go',
          vmmInShim: false,
          directory: kata.run('vc/sbs/s1'),
          pod: { uid: 'uid-1', name: 'pod-of-s1', namespace: 'shop' },
          agentUrl: 'vsock://4711:1024',
          networkNamespace: '/var/run/netns/cni-persist',
          cgroup: { path: '/kubepods/besteffort/pod1/kata_s1', overheadPath: '/kata_overhead/s1', sandboxOnly: false },
        },
      },
    ]);
    expect(kata.source.problems.size).toBe(0);
    expect(kata.source.directories).toEqual({
      present: true,
      roots: [{ root: kata.run('vc/sbs'), counts: { running: 1, starting: 0, live: 1, stale: 0, phantom: 0 } }],
    });
  });

  it('is the same at every look, and changes with its files', async () => {
    goSandbox('s1');
    const first = await kata.list();
    expect(await kata.list()).toEqual(first);
    kata.write('vc/sbs/s1/persist.json', persist('s1', { Pid: 120 }, { AgentState: { URL: 'vsock://9:1024' } }));
    expect((await kata.list())[0].sandbox?.agentUrl).toBe('vsock://9:1024');
  });

  it('counts what was plugged into QEMU since its start', async () => {
    goSandbox('s1');
    kata.write('vc/sbs/s1/persist.json', persist('s1', { Pid: 120, HotpluggedMemory: 512, HotpluggedVCPUs: [{ ID: 'a' }, { ID: 'b' }] }));
    expect(await kata.list()).toMatchObject([{ vcpus: 3, memoryBytes: 2560 * 1024 * 1024 }]);
  });

  it('finds VMM and virtiofsd as children of the shim where no file names them', async () => {
    goSandbox('s1');
    kata.write('vc/sbs/s1/persist.json', '{}');
    expect(await kata.list()).toMatchObject([{ process: { pid: 120 }, companions: [{ pid: 100 }, { role: 'virtiofsd', pid: 110 }] }]);
  });

  it('finds the shim as the parent of the VMM where there is no bundle', async () => {
    kata.program(100, { argv: ['/opt/renamed', '-namespace', 'k8s.io', '-id=s1'] });
    kata.qemu(120, 's1', { parent: 100 });
    kata.write('vc/sbs/s1/persist.json', persist('s1', { Pid: 120 }));
    expect(await kata.list()).toMatchObject([{ process: { pid: 120 }, companions: [{ role: 'shim', pid: 100 }] }]);
  });

  it('finds a bundle of CRI-O, and the shim that it names', async () => {
    goSandbox('s1');
    kata.proc.removeProcess(110);
    kata.write(`containers/storage/overlay-containers/s2/userdata/config.json`, podSpec('s2'));
    kata.write(`containers/storage/overlay-containers/s2/userdata/shim.pid`, '200');
    kata.program(200, { argv: ['/opt/renamed', '-namespace', 'ns', '-id', 's2'] });
    kata.directory('vc/sbs/s2');
    expect((await kata.list())[1]).toMatchObject({ id: 's2', name: 'pod-of-s2', companions: [{ pid: 200 }] });
  });

  it('takes the virtiofsd that works: the child of one that sandboxed itself', async () => {
    goSandbox('s1');
    kata.virtiofsd(111, 's1', 110);
    expect((await kata.list())[0].companions).toContainEqual({ role: 'virtiofsd', pid: 111, startTicks: 111 });
  });

  it('is still there when only its VMM is, whatever that calls itself', async () => {
    goSandbox('s1');
    kata.proc.removeProcess(120);
    kata.program(120, { argv: ['/usr/bin/qemu-system-x86_64', '-name', 'from-a-template'], vm: true, parent: 100 });
    kata.write('vc/sbs/s1/persist.json', '{}');
    expect(await kata.list()).toMatchObject([{ process: { pid: 120 } }]);
    kata.proc.removeProcess(100);
    for (const [pid, argv] of [
      [110, ['/usr/libexec/virtiofsd', '--shared-dir=/s1/shared']],
      [120, ['/usr/bin/qemu-system-x86_64', '-name', 'from-a-template']],
    ] as const)
      kata.proc.write(
        `${pid}/stat`,
        statLine({ pid, comm: argv[0].slice(argv[0].lastIndexOf('/') + 1).slice(0, 15), startTicks: pid, parent: 1 }),
      );
    expect(await kata.list()).toMatchObject([{ id: 's1', name: 'pod-of-s1', process: { pid: 120 }, companions: [{ role: 'virtiofsd' }] }]);
  });

  it('knows a jailed Firecracker by the id that Kata cut to 32 characters', async () => {
    kata.shim(100, LONG);
    kata.bundle(LONG, 100);
    kata.program(120, firecracker(CUT));
    kata.write(`vc/sbs/${LONG}/persist.json`, persist(LONG, { Type: 'firecracker' }));
    expect(await kata.list()).toMatchObject([{ id: LONG, hypervisor: 'firecracker', process: { pid: 120 } }]);
  });
});

describe('a sandbox of runtime-rs', () => {
  it('with QEMU is found by the shim’s children; its argv tells the agent', async () => {
    kata.shim(100, 's1');
    kata.virtiofsd(110, 's1', 100);
    const argv = ['/usr/bin/qemu-system-x86_64', '-name', 'sandbox-s1', '-device', 'vhost-vsock-pci,guest-cid=42'];
    kata.program(120, { argv, vm: true, parent: 100 });
    kata.bundle('s1', 100);
    kata.write('kata/s1/state.json', rustState('s1', 'qemu', { netns: null }));
    expect(await kata.list()).toMatchObject([
      {
        hypervisor: 'qemu',
        process: { pid: 120 },
        companions: [{ pid: 100 }, { pid: 110 }],
        sandbox: {
          runtime: 'rust',
          directory: kata.run('kata/s1'),
          agentUrl: 'vsock://42:1024',
          networkNamespace: '/var/run/netns/cni-bundle',
        },
      },
    ]);
  });

  it('with Dragonball is the shim itself', async () => {
    kata.shim(100, 's1', { vm: true });
    kata.bundle('s1', 100);
    kata.write('kata/s1/state.json', rustState('s1', 'dragonball'));
    expect(await kata.list()).toMatchObject([
      {
        hypervisor: 'dragonball',
        process: { pid: 100, startTicks: 100 },
        companions: [{ role: 'shim', pid: 100, startTicks: 100 }],
        sandbox: { runtime: 'rust', vmmInShim: true, agentUrl: 'hvsock:///run/kata/s1/root/kata.hvsock:1024' },
      },
    ]);
  });

  it('with Dragonball is found without its bundle, by the VM that the shim holds', async () => {
    kata.shim(100, 's1', { vm: true });
    kata.directory('kata/s1');
    expect(await kata.list()).toMatchObject([{ process: { pid: 100 }, companions: [{ pid: 100 }], sandbox: { vmmInShim: true } }]);
  });

  it('with Cloud Hypervisor is found by the directory of its socket when it has no parent any more', async () => {
    const argv = ['/opt/kata/bin/cloud-hypervisor', '--api-socket', '/run/kata/s1/ch-api.sock'];
    kata.program(120, { argv, vm: true });
    kata.write('kata/s1/state.json', rustState('s1', 'clh'));
    expect(await kata.list()).toMatchObject([{ hypervisor: 'cloud-hypervisor', process: { pid: 120 }, companions: [] }]);
  });

  it('with a jailed Firecracker has its files in the jail; `firecracker` itself is no sandbox', async () => {
    kata.shim(100, 's1');
    kata.bundle('s1', 100);
    kata.program(120, firecracker('s1'));
    kata.write(
      'kata/firecracker/s1/root/state.json',
      rustState('s1', 'firecracker', { jailed: true, vm_path: '/run/kata/firecracker/s1' }),
    );
    const [record, ...others] = await kata.list();
    expect(others).toEqual([]);
    expect(record).toMatchObject({ id: 's1', process: { pid: 120 }, sandbox: { runtime: 'rust' } });
    expect(record.sandbox?.agentUrl).toBe('hvsock:///run/kata/firecracker/s1/root/kata.hvsock:1024');
    expect(record.sandbox?.directory).toBeUndefined();
    mkdirSync(kata.run('kata/s1'));
    expect((await kata.list())[0].sandbox?.directory).toBe(kata.run('kata/s1'));
    expect(kata.source.directories.roots).toMatchObject([{ counts: { running: 1, stale: 0, phantom: 0 } }]);
  });
});

describe('a shim without a VMM', () => {
  it('is initializing while it is young, then unknown, and never runs', async () => {
    kata.shim(100, 's1', { startTicks: kata.proc.clock.ms / 10 - 100 });
    kata.bundle('s1', 100);
    kata.directory('vc/sbs/s1');
    const [record] = await kata.list();
    expect(record).toMatchObject({ id: 's1', state: 'initializing', companions: [{ pid: 100 }], sandbox: { runtime: 'go' } });
    expect(record.process).toBeUndefined();
    expect(kata.source.directories.roots[0].counts).toMatchObject({ starting: 1, running: 0, live: 1 });
    expect(kata.source.problems.size).toBe(0);
    kata.proc.clock.ms += 100_000;
    expect(await kata.list()).toMatchObject([{ state: 'unknown' }]);
    expect(Object.fromEntries(kata.source.problems)).toEqual({
      s1: 'its shim lives, but no VMM of it was found',
      'vc/sbs/s1': 'persist.json: the file is missing',
    });
  });

  it('is named, and so is a VMM without a shim', async () => {
    kata.shim(100, 's1', { startTicks: kata.proc.clock.ms / 10 - 100 });
    kata.bundle('s1', 100);
    kata.qemu(120, 's1', { parent: 100, startTicks: kata.proc.clock.ms / 10 - 50 });
    kata.directory('vc/sbs/s1');
    await kata.list();
    expect(kata.source.problems.get('s1')).toBeUndefined();
    kata.proc.removeProcess(100);
    expect(await kata.list()).toMatchObject([{ process: { pid: 120 }, companions: [] }]);
    expect(kata.source.problems.get('s1')).toBe('its VMM lives, but no shim of it was found');
  });

  it('is unknown, however young, once it has had one', async () => {
    kata.shim(100, 's1', { startTicks: kata.proc.clock.ms / 10 - 100 });
    kata.bundle('s1', 100);
    kata.qemu(120, 's1', { parent: 100, startTicks: kata.proc.clock.ms / 10 - 50 });
    expect(await kata.list()).toMatchObject([{ process: { pid: 120 } }]);
    kata.proc.removeProcess(120);
    for (let i = 0; i < 2; i++) expect(await kata.list()).toMatchObject([{ state: 'unknown' }]);
  });

  it('is found by its bundle alone before Kata has made its directory', async () => {
    kata.shim(100, 's1');
    kata.bundle('s1', 100);
    expect(await kata.list()).toMatchObject([{ id: 's1', name: 'pod-of-s1', companions: [{ role: 'shim', pid: 100 }] }]);
  });

  it('does not count its short-lived helpers', async () => {
    kata.bundle('s1', undefined);
    kata.directory('kata/s1');
    for (const [pid, word] of [
      [100, 'start'],
      [101, 'delete'],
    ] as const)
      kata.program(pid, { argv: [SHIM, '-namespace', 'k8s.io', '-id', 's1', '-bundle', '/b', word] });
    expect(await kata.list()).toEqual([]);
  });

  it('is no sandbox when it is runc’s, and its bundle is not even looked at', async () => {
    kata.program(100, { argv: ['/usr/bin/containerd-shim-runc-v2', '-namespace', 'k8s.io', '-id', 'c1'] });
    kata.bundle('c1', 100);
    expect(await kata.list()).toEqual([]);
    expect(kata.source.directories).toEqual({ present: false, roots: [] });
  });

  it('is no sandbox when its bundle is a container’s that joined another', async () => {
    goSandbox('s1');
    kata.shim(200, 'c1');
    kata.bundle('c1', 200, podSpec('s1', { 'io.kubernetes.cri.container-type': 'container' }));
    expect((await kata.list()).map(({ id }) => id)).toEqual(['s1']);
  });
});
