import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AgentOptions, AgentProcess, builtAgent, PROGRAM } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child, childrenOf, startTicksOf } from './child.js';
import { eventually } from './eventually.js';
import { MountNamespace } from './mount-namespace.js';
import { BASICS, describeWith, kvm, program, qemu, works } from './needs.js';
import { QmpClient } from './qmp-client.js';
import { IDLE_MACHINE, startQemu } from './real-qemu.js';

/** VMs that want more than 1000 descriptors. */
const MANY = 120;
/** nobody of Debian: owns nothing. */
const USER = 65534;
const asNobody = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', '--'];

interface Capability {
  readonly name: string;
  readonly status: string;
  readonly reason: string | null;
  readonly need: string;
  readonly detail: string;
  readonly fix: { readonly steps: readonly { readonly where: string; readonly line: string }[] } | null;
  readonly affects: { readonly count: number; readonly first: readonly string[] };
}

/** What doctor says of one capability. */
interface Word {
  readonly code: number | null;
  readonly capability: Capability;
}

/** Asks no agent: its address is no one's. */
function doctor(name: string, { through = [], flags = [] }: { through?: readonly string[]; flags?: readonly string[] } = {}): Word {
  const [first, ...rest] = [...through, process.execPath, PROGRAM, 'doctor', '--json', '--web.listen-address=127.0.0.1:0', ...flags];
  const { status, stdout, stderr } = spawnSync(first, rest, { encoding: 'utf8', env: { ...process.env, VMGAUGE_LOG_LEVEL: 'error' } });
  if (stdout === '') throw new Error(`doctor said nothing: ${stderr}`);
  // The shape is the agent's promise; what the tests read of it they compare.
  const { capabilities } = JSON.parse(stdout) as { capabilities: Capability[] };
  return { code: status, capability: capabilities.find((one) => one.name === name) ?? expect.fail(`no capability ${name}`) };
}

/** The line of the fix for this place. */
function line({ capability: { name, fix } }: Word, where: string, start = ''): string {
  const step = fix?.steps.find((one) => one.where === where && one.line.startsWith(start));
  return step?.line ?? expect.fail(`${name} has no fix for ${where}`);
}

/** As systemd does by a line of a unit. */
function withRights(unitLine: string): readonly string[] {
  const [, rights] = /^AmbientCapabilities=(.+)$/.exec(unitLine) ?? expect.fail(unitLine);
  const words = rights.split(' ').map((right) => `+${right.replace('CAP_', '').toLowerCase()}`);
  return [...asNobody.slice(0, -1), `--inh-caps=${words.join()}`, `--ambient-caps=${words.join()}`, '--'];
}

const mayRun = works('another user cannot run the agent here', [...asNobody, process.execPath, PROGRAM, '--version']);
const mayMount = works('nothing can be mounted here', ['unshare', '--mount', 'mount', '-t', 'proc', '-o', 'hidepid=2', 'proc', '/proc']);

