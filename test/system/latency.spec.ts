import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AppModule } from '../../src/app.module.js';
import { Host } from '../../src/host/host.js';
import { makeAdapter } from '../../src/http/server.js';
import type { InstanceRecord } from '../../src/model/instance.js';
import { TRACING_BLOCKS } from '../../src/model/settings.js';
import { Collection } from '../../src/modules/collection/collection.js';
import { Tracing } from '../../src/modules/events/tracing.js';
import { Registry } from '../../src/modules/instances/registry.js';
import { holdProcess } from '../../src/modules/procfs/held-process.js';
import { promtoolComplaints } from '../e2e/promtool.js';
import { parseStrictly } from '../e2e/strict-exposition.js';
import { until } from '../holding.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { BASICS, compiler, describeWith, iproute, program, tun } from './needs.js';
import { freshInterfaceName, NetworkNamespace } from './network-namespace.js';
import { StandIn } from './stand-in.js';
import { tracefs } from './tracefs.js';

const LOAD = 'known-load';
const BESIDE = 'beside-load';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0';
const BOUNDS = [...Array.from({ length: 20 }, (_, n) => String((100_000 * 2 ** n) / 1e9)), '+Inf'];

// The test: root for bpftrace, CAP_SYS_ADMIN for namespaces, CAP_NET_ADMIN for a tap. One agent for all tests: each start of bpftrace costs a second.
describeWith('latencies of a VM', [...BASICS, compiler, iproute, tun, program('bpftrace', 'bpftrace'), tracefs], () => {
  const belongings = new Belongings();
  const tap = freshInterfaceName();
  let record: InstanceRecord = { id: 'vm-1', name: 'one' };
  let directory: string;
  let namespace: NetworkNamespace;
  let vmm: StandIn;
  let beside: StandIn;
  let app: NestFastifyApplication;
  let tracing: Tracing;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-latency-'));
    belongings.own(() => rmSync(directory, { recursive: true, force: true }));
    const load = join(directory, LOAD);
    const source = join(import.meta.dirname, 'known-load.c');
    execFileSync('gcc', ['-O1', '-pthread', '-o', load, source], { stdio: ['ignore', 'ignore', 'inherit'] });
    copyFileSync(load, join(directory, BESIDE));
    namespace = new NetworkNamespace(belongings);
    const server = await Child.start([...namespace.entrance, load, 'server']);
    belongings.own(() => server.kill());
    await server.lineThat(/^ready$/);
    vmm = await StandIn.start(belongings, [...namespace.entrance, load]);
    beside = await StandIn.start(belongings, [...namespace.entrance, join(directory, BESIDE)]);
    await vmm.tell(`tap ${tap}`);
    namespace.raise(tap, 1);
    const companion = { role: 'virtiofsd', pid: beside.pid, startTicks: startTicksOf(beside.pid) } as const;
    record = { ...record, process: { pid: vmm.pid }, companions: [companion], nics: [{ kind: 'tap', name: tap }] };
    // Other tests have VMs on this host.
    const sources = new Map(['hypeman', 'libvirt', 'kata', 'host'].map((name) => [name, false]));
    const tracingBlocks = TRACING_BLOCKS.filter((block) => block !== 'plain-files');
    const settings = {
      tracing: 'on',
      tracingBlocks,
      tracingIntervalMs: 1000,
      sweepIntervalMs: 1000,
      exporterMetrics: false,
      sources,
    } as const;
    app = await NestFactory.create<NestFastifyApplication>(
      AppModule.register({ settings, sources: [{ name: 'told', list: () => [record] }] }),
      makeAdapter(),
      { logger: false, abortOnError: false },
    );
    belongings.own(() => app.close());
    await app.init();
    tracing = app.get(Tracing, { strict: false });
    await traced();
  });
  afterAll(() => belongings.release());

  const startTicksOf = (pid: number): number => {
    const process = holdProcess(new Host(), pid);
    process.close();
    return process.startTicks;
  };
  const sweep = (): Promise<unknown> => app.get(Collection, { strict: false }).sweep();
  const get = async (url: string, accept = 'text/plain'): Promise<string> =>
    (await app.getHttpAdapter().getInstance().inject({ url, headers: { accept } })).body;
  const stats = async () => JSON.parse(await get('/instances/vm-1/stats'));
  /** A line that was printed after now, whole, is in the answers: of a telling that began after now. */
  const told = async (): Promise<void> => {
    for (let times = 0; times < 2; times++) {
      const before = tracing.lastTickMs;
      await until(() => tracing.lastTickMs !== before);
    }
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    await sweep();
  };
  const traced = async (): Promise<void> => {
    for (;;) {
      await until(() => tracing.isUp);
      await told();
      if ((await stats()).events?.source === 'ebpf') return;
    }
  };
  const after = async (process: StandIn, ...orders: readonly string[]): Promise<void> => {
    for (const order of orders) await process.tell(order);
    await told();
  };
  const file = (name: string): string => join(directory, name);
  /** Samples of the instance by what tells them apart. */
  const samplesOf = async (family: string): Promise<Map<string, number>> => {
    const samples = parseStrictly(await get('/metrics'), 'text').get(family)?.samples ?? [];
    const named = samples.map(({ name, labels, value }) => {
      const { instance_id: id, instance_name: instance, namespace: pod, ...rest } = Object.fromEntries(labels);
      expect([id, instance ?? 'one', pod ?? '']).toEqual(['vm-1', 'one', '']);
      return [[name.slice(family.length), ...Object.values(rest)].join(' ').trim(), value] as const;
    });
    return new Map(named);
  };

  it('are of its processes by name, of nothing that was not observed', async () => {
    const { events, collectors } = await stats();
    expect(collectors.latency).toMatchObject({ outcome: 'ok' });
    expect(events.processes.map(({ process_name }: { process_name: string }) => process_name)).toEqual([BESIDE, LOAD]);
    expect(events.processes[0]).toMatchObject({ file_write_count: null, socket_send_bytes: null, tcp_connect_count: null });
    expect(await samplesOf('podtrace_fs_latency_seconds_histogram')).toEqual(new Map());
    expect(parseStrictly(await get('/metrics'), 'text').get('vmgauge_tracing_processes')?.samples[0].value).toBe(2);
  });

  it('count every call and byte of files and sockets', async () => {
    await after(vmm, `write ${file('a')} 241 4096`, `read ${file('a')} 240 4096`, `sync ${file('a')} 7`, 'tcp 20 5000', 'udp 10 700');
    await after(beside, `write ${file('b')} 5 512`);
    const bytes = [...(await samplesOf('podtrace_filesystem_bytes_total'))];
    // Before it was traced, /proc told that one of them had read nothing.
    expect(new Map(bytes.filter(([, value]) => value > 0))).toEqual(
      new Map([
        [`FS read ${LOAD}`, 983_040],
        [`FS write ${BESIDE}`, 2560],
        [`FS write ${LOAD}`, 987_136],
      ]),
    );
    expect(await samplesOf('vmgauge_vm_socket_bytes_total')).toEqual(
      new Map([
        [`recv ${LOAD}`, 107_000],
        [`send ${LOAD}`, 107_000],
      ]),
    );
    for (const family of ['podtrace_fs_latency_seconds_histogram', 'vmgauge_vm_file_operation_seconds']) {
      const samples = await samplesOf(family);
      const type = family.startsWith('podtrace') ? 'FS ' : '';
      const counts = ['read', 'write', 'fsync'].map((operation) => samples.get(`_count ${type}${operation} ${LOAD}`));
      expect([...counts, samples.get(`_count ${type}write ${BESIDE}`)]).toEqual([240, 241, 7, 5]);
      const les = [...samples.keys()].filter((name) => name.startsWith(`_bucket ${type}write`) && name.endsWith(LOAD));
      expect(les.map((name) => name.split(' ').at(-2))).toEqual(BOUNDS);
    }
    const { events } = await stats();
    expect(events.processes[1]).toMatchObject({
      file_read_count: 240,
      file_fsync_count: 7,
      file_write_bytes: 987_136,
      dns_lookup_count: null,
    });
  });

  it('time connections, lookups of the VMM, and being off the CPU', async () => {
    await after(vmm, 'connect 12 7000', 'connect 5 7002', 'dns 6 0', 'sleep 25 20');
    const connects = await samplesOf('podtrace_latency_seconds');
    // One more is of the exchange over TCP before.
    expect(connects.get(`_count NET ${LOAD}`)).toBe(13);
    expect(await samplesOf('vmgauge_vm_tcp_connect_errors_total')).toEqual(new Map([[LOAD, 5]]));
    const lookups = await samplesOf('podtrace_dns_latency_seconds_histogram');
    // The server thinks for 5 ms.
    expect(['0.0032', '+Inf'].map((le) => lookups.get(`_bucket DNS ${le} ${LOAD}`))).toEqual([0, 6]);
    expect(lookups.get(`_sum DNS ${LOAD}`)).toBeGreaterThanOrEqual(0.03);
    expect((await samplesOf('podtrace_dns_latency_seconds_gauge')).get(`DNS ${LOAD}`)).toBeGreaterThanOrEqual(0.005);
    const blocked = await samplesOf('podtrace_cpu_block_seconds_histogram');
    const long = Number(blocked.get(`_bucket CPU +Inf ${LOAD}`)) - Number(blocked.get(`_bucket CPU 0.0128 ${LOAD}`));
    expect(long).toBeGreaterThanOrEqual(25);
    expect((await samplesOf('podtrace_rtt_latest_seconds')).get(`NET ${LOAD}`)).toBeGreaterThan(0);
    expect((await samplesOf('vmgauge_vm_run_queue_wait_seconds')).get(`_count ${LOAD}`)).toBeGreaterThanOrEqual(25);
  });

  it('know the lookups of the guest from those of the VMM', async () => {
    const before = await samplesOf('podtrace_dns_latency_seconds_histogram');
    const address = namespace.run('cat', `/sys/class/net/${tap}/address`).trim();
    await after(vmm, `guest ${address} 9 0`);
    const guest = await samplesOf('vmgauge_vm_guest_dns_seconds');
    expect(guest.get('_count')).toBe(9);
    expect(guest.get('_bucket 0.0032')).toBe(0);
    expect((await stats()).events).toMatchObject({ guest_dns_count: 9 });
    expect(await samplesOf('podtrace_dns_latency_seconds_histogram')).toEqual(before);
  });

  it('stand on pages that others read', async () => {
    const [text, open] = [await get('/metrics'), await get('/metrics', OPEN_METRICS)];
    expect(parseStrictly(text, 'text').get('podtrace_rtt_seconds')?.type).toBe('histogram');
    expect(parseStrictly(open, 'openmetrics').get('podtrace_rtt_seconds')?.type).toBe('histogram');
    expect(promtoolComplaints(text)).toBe('');
  });

  it('go on where they were when bpftrace was killed', async () => {
    const counts = async () => [
      (await samplesOf('podtrace_filesystem_bytes_total')).get(`FS write ${LOAD}`),
      (await samplesOf('vmgauge_vm_file_operation_seconds')).get(`_count fsync ${LOAD}`),
      (await samplesOf('podtrace_latency_seconds')).get(`_count NET ${LOAD}`),
      (await samplesOf('vmgauge_vm_guest_dns_seconds')).get('_count'),
    ];
    expect(await counts()).toEqual([987_136, 7, 13, 9]);
    const starts = tracing.starts;
    process.kill(bpftrace(), 'SIGKILL');
    await until(() => !tracing.isUp);
    await sweep();
    expect(await counts()).toEqual([987_136, 7, 13, 9]);
    await traced();
    await told();
    expect(tracing.starts).toBe(starts + 1);
    await after(vmm, `write ${file('a')} 10 100`, `sync ${file('a')} 2`, 'connect 3 7000');
    expect(await counts()).toEqual([988_136, 9, 16, 9]);
  });

  it('go with their process', async () => {
    await vmm.child.kill();
    await app.get(Registry, { strict: false }).rescan();
    await sweep();
    expect(await get('/metrics')).not.toMatch(/^podtrace_|^vmgauge_vm_file_operation/m);
  });

  /** The one that the agent in this process has started. */
  const bpftrace = (): number => {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number);
    const found = children.find((pid) => basename(readFileSync(`/proc/${pid}/comm`, 'utf8').trim()) === 'bpftrace');
    return found ?? expect.fail('no bpftrace');
  };
});
