import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { startTicksOf } from './child.js';
import { BASICS, compiler, describeWith, iproute, kvm, tun, works } from './needs.js';
import { freshInterfaceName } from './network-namespace.js';
import { StandIn, StandInPrograms } from './stand-in.js';

const NOBODY = 65534;
const FAKE_QEMU = '/usr/bin/qemu-system-x86_64';
const userNamespaces = works('user namespaces', ['unshare', '--user', '--map-root-user', '--mount', 'true']);

// Agent: root, with CAP_SYS_PTRACE over the jailed process, which belongs to another user and has mounts of its own.
// The test: CAP_SYS_ADMIN and CAP_MKNOD for the jail, CAP_SETUID to leave it to another user.
describeWith('which processes are VMs', [...BASICS, builtAgent, compiler, iproute, kvm, tun], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let agent: AgentProcess;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    agent = await AgentProcess.start(belongings);
  });
  afterAll(() => belongings.release());

  it('Cloud Hypervisor by its descriptor, described by its argv', async () => {
    const tap = freshInterfaceName();
    const socket = join(programs.directory, `guests/${randomUUID()}/ch.sock`);
    mkdirSync(dirname(socket), { recursive: true });
    const vmm = await StandIn.start(
      belongings,
      [
        ...[programs.named('cloud-hypervisor'), '--api-socket', socket, '--cpus', 'boot=3,max=8', '--memory', 'size=512M,shared=on'],
        ...['--kernel', '/var/lib/vmlinux', '--net', `tap=${tap},mac=02:00:00:00:00:07,id=net0`, '--serial', 'off'],
      ],
      ['kvm 3', `tap ${tap}`, `listen ${socket}`],
    );
    const detail = await agent.find(vmm.pid);

    expect(detail).toMatchObject({
      id: dirname(socket).split('/').at(-1),
      hypervisor: 'cloud-hypervisor',
      state: 'running',
      allocated: { vcpus: 3, memory_bytes: 512 << 20 },
      interfaces: [{ kind: 'tap', name: tap, mac: '02:00:00:00:00:07', device: 'net0' }],
      sockets: [socket],
      processes: [{ pid: vmm.pid, start_ticks: startTicksOf(vmm.pid) }],
    });
  });

  it('Cloud Hypervisor that gets its VM by API, its vCPUs counted from descriptors', async () => {
    const socket = join(programs.directory, 'api.sock');
    const vmm = await StandIn.start(
      belongings,
      [programs.named('cloud-hypervisor'), '--api-socket', socket],
      ['kvm 5', `listen ${socket}`],
    );

    expect(await agent.find(vmm.pid)).toMatchObject({
      hypervisor: 'cloud-hypervisor',
      allocated: { vcpus: 5, memory_bytes: null },
      sockets: [socket],
    });
  });

  it('Firecracker, its vCPUs counted from descriptors and its taps taken from them', async () => {
    const id = randomUUID();
    const taps = [freshInterfaceName(), freshInterfaceName()];
    const socket = join(programs.directory, `${id}.socket`);
    const vmm = await StandIn.start(
      belongings,
      [programs.named('firecracker-v1.13.1-x86_64'), '--api-sock', socket, '--id', id],
      ['kvm 4', ...taps.map((tap) => `tap ${tap}`)],
    );

    expect(await agent.find(vmm.pid)).toMatchObject({
      id,
      hypervisor: 'firecracker',
      allocated: { vcpus: 4, memory_bytes: null },
      interfaces: taps.map((name) => ({ kind: 'tap', name })),
      sockets: [socket],
    });
  });

  it('Firecracker in a jail: another user, mounts of its own, another root', async () => {
    const id = randomUUID();
    const tap = freshInterfaceName();
    const jail = join(programs.directory, 'srv/jailer/firecracker', id, 'root');
    mkdirSync(jail, { recursive: true });
    copyFileSync(programs.named('firecracker'), join(jail, 'firecracker'));
    execFileSync('ip', ['tuntap', 'add', 'dev', tap, 'mode', 'tap', 'user', String(NOBODY)]);
    belongings.own(() => execFileSync('ip', ['link', 'delete', tap]));
    const words = ['--id', id, '--start-time-us', '52081350', '--start-time-cpu-us', '1102', '--parent-cpu-time-us', '1003'];
    const vmm = await StandIn.start(
      belongings,
      [programs.launcher, 'jail', jail, String(NOBODY), '--', '/firecracker', 'firecracker', ...words],
      ['kvm 2', `tap ${tap}`],
    );
    const detail = await agent.find(vmm.pid);

    expect(detail).toMatchObject({
      id,
      hypervisor: 'firecracker',
      allocated: { vcpus: 2 },
      interfaces: [{ kind: 'tap', name: tap }],
      processes: [{ pid: vmm.pid, uid: NOBODY, executable: '/firecracker' }],
    });
    expect((await agent.stats(id)).network.interfaces).toMatchObject([{ name: tap, outcome: 'ok' }]);
  });

  it('StratoVirt by its descriptor, described by its argv', async () => {
    const uuid = randomUUID();
    const socket = join(programs.directory, 'stratovirt.sock');
    const vmm = await StandIn.start(
      belongings,
      [
        ...[programs.named('stratovirt'), '-name', 'strato', '-uuid', uuid, '-machine', 'microvm', '-smp', '2', '-m', '256'],
        ...['-qmp', `unix:${socket},server,nowait`],
      ],
      ['kvm 2'],
    );

    expect(await agent.find(vmm.pid)).toMatchObject({
      id: uuid,
      name: 'strato',
      hypervisor: 'stratovirt',
      allocated: { vcpus: 2, memory_bytes: 256 << 20 },
      sockets: [socket],
    });
  });

  it('any other holder of a kvm-vm descriptor, as kvm', async () => {
    const tap = freshInterfaceName();
    const vmm = await StandIn.start(
      belongings,
      [programs.named('own-vmm'), '-uuid', randomUUID(), '--id', 'mine'],
      ['kvm 6', `tap ${tap}`],
    );

    expect(await agent.find(vmm.pid)).toMatchObject({
      id: `kvm-${vmm.pid}-${startTicksOf(vmm.pid)}`,
      hypervisor: 'kvm',
      allocated: { vcpus: 6, memory_bytes: null },
      interfaces: [{ kind: 'tap', name: tap }],
    });
  });

  it('a process that makes its VM later, from then on', async () => {
    const vmm = await StandIn.start(belongings, [programs.named('firecracker'), '--id', randomUUID()]);
    await agent.rescanned();
    expect((await agent.list()).map(({ pid }) => pid)).not.toContain(vmm.pid);
    await vmm.tell('kvm 1');

    expect(await agent.find(vmm.pid)).toMatchObject({ hypervisor: 'firecracker', allocated: { vcpus: 1 } });
  });

  it('never one that only looks like QEMU by argv, comm and the name of its file', async () => {
    const argv = ['-name', 'guest=fake', '-uuid', randomUUID(), '-accel', 'kvm', '-m', '64'];
    const file = await StandIn.start(belongings, [programs.named('qemu-system-x86_64'), ...argv], ['comm 71656d752d73797374656d2d783836']);
    const script = await StandIn.start(belongings, ['bash', '-c', 'echo ready; read line', FAKE_QEMU, ...argv], []);
    const renamed = await StandIn.start(belongings, ['bash', '-c', 'echo ready; read line', ...argv], [], { argv0: FAKE_QEMU });
    const holder = await StandIn.start(belongings, [programs.named('kvm'), ...argv], [`tap ${freshInterfaceName()}`]);
    await agent.rescanned();
    const pids = (await agent.list()).map(({ pid }) => pid);

    for (const { pid } of [file, script, renamed, holder]) expect(pids).not.toContain(pid);
  });
});