// Each test finds something missing, does what the fix says, and looks again.
describeWith('doctor', [...BASICS, builtAgent, qemu, kvm, mayRun, mayMount, program('prlimit', 'util-linux')], () => {
  const belongings = new Belongings();
  let directory: string;
  let uuid: string;
  let pid: number;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-doctor-'));
    belongings.own(() => rmSync(directory, { recursive: true, force: true }));
    chmodSync(directory, 0o755);
    // The first of all ids, whatever else runs on this machine.
    uuid = `00000000${randomUUID().slice(8)}`;
    ({ pid } = await startQemu(belongings, [...IDLE_MACHINE, '-uuid', uuid, '-m', '64']));
  });
  afterAll(() => belongings.release());

  /** A QEMU of root whose monitor is reserved for whoever has these settings. */
  async function startDoor({ option = '-qmp' } = {}) {
    const id = randomUUID();
    const socket = join(directory, `${id}.sock`);
    const { pid } = await startQemu(belongings, [...IDLE_MACHINE, '-uuid', id, '-m', '64', option, `unix:${socket},server=on,wait=off`], {
      socket,
    });
    return { id, pid, socket, settings: { 'vmm.qmp-reserved': socket }, flags: [`--vmm.qmp-reserved=${socket}`] };
  }

  /** What an agent says of a capability, as soon as it says that. */
  async function asked(options: AgentOptions, name: string, holds: (capability: Capability) => boolean): Promise<Word> {
    const agent = await AgentProcess.start(belongings, { ...options, flags: { 'vmm.interval': '1s', ...options.flags } });
    try {
      return await eventually(`the word of an agent on ${name}`, async () => {
        // The shape is the agent's promise; what the tests read of it they compare.
        const { healthy, capabilities } = JSON.parse(await agent.read('/capabilities')) as { healthy: boolean; capabilities: Capability[] };
        const capability = capabilities.find((one) => one.name === name) ?? expect.fail(`no capability ${name}`);
        return holds(capability) && { code: healthy ? 0 : 1, capability };
      });
    } finally {
      await agent.end();
    }
  }

  it('finds nothing to repair as root, and ends with 0', () => {
    const word = doctor('processes_of_others');
    expect(word).toMatchObject({ code: 0, capability: { status: 'ok' } });
    expect(doctor('qmp').capability.detail).toMatch(/running QEMU/);
  });

  it('misses rights as nobody and ends with 1, and has them with the line for the unit file', () => {
    const before = doctor('processes_of_others', { through: asNobody });
    expect(before).toMatchObject({ code: 1, capability: { status: 'absent', reason: 'not_permitted', need: 'required' } });
    const through = withRights(line(before, 'systemd unit', 'Ambient'));
    expect(doctor('processes_of_others', { through })).toMatchObject({ code: 0, capability: { status: 'ok' } });
  });

  it('names the VM of another user whose files are refused, where a registration names it', () => {
    const ticks = startTicksOf(pid);
    const registered = join(directory, 'refused.json');
    writeFileSync(registered, JSON.stringify({ instances: [{ id: uuid, pid, start_ticks: ticks }] }));
    const flags = [`--source.file.path=${registered}`];
    const before = doctor('process_io', { through: asNobody, flags });
    expect(before).toMatchObject({ code: 1, capability: { reason: 'not_permitted', affects: { count: 1, first: [uuid] } } });
    const through = withRights(line(before, 'systemd unit', 'Ambient'));
    expect(doctor('process_io', { through, flags })).toMatchObject({ code: 0, capability: { status: 'ok' } });
  });

  it('misses processes that hidepid hides, and sees them after the remount or with the rights', async () => {
    const namespace = await MountNamespace.start(belongings);
    namespace.shell('mount -t proc -o hidepid=2 proc /proc');
    const nobody = { through: [...namespace.entrance, ...asNobody] };
    const before = doctor('process_visibility', nobody);
    expect(before).toMatchObject({ code: 1, capability: { reason: 'not_permitted', need: 'required' } });
    expect(doctor('process_visibility', { through: namespace.entrance }).capability.status).toBe('ok');
    const capable = [...namespace.entrance, ...withRights(line(before, 'systemd unit', 'Ambient'))];
    expect(doctor('process_visibility', { through: capable })).toMatchObject({ code: 0, capability: { status: 'ok' } });
    namespace.shell(line(before, 'shell'));
    expect(doctor('process_visibility', nobody).capability.status).toBe('ok');
  });

  it('misses the host in a PID namespace, and has it with the procfs of the host', async () => {
    const namespace = await MountNamespace.start(belongings);
    const proc = join(directory, 'host-proc');
    mkdirSync(proc);
    namespace.shell(`mount --rbind /proc ${proc}`);
    const through = [...namespace.entrance, 'unshare', '--pid', '--fork', '--mount-proc', '--kill-child', '--'];
    const before = doctor('pid_namespace', { through });
    expect(before).toMatchObject({ code: 1, capability: { reason: 'not_configured', need: 'required' } });
    const flags = [line(before, 'vmgauge flag').replace('/host/proc', proc)];
    expect(doctor('pid_namespace', { through, flags }).capability.status).toBe('ok');
    expect(doctor('kvm_statistics', { through, flags: [...flags, '--path.sysfs=/nonexistent'] }).capability.affects.first).toContain(uuid);
  });

  it('misses room for descriptors of many VMs, and has it with a higher limit', async () => {
    const many = await Child.start([
      'bash',
      '-c',
      `for ((i = 0; i < ${MANY}; i++)); do setpriv --pdeathsig KILL sleep 100000 & done; wait`,
    ]);
    belongings.own(() => many.kill());
    const pids = await eventually('many processes', () => {
      const children = childrenOf(many.pid);
      return children.length === MANY && children;
    });
    const instances = pids.map((one) => ({ id: `many-${one}`, pid: one, start_ticks: startTicksOf(one) }));
    const registered = join(directory, 'many.json');
    writeFileSync(registered, JSON.stringify({ instances }));
    const flags = [`--source.file.path=${registered}`];
    const limited = (files: number) => doctor('descriptor_limit', { through: ['prlimit', `--nofile=${files}:${files}`, '--'], flags });
    // The program itself opens hundreds of its own files at its start.
    const before = limited(1000);
    expect(before.capability).toMatchObject({ reason: 'not_configured', need: 'optional' });
    const [, enough] = /^LimitNOFILE=(\d+)$/.exec(line(before, 'systemd unit')) ?? expect.fail('no limit');
    expect(Number(enough)).toBeGreaterThan(1000);
    // As much more as this machine may give: raising the hard limit takes a right that a container lacks.
    expect(limited(4096).capability.status).toBe('ok');
  });

  it('misses a monitor of QEMU, and has it with the very argument', async () => {
    const run = join(directory, 'run-of-qemu');
    mkdirSync(join(run, 'vmgauge'), { recursive: true });
    const flags = [`--path.run=${run}`];
    const before = doctor('qmp', { flags });
    expect(before.capability).toMatchObject({ status: 'absent', need: 'optional', affects: { first: expect.arrayContaining([uuid]) } });
    const another = `00000000${randomUUID().slice(8)}`;
    const words = line(before, 'qemu arguments').replace('NAME', another).split(' ');
    const socket = join(run, 'vmgauge', `vmgauge-${another}.sock`);
    await startQemu(belongings, [...IDLE_MACHINE, '-uuid', another, '-m', '64', ...words], { socket });
    const { affects } = doctor('qmp', { flags }).capability;
    expect(affects.first).toContain(uuid);
    expect(affects.first).not.toContain(another);
  });

  it('does not say that nothing runs where it cannot look, and says it as root', () => {
    for (const name of ['network_namespaces', 'stratovirt_qmp', 'firecracker_metrics']) {
      const { capability } = doctor(name, { through: asNobody });
      expect(capability).toMatchObject({ status: 'absent', reason: 'not_permitted', detail: expect.stringContaining('that can be seen') });
      expect(doctor(name).capability.detail).not.toContain('that can be seen');
    }
  });

  it('misses the right to connect, which the right to read everything is not, and has it with the line for the unit file', async () => {
    const { id, flags } = await startDoor();
    const readers = withRights(line(doctor('processes_of_others', { through: asNobody }), 'systemd unit', 'Ambient'));
    const before = doctor('vmm_sockets', { through: readers, flags });
    expect(before.capability).toMatchObject({ reason: 'not_permitted', need: 'optional', affects: { count: 1, first: [id] } });
    const through = withRights(line(before, 'systemd unit', 'Ambient'));
    expect(doctor('vmm_sockets', { through, flags }).capability.status).toBe('ok');
    expect(doctor('qmp', { flags }).capability.detail).toContain('; doors were not tried');
  });

  it('names the monitors that refuse, and has them with the line for the unit file', async () => {
    const { id, settings } = await startDoor();
    const readers = withRights(line(doctor('processes_of_others', { through: asNobody }), 'systemd unit', 'Ambient'));
    const before = await asked({ through: readers, flags: settings }, 'qmp', ({ reason }) => reason === 'not_permitted');
    expect(before.capability).toMatchObject({
      need: 'required',
      detail: expect.stringContaining(`1 does not answer: ${id} (not_permitted)`),
    });
    const through = withRights(line(before, 'systemd unit', 'Ambient'));
    const after = await asked({ through, flags: settings }, 'qmp', ({ detail }) => !detail.includes('tried'));
    expect(after.capability.detail).toMatch(/^1 of \d+ running QEMUs? has a door for this agent(; \d+ monitors? of .*)?$/);
  });

  it('names the monitors that do not answer, each with its reason', async () => {
    const [taken, pretty, gone, hung] = [
      await startDoor(),
      await startDoor({ option: '-qmp-pretty' }),
      await startDoor(),
      await startDoor(),
    ];
    const client = await QmpClient.connect(taken.socket);
    belongings.own(() => client.close());
    rmSync(gone.socket);
    process.kill(hung.pid, 'SIGSTOP');
    const settings = { 'vmm.qmp-reserved': [taken, pretty, gone, hung].map(({ socket }) => socket).join(',') };
    const wanted = [`${taken.id} (busy)`, `${pretty.id} (malformed)`, `${gone.id} (not_configured)`, `${hung.id} (timeout)`];
    const word = await asked({ flags: settings }, 'qmp', ({ detail }) => wanted.every((words) => detail.includes(words)));
    expect(word.capability).toMatchObject({ status: 'absent', reason: 'not_configured', need: 'required' });
    expect(word.capability.detail).toContain('; 4 do not answer: ');
  });

  it('misses nothing that KVM counts for a guest that runs without KVM', async () => {
    const emulated = `00000000${randomUUID().slice(8)}`;
    await startQemu(belongings, ['-accel', 'tcg', ...IDLE_MACHINE.slice(2), '-uuid', emulated, '-m', '64']);
    const { affects } = doctor('kvm_statistics', { flags: ['--path.sysfs=/nonexistent'] }).capability;
    expect(affects.first).toContain(uuid);
    expect(affects.first).not.toContain(emulated);
  });

  it('misses cgroups, and has them after the mount', async () => {
    const namespace = await MountNamespace.start(belongings);
    namespace.shell('mount -t tmpfs none /sys/fs/cgroup');
    const before = doctor('cgroup_hierarchy', { through: namespace.entrance });
    expect(before.capability).toMatchObject({ reason: 'not_configured' });
    namespace.shell(line(before, 'shell'));
    expect(doctor('cgroup_hierarchy', { through: namespace.entrance }).capability).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('version 2'),
    });
  });

  it('misses debugfs, and has it after the mount, as far as the kernel is not locked down', async () => {
    const namespace = await MountNamespace.start(belongings);
    namespace.shell('mount -t tmpfs none /sys/kernel/debug; mount -t tmpfs none /sys/kernel/security');
    const unknown = doctor('kernel_lockdown', { through: namespace.entrance });
    expect(unknown.capability).toMatchObject({ reason: expect.stringMatching(/^(not_configured|unsupported)$/) });
    const before = doctor('kvm_statistics', { through: namespace.entrance });
    expect(before.capability).toMatchObject({
      reason: 'not_configured',
      need: 'optional',
      affects: { first: expect.arrayContaining([uuid]) },
    });
    namespace.shell(`umount /sys/kernel/security; ${line(unknown, 'shell')} || true`);
    namespace.shell(line(before, 'shell'));
    const { capability: locked } = doctor('kernel_lockdown', { through: namespace.entrance });
    const { capability } = doctor('kvm_statistics', { through: namespace.entrance });
    expect(capability).toMatchObject(
      locked.status === 'absent' && locked.reason === 'lockdown' ? { reason: 'lockdown' } : { status: 'ok' },
    );
  });

  it('misses the run state of libvirt that root alone may read, and has it with the rights', () => {
    const run = join(directory, 'run');
    mkdirSync(join(run, 'libvirt', 'qemu'), { recursive: true });
    chmodSync(join(run, 'libvirt', 'qemu'), 0o700);
    const flags = [`--path.run=${run}`];
    const before = doctor('source_libvirt', { through: asNobody, flags });
    expect(before).toMatchObject({ code: 1, capability: { reason: 'not_permitted', need: 'required' } });
    const through = withRights(line(before, 'systemd unit', 'Ambient'));
    expect(doctor('source_libvirt', { through, flags }).capability).toMatchObject({ status: 'ok' });
  });

  it('misses a source and a collector that are off, and has them with their flags', () => {
    const registered = join(directory, 'instances.json');
    writeFileSync(registered, '{"instances": []}');
    for (const [name, value] of [
      ['source_file', registered],
      ['memory_maps', ''],
    ]) {
      const before = doctor(name);
      expect(before.capability).toMatchObject({ reason: 'not_configured', need: 'none' });
      const flags = [line(before, 'vmgauge flag').replace('FILE', value)];
      expect(doctor(name, { flags }).capability.status).toBe('ok');
    }
  });
});
