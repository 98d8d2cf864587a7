import { randomUUID } from 'node:crypto';
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Answers, BALLOON_STATS, COUNTERS, ERRORS, event, FakeCloudHypervisor, INFO } from '../fake-cloud-hypervisor.js';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith } from './needs.js';
import type { VmmStats } from './stats-document.js';

/** Its API in a process of its own that bears the VMM's name: what Node runs is not what /proc shows. */
const SERVER = resolve(import.meta.dirname, '../fake-cloud-hypervisor.ts');

/** Cloud Hypervisor has no package. Its executable is a copy of Node's, listed as a VMM; its socket, its bytes and its process are real. */
class CloudHypervisor {
  private constructor(
    readonly child: Child,
    readonly directory: string,
  ) {}

  static async start(belongings: Belongings, program: string): Promise<CloudHypervisor> {
    const directory = join(dirname(program), 'guests', randomUUID());
    mkdirSync(directory, { recursive: true });
    const words = [
      '--event-monitor',
      `path=${join(directory, 'events.json')}`,
      '--cpus',
      'boot=2',
      '--memory',
      'size=1G',
      '--kernel',
      '/k',
    ];
    const child = await Child.start([program, SERVER, '--api-socket', join(directory, 'ch.sock'), ...words]);
    belongings.own(() => child.kill());
    await child.lineThat(/^ready$/);
    return new CloudHypervisor(child, directory);
  }

  get id(): string {
    return basename(this.directory);
  }
  get pid(): number {
    return this.child.pid;
  }
  get socket(): string {
    return join(this.directory, 'ch.sock');
  }

  /** Other answers from now on. @returns connections taken, connections refused, and the most questions under way at one time, so far */
  async tell(answers: Answers): Promise<{ accepted: number; refused: number; mostPending: number }> {
    this.child.write(`${JSON.stringify(answers)}\n`);
    const [, accepted, refused, mostPending] = await this.child.lineThat(/^ok (\d+) (\d+) (\d+)$/);
    return { accepted: Number(accepted), refused: Number(refused), mostPending: Number(mostPending) };
  }

  happens(name: string): void {
    appendFileSync(join(this.directory, 'events.json'), event('vm', name));
  }
}

const infoWith = (change: object): string => JSON.stringify({ ...JSON.parse(INFO), ...change });
const leave = (clients: readonly Socket[]): void => {
  for (const client of clients) client.destroy();
};
const failures = ({ collectors }: VmmStats): unknown[] => Object.entries(collectors).filter(([, { outcome }]) => outcome === 'failed');

