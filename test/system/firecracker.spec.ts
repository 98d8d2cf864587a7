import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, copyFileSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FakeFirecracker } from '../fake-firecracker.js';
import { FirecrackerMetricsWriter } from '../firecracker-metrics.js';
import { AgentProcess, builtAgent } from './agent-process.js';
import { Belongings } from './belongings.js';
import { eventually } from './eventually.js';
import { BASICS, compiler, describeWith, kvm } from './needs.js';
import { StandIn, StandInPrograms } from './stand-in.js';
import type { VmmStats } from './stats-document.js';

const NOBODY = 65534;

type Numbers = Readonly<Record<string, number | null>>;
type Told = Omit<VmmStats, 'events'> & { readonly exits: Numbers; readonly events: Numbers };

/**
 * A process that is called firecracker and holds what a Firecracker holds: the listening socket, the metrics file. The test holds the very same
 * open files and plays the VMM.
 */
interface Vm {
  readonly id: string;
  readonly process: StandIn;
  readonly api: FakeFirecracker;
  readonly metrics: FirecrackerMetricsWriter;
}

describeWith('Firecracker', [...BASICS, builtAgent, compiler, kvm], () => {
  const belongings = new Belongings();
  let programs: StandInPrograms;
  let agent: AgentProcess;

  beforeAll(async () => {
    programs = new StandInPrograms(belongings);
    agent = await AgentProcess.start(belongings, {
      flags: { 'vmm.interval': '1s', 'vmm.deadline': '5s', 'vmm.firecracker-metrics': 'fifo' },
    });
  });
  afterAll(() => belongings.release());

  function writerAt(path: string): FirecrackerMetricsWriter {
    const metrics = new FirecrackerMetricsWriter(path, Date.now(), { drives: ['rootfs', 'data'] });
    belongings.own(() => metrics.close());
    // As of a VM that was configured over the API, and has just begun.
    metrics.add('put_api_requests.metrics_count', 1);
    return metrics;
  }

  async function start(kind: 'file' | 'fifo' = 'file'): Promise<Vm> {
    const id = randomUUID();
    const socket = join(programs.directory, `${id}.sock`);
    const path = join(programs.directory, `${id}.metrics`);
    if (kind === 'fifo') execFileSync('mkfifo', [path]);
    const metrics = writerAt(path);
    const api = await FakeFirecracker.listen(socket);
    belongings.own(() => api.close());
    const process = await StandIn.start(belongings, [programs.named('firecracker'), '--api-sock', socket, '--id', id], ['kvm 2'], {
      inherits: [api.descriptor, metrics.fd],
    });
    await agent.find(process.pid);
    return { id, process, api, metrics };
  }

  const statsWhen = (id: string, what: string, isSo: (stats: Told) => boolean): Promise<Told> =>
    eventually(what, async () => {
      // Groups of which nothing is known are null.
      const { exits, events, ...stats } = (await agent.vmmStats(id)) as VmmStats & { readonly exits: Numbers | null };
      const told = { ...stats, exits: exits ?? {}, events: events ?? {} };
      return isSo(told) ? told : undefined;
    });
  const told = (id: string, ioIn: number): Promise<Told> => statsWhen(id, `${ioIn} exits`, ({ exits }) => exits.io_in === ioIn);

  /** Rounds that the agent began from now on. */
  async function rounds(id: string, count: number): Promise<Told> {
    const asked = ({ vmm }: Pick<VmmStats, 'vmm'>): number => vmm.questions ?? Number.NaN;
    const before = asked(await agent.vmmStats(id));
    // Two questions a round, once the configuration is known.
    return statsWhen(id, `${count} more rounds`, (stats) => asked(stats) >= before + 2 * count + 2);
  }

  /** The agent reads nothing until it is continued. */
  async function stop(): Promise<void> {
    const { pid } = agent;
    process.kill(pid, 'SIGSTOP');
    const threads = (): string[] =>
      readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'));
    await eventually('a stopped agent', () => threads().every((line) => line.slice(line.lastIndexOf(')') + 2).startsWith('T')));
  }

  it('is asked and listened to: what the VM did is what the agent says', async () => {
    const { id, api, metrics } = await start();
    metrics.add('vcpu.exit_io_in', 7);
    metrics.add('vcpu.exit_mmio_write', 3);
    metrics.add('block_data.read_bytes', 4096);
    metrics.add('block_data.read_count', 1);
    metrics.add('block_data.read_agg.sum_us', 1500);
    metrics.add('net_eth0.rx_bytes_count', 1512);
    metrics.add('net_eth0.tx_rate_limiter_throttled', 2);
    metrics.store('seccomp.num_faults', 1);
    metrics.flush();
    const stats = await told(id, 7);

    expect(stats).toMatchObject({
      state: 'running',
      vmm: { dialogue: 'firecracker-api', version: 'Firecracker 1.17.0', state: 'running', failures: 0 },
      memory: {
        vmm: { allocated_bytes: 640 << 20, hotplugged_bytes: 128 << 20, max_bytes: 1536 << 20 },
        guest: { total_bytes: 500_000_000, available_bytes: 300_000_000, used_bytes: 200_000_000 },
        balloon: { held_bytes: 32 << 20, target_held_bytes: 64 << 20 },
      },
      disks: [
        { device: 'data', file: '/data.img', read_bytes: 4096, reads: 1, read_seconds: 0.0015, limit_operations_per_second: 3000 },
        { device: 'rootfs', file: '/rootfs.ext4', read_only: true, read_bytes: 0 },
        { device: 'shared' },
      ],
      network: { devices: [{ device: 'eth0', received_bytes: 1512, transmit_throttled: 2 }] },
      exits: { io_in: 7, io_out: 0, mmio_write: 3 },
      events: { vmm_panic: 0, seccomp_fault: 1, missed_metrics: 0 },
    });
    const series = (family: string, labels: string): Promise<number | undefined> => agent.sample(`${family}{${labels}}`);
    expect(await series('vmgauge_vm_exits_total', `kind="io",direction="in",instance_id="${id}"`)).toBe(7);
    expect(await series('vmgauge_vm_disk_read_bytes_total', `instance_id="${id}",device="data"`)).toBe(4096);
    expect(await series('vmgauge_vm_events_total', `event="seccomp_fault",instance_id="${id}"`)).toBe(1);

    api.state = 'Paused';
    await statsWhen(id, 'a paused VM', ({ state }) => state === 'paused');
    expect(api.connections).toBeLessThanOrEqual(1);
    expect(new Set(api.requests)).toEqual(new Set(['/', '/vm/config', '/balloon/statistics', '/hotplug/memory']));
  });

  it('whose file grows and is cut loses nothing that was written', async () => {
    const { id, metrics } = await start();
    metrics.add('vcpu.exit_io_in', 1);
    metrics.flush();
    await told(id, 1);
    for (let minute = 0; minute < 20; minute++) {
      metrics.add('vcpu.exit_io_in', 10);
      metrics.minutes(1);
    }
    await told(id, 201);
    truncateSync(metrics.path);
    metrics.add('vcpu.exit_io_in', 1);
    metrics.minutes(1);
    expect((await told(id, 202)).events).toMatchObject({ missed_metrics: 0 });
  });

  it('whose line is not ended yet is waited for', async () => {
    const { id, metrics } = await start();
    metrics.flush();
    await told(id, 0);
    const line = `${JSON.stringify({ utc_timestamp_ms: metrics.nowMs + 60_000, vcpu: { exit_io_in: 5 } })}\n`;
    writeSync(metrics.fd, line.slice(0, 40));
    expect((await rounds(id, 2)).exits).toMatchObject({ io_in: 0 });
    writeSync(metrics.fd, line.slice(40));
    expect((await told(id, 5)).events).toMatchObject({ missed_metrics: 0 });
  });

  it('whose FIFO ran over while nobody read tells how much is missing', async () => {
    const { id, metrics } = await start('fifo');
    metrics.add('vcpu.exit_io_in', 1);
    metrics.flush();
    await told(id, 1);
    await stop();
    try {
      for (let minute = 0; minute < 40; minute++) {
        metrics.add('vcpu.exit_io_in', 1);
        metrics.minutes(1);
      }
    } finally {
      process.kill(agent.pid, 'SIGCONT');
    }
    const missed = metrics.total('logger.missed_metrics_count');
    expect(missed).toBeGreaterThan(20);
    await rounds(id, 1);
    metrics.minutes(1);
    const { exits, events } = await statsWhen(id, `${missed} lines missed`, (stats) => stats.events.missed_metrics === missed);
    expect(exits.io_in).toBeGreaterThan(1);
    expect(exits.io_in).toBeLessThanOrEqual(41);
    expect(events).toMatchObject({ vmm_panic: 0 });
  });

  it('whose FIFO has another reader tells what that took', async () => {
    const { id, metrics } = await start('fifo');
    metrics.flush();
    await told(id, 0);
    await stop();
    const other = openSync(metrics.path, 'r');
    belongings.own(() => closeSync(other));
    try {
      metrics.minutes(3);
      expect(readSync(other, Buffer.alloc(8192))).toBe(8192);
    } finally {
      process.kill(agent.pid, 'SIGCONT');
    }
    metrics.add('vcpu.exit_io_in', 3);
    metrics.minutes(1);
    expect((await told(id, 3)).events.missed_metrics).toBeGreaterThan(0);
  });

  it('that hangs costs one failed outcome', async () => {
    const { id, api, metrics } = await start();
    metrics.flush();
    await told(id, 0);
    api.instead = () => true;
    const { collectors } = await statsWhen(id, 'a failed round', ({ vmm }) => vmm.failures === 1);
    const failed = Object.entries(collectors).filter(([, { outcome }]) => outcome === 'failed');
    expect(failed).toEqual([['vmm', expect.objectContaining({ reason: 'timeout' })]]);
  });

  it('that is killed in the middle of an answer is gone, at nobody else’s expense', async () => {
    const other = await start();
    other.metrics.flush();
    const { id, process: vmm, api, metrics } = await start();
    metrics.flush();
    await told(id, 0);
    await told(other.id, 0);
    api.instead = (_, connection) => connection.write('HTTP/1.1 200 \r\nServer: Firecracker API\r\nContent-Length: 90\r\n\r\n{"id":');
    const asked = api.requests.length;
    await eventually('a question under way', () => api.requests.length > asked);
    await vmm.child.kill();
    expect(await statsWhen(id, 'a stopped VM', ({ state }) => state === 'stopped')).toMatchObject({ instance_id: id });
    other.metrics.add('vcpu.exit_io_in', 9);
    other.metrics.minutes(1);
    expect((await told(other.id, 9)).vmm.failures).toBe(0);
  });

  it('in a jail is found by the file that it has open there', async () => {
    const id = randomUUID();
    const jail = join(programs.directory, 'srv/jailer/firecracker', id, 'root');
    mkdirSync(jail, { recursive: true });
    copyFileSync(programs.named('firecracker'), join(jail, 'firecracker'));
    // Its name says nothing, and outside the jail the same words are another file.
    const metrics = writerAt(join(jail, 'm'));
    metrics.add('vcpu.exit_io_in', 6);
    metrics.flush();
    const argv = ['/firecracker', 'firecracker', '--id', id, '--no-api', '--metrics-path', '/m'];
    const vmm = await StandIn.start(belongings, [programs.launcher, 'jail', jail, String(NOBODY), '--', ...argv], ['kvm 1'], {
      inherits: [metrics.fd],
    });
    expect(await agent.find(vmm.pid)).toMatchObject({ id, sockets: [] });
    const stats = await told(id, 6);
    expect(stats.vmm).toMatchObject({ state: null, connections: 0, questions: 0 });
  });
});