describeWith('the path of an executable as evidence', [...BASICS, builtAgent, compiler, kvm, userNamespaces], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let agent: AgentProcess;
  // A listed path in mounts of one's own; nothing on the host changes.
  const script = `mount --bind "$0" ${FAKE_QEMU} && exec ${FAKE_QEMU} "$@"`;
  const argv = ['-name', 'guest=fake', '-m', '64', '-nodefaults'];

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    agent = await AgentProcess.start(belongings);
  });
  afterAll(() => belongings.release());

  it('counts for a process of the host with a listed path', async () => {
    const vmm = await StandIn.start(belongings, ['unshare', '--mount', 'bash', '-c', script, programs.named('any'), ...argv]);

    expect(await agent.find(vmm.pid)).toMatchObject({ name: 'fake', hypervisor: 'qemu', processes: [{ executable: FAKE_QEMU }] });
  });

  it('counts for nothing in a user namespace, where anybody may mount anything there', async () => {
    const words = ['unshare', '--user', '--map-root-user', '--mount', 'bash', '-c', script, programs.named('any'), ...argv];
    const vmm = await StandIn.start(belongings, words);
    await agent.rescanned();
    expect((await agent.list()).map(({ pid }) => pid)).not.toContain(vmm.pid);

    await vmm.tell('kvm 1');
    expect(await agent.find(vmm.pid)).toMatchObject({ hypervisor: 'qemu' });
  });
});