// The agent: root, with CAP_SYS_PTRACE over the VMM.
describeWith('Cloud Hypervisor', [...BASICS, builtAgent], () => {
  const belongings = new Belongings();
  let program: string;
  let flags: Readonly<Record<string, string>>;
  let agent: AgentProcess;
  let vmm: CloudHypervisor;

  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'vmgauge-system-chv-'));
    belongings.own(() => rmSync(directory, { recursive: true, force: true }));
    program = join(directory, 'cloud-hypervisor');
    copyFileSync(process.execPath, program);
    chmodSync(program, 0o755);
    flags = { 'discovery.vmm-executables': program, 'vmm.interval': '1s', 'vmm.deadline': '5s' };
    vmm = await CloudHypervisor.start(belongings, program);
    agent = await AgentProcess.start(belongings, { flags });
    await agent.find(vmm.pid);
  });
  afterAll(() => belongings.release());

  const stats = (): Promise<VmmStats> => agent.vmmStats(vmm.id);
  const eventuallyStats = (what: string, holds: (document: VmmStats) => unknown): Promise<VmmStats> =>
    eventually(what, async () => {
      const document = await stats();
      return holds(document) ? document : undefined;
    });

  it('tells its state, memory, disks and NICs, in JSON and on the page of metrics', async () => {
    const document = await eventuallyStats('an answer', ({ vmm: { state }, disks }) => state === 'running' && disks?.length === 2);

    expect(document).toMatchObject({
      state: 'running',
      vmm: { dialogue: 'cloud-hypervisor-api', version: 'Cloud Hypervisor 54.0.0', failures: 0 },
      memory: {
        vmm: { allocated_bytes: 1 << 30, hotplugged_bytes: 0 },
        balloon: { actual_bytes: (1 << 30) - (96 << 20), held_bytes: 96 << 20, target_held_bytes: 128 << 20 },
      },
      disks: [
        { device: '_disk0', file: '/var/lib/root.raw', read_only: true, read_bytes: 4_096_000, reads: 1000, written_bytes: 0 },
        { device: 'data', format: 'qcow2', writes: 4, limit_bytes_per_second: 10 << 20, limit_operations_per_second: 500 },
      ],
      network: { devices: [{ device: '_net1', received_bytes: 111, transmitted_bytes: 222, received_frames: 11, transmitted_frames: 22 }] },
      migration: { state: 'none' },
    });
    // Nothing was written yet: 2^64-1 and its tenthousandth are not seconds.
    expect(document.disks[0]).toMatchObject({
      lifetime_read_latency_average_seconds: 57e-6,
      lifetime_write_latency_min_seconds: null,
      lifetime_write_latency_average_seconds: null,
      lifetime_write_latency_max_seconds: null,
    });
    const labels = `{instance_id="${vmm.id}",device="_disk0"}`;
    expect(await agent.sample(`vmgauge_vm_disk_read_bytes_total${labels}`)).toBe(4_096_000);
    expect(await agent.sample(`vmgauge_vm_vmm_network_received_bytes_total{instance_id="${vmm.id}",device="_net1"}`)).toBe(111);
    expect(await agent.read('/metrics')).not.toMatch(/1844674407370955|1\.8446744/);
  });

  it('is asked one question at a time', async () => {
    const { vmm: before } = await stats();
    await eventuallyStats('more questions', ({ vmm: { questions } }) => (questions ?? 0) > (before.questions ?? 0) + 6);
    const { mostPending, refused } = await vmm.tell({});
    expect([mostPending, refused]).toEqual([1, 0]);
  });

  it('tells what changed', async () => {
    await vmm.tell({
      'vm.info': infoWith({ state: 'Paused' }),
      'vm.counters': COUNTERS.replace('"read_bytes":4096000', '"read_bytes":8192000'),
    });
    const paused = await eventuallyStats('a paused VM', ({ vmm: { state } }) => state === 'paused');
    expect(paused).toMatchObject({ state: 'paused', disks: [{ read_bytes: 8_192_000 }, {}] });
    await vmm.tell({ 'vm.info': INFO, 'vm.counters': COUNTERS, 'vm.balloon-stats': BALLOON_STATS });
    await eventuallyStats('a running VM', ({ vmm: { state } }) => state === 'running');
  });

  it('counts its events while they are written, from before the agent was there', async () => {
    await eventuallyStats('events', ({ events }) => events?.booted === 1 && events.stop === 0);
    for (const name of ['paused', 'resumed', 'paused']) vmm.happens(name);
    const { events } = await eventuallyStats('more events', (document) => document.events.stop === 2);
    expect(events).toMatchObject({ booted: 1, resume: 1, reset: 0 });
    expect(await agent.sample(`vmgauge_vm_events_total{event="stop",instance_id="${vmm.id}"}`)).toBe(2);
  });

  it('says that it migrates instead of counting, and that is no failure', async () => {
    await vmm.tell({ 'vm.counters': { status: 500, body: ERRORS.migrating } });
    const document = await eventuallyStats('a migration', ({ migration }) => migration?.state === 'active');
    expect(document.collectors).toMatchObject({
      vmm: { outcome: 'ok' },
      disks: { outcome: 'absent', reason: 'migrating' },
      vnics: { outcome: 'absent', reason: 'migrating' },
    });
    expect(failures(document)).toEqual([]);
    expect(await agent.sample(`vmgauge_vm_disk_read_bytes_total{instance_id="${vmm.id}",device="_disk0"}`)).toBeUndefined();
    await vmm.tell({ 'vm.counters': COUNTERS });
    await eventuallyStats('its counters again', ({ disks }) => disks?.length === 2);
  });

  it('that hangs costs one failed outcome, and no late answer', async () => {
    const { connections: before } = (await stats()).vmm;
    vmm.child.signal('SIGSTOP');
    try {
      const document = await eventuallyStats('a failure, and what was told grown old', (one) => (one.vmm.failures ?? 0) > 1 && !one.disks);
      expect(failures(document)).toEqual([['vmm', expect.objectContaining({ outcome: 'failed', reason: 'timeout' })]]);
      // Behind a question that nobody took, none is put.
      expect((document.vmm.connections ?? 0) - (before ?? 0)).toBeLessThanOrEqual(2 * 4 + 1);
    } finally {
      vmm.child.signal('SIGCONT');
    }
    await eventuallyStats('an answer again', ({ vmm: { state } }) => state === 'running');
  });

  it('serves its owner, who keeps eight connections, and two agents', async () => {
    const owner = Array.from({ length: 8 }, () => connect(vmm.socket));
    belongings.own(() => leave(owner));
    const other = await AgentProcess.start(belongings, { flags });
    const { refused } = await vmm.tell({});
    for (const one of [agent, other]) {
      const before = (await one.vmmStats(vmm.id)).vmm.questions ?? 0;
      await eventually('answers', async () => ((await one.vmmStats(vmm.id)).vmm.questions ?? 0) > before + 9);
      expect(failures(await one.vmmStats(vmm.id))).toEqual([]);
    }
    expect((await vmm.tell({})).refused).toBe(refused);
    await other.end();
    leave(owner);
  });

  it('whose ten connections are taken is busy', async () => {
    const clients = Array.from({ length: 10 }, () => connect(vmm.socket));
    belongings.own(() => leave(clients));
    await eventuallyStats('no connection left', ({ collectors }) => collectors.vmm?.reason === 'busy');
    leave(clients);
    await eventuallyStats('an answer again', ({ vmm: { state }, collectors }) => state === 'running' && collectors.vmm?.outcome === 'ok');
  });

  it('is not asked where the configuration says so', async () => {
    const silent = await AgentProcess.start(belongings, { flags: { ...flags, 'vmm.cloud-hypervisor': 'false' } });
    await silent.find(vmm.pid);
    const document = await silent.vmmStats(vmm.id);
    expect(document.collectors.vmm).toMatchObject({ outcome: 'absent', reason: 'not_configured' });
    expect(document.vmm?.connections ?? null).toBeNull();
    await silent.end();
  });

  it('that another process serves under its path is not asked', async () => {
    const directory = join(dirname(program), 'guests', randomUUID());
    mkdirSync(directory);
    const script = join(directory, 'idle.mjs');
    writeFileSync(script, 'console.log("ready"); setInterval(() => undefined, 1e6);');
    // A server of the test's own, and a VMM that says in its argv that this is its socket.
    const fake = await FakeCloudHypervisor.listen(join(directory, 'ch.sock'));
    belongings.own(() => fake.close());
    const impostor = await Child.start([program, script, '--api-socket', fake.path]);
    belongings.own(() => impostor.kill());
    await impostor.lineThat(/^ready$/);
    const { id, sockets } = await agent.find(impostor.pid);
    expect(sockets).toEqual([fake.path]);
    const refused = await eventually('a refusal', async () => {
      const one = await agent.vmmStats(id);
      return one.collectors.vmm?.reason === 'not_permitted' && one;
    });
    expect([refused.vmm.connections, fake.accepted]).toEqual([0, 0]);
  });
});
