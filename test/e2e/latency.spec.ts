import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TracedProcesses } from '../../src/modules/events/traced-processes.js';
import { ALL_ON, FakeSession, hist, numbers, TICK } from '../telling.js';
import { Agent } from './agent.js';
import { promtoolComplaints, promtoolMissing } from './promtool.js';
import { story } from './stories.js';
import { parseStrictly } from './strict-exposition.js';

let agent: Agent;
let traced: TracedProcesses;
let session: FakeSession;
beforeEach(async () => {
  agent = await Agent.of(story('two-qemu'), {
    settings: { tracing: 'auto', collectors: new Map([['sockets', false]]) },
  });
  traced = agent.app.get(TracedProcesses, { strict: false });
  await agent.sweep();
  session = new FakeSession(1024, ALL_ON);
});
afterEach(() => agent.stop());

/** One telling, and a sweep. */
async function tell(...lines: readonly string[]): Promise<void> {
  const vm = Object.fromEntries(session.rung.filter((words) => words.length === 2).map(([word, pid]) => [pid, word % 2 ** 28]));
  for (const line of [...lines, numbers('vm', vm), TICK]) traced.line(line);
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  await agent.sweep();
}
async function begin(): Promise<void> {
  traced.began(session);
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  await tell();
  await tell();
}
const documents = async () => JSON.parse(await agent.text('/stats')).instances;
const linesOf = (page: string, start: string): string[] => page.split('\n').filter((line) => line.startsWith(start));
/** 50 µs, the first bound and just beyond it, 3 s, and more than the last bound. */
const TIMES = [50_000, 100_000, 100_001, 3_000_000_000, 60_000_000_000];

describe('what was counted in the kernel', () => {
  it('is on the page as a histogram of Podtrace’s bounds, exact to the nanosecond', async () => {
    await begin();
    await tell(hist('dns', { 1: TIMES }), numbers('dns_sum', { 1: 63_000_250_001 }), numbers('dns_last', { 1: 50_000 }));
    const page = await agent.text('/metrics');
    const lines = linesOf(page, 'podtrace_dns_latency_seconds_histogram');
    const labels = /^podtrace_dns_latency_seconds_histogram_bucket\{type="DNS",le="0.0001",(.*)\} 2$/.exec(lines[0])?.[1] ?? '';
    expect(labels).toMatch(/^instance_id="[^"]+",instance_name="[^"]+",namespace="",process_name="qemu-system-x86"$/);
    expect(lines.map((line) => line.replace(`,${labels}`, '').replace('podtrace_dns_latency_seconds_histogram', ''))).toEqual([
      ...['_bucket{type="DNS",le="0.0001"} 2', '_bucket{type="DNS",le="0.0002"} 3', '_bucket{type="DNS",le="0.0004"} 3'],
      ...['0.0008', '0.0016', '0.0032', '0.0064', '0.0128', '0.0256', '0.0512', '0.1024', '0.2048', '0.4096', '0.8192', '1.6384'].map(
        (le) => `_bucket{type="DNS",le="${le}"} 3`,
      ),
      ...['3.2768', '6.5536', '13.1072', '26.2144', '52.4288'].map((le) => `_bucket{type="DNS",le="${le}"} 4`),
      ...['_bucket{type="DNS",le="+Inf"} 5', '_sum{type="DNS"} 63.000250001', '_count{type="DNS"} 5'],
    ]);
    expect(linesOf(page, 'podtrace_dns_latency_seconds_gauge{')).toEqual([
      `podtrace_dns_latency_seconds_gauge{type="DNS",${labels}} 0.00005`,
    ]);
    expect(linesOf(page, 'vmgauge_vm_dns_lookup_seconds_bucket')).toHaveLength(21);
    expect(linesOf(page, 'vmgauge_vm_guest_dns_seconds')).toEqual([]);
  });

  it('is on pages that others read, and in the document', async () => {
    await begin();
    await tell(
      ...['rtt', 'connect', 'dns', 'cpu_block', 'run_queue'].flatMap((map) => [
        hist(map, { 1: TIMES, 2: [5] }),
        numbers(`${map}_sum`, { 1: 63_000_250_001, 2: 5 }),
        numbers(`${map}_last`, { 1: 7, 2: 5 }),
      ]),
      hist('fs', { '1,0': TIMES, '1,1': [5], '1,2': [1, 2], '2,1': [9] }),
      numbers('fs_sum', { '1,0': 63_000_250_001, '1,1': 5, '1,2': 3, '2,1': 9 }),
      numbers('fs_last', { '1,1': 5 }),
      numbers('net', { '1,1': 10, '1,0': 20 }),
      numbers('fs_bytes', { '1,0': 30, '1,1': 40 }),
      numbers('connect_errors', { 1: 5 }),
      numbers('retransmits', { 1: 6 }),
    );
    const text = await agent.text('/metrics');
    const families = parseStrictly(text, 'text');
    const open = parseStrictly(await agent.text('/metrics', { Accept: 'application/openmetrics-text' }), 'openmetrics');
    const ours = [...families.keys()].filter((name) => name.startsWith('podtrace_') && !name.startsWith('podtrace_resource_'));
    expect(ours).toEqual([
      ...['podtrace_cpu_block_seconds_gauge', 'podtrace_cpu_block_seconds_histogram', 'podtrace_dns_latency_seconds_gauge'],
      ...['podtrace_dns_latency_seconds_histogram', 'podtrace_filesystem_bytes_total', 'podtrace_fs_latency_seconds_gauge'],
      ...['podtrace_fs_latency_seconds_histogram', 'podtrace_latency_latest_seconds', 'podtrace_latency_seconds'],
      ...['podtrace_network_bytes_total', 'podtrace_rtt_latest_seconds', 'podtrace_rtt_seconds'],
    ]);
    expect(open.get('podtrace_rtt_seconds')).toMatchObject({ type: 'histogram', unit: 'seconds' });
    expect(open.get('podtrace_network_bytes')?.samples.map(({ labels }) => labels.get('direction'))).toEqual(['recv', 'send']);
    if (promtoolMissing() === undefined) expect(promtoolComplaints(text)).toBe('');
    const stats = await documents();
    expect(stats.map(({ events }: { events: { source: string } }) => events.source)).toEqual(['ebpf', 'ebpf']);
    const [process] = stats.flatMap(({ events }: { events: { processes: { tcp_retransmits: number }[] } }) =>
      events.processes.filter(({ tcp_retransmits }) => tcp_retransmits === 6),
    );
    expect(process).toMatchObject({
      ...{ process_name: 'qemu-system-x86', tcp_rtt_count: 5, tcp_rtt_sum_seconds: 63.000250001, tcp_rtt_last_seconds: 7e-9 },
      ...{ file_read_count: 5, file_write_count: 1, file_fsync_count: 2, file_read_bytes: 30, file_write_bytes: 40 },
      ...{ socket_send_bytes: 10, socket_receive_bytes: 20, tcp_connect_errors: 5, run_queue_wait_count: 5, off_cpu_count: 5 },
    });
  });
});

describe('what was not', () => {
  it('has no series and is null', async () => {
    await begin();
    const page = await agent.text('/metrics');
    expect(linesOf(page, 'podtrace_').filter((line) => !line.startsWith('podtrace_resource_'))).toEqual([]);
    const stats = await documents();
    expect(stats[0].events).toMatchObject({ source: 'ebpf', guest_dns_count: null });
    expect(Object.values(stats[0].events.processes[0]).filter((value) => value !== null)).toEqual(['qemu-system-x86']);
  });

  it('was traced by nobody says why', async () => {
    const stats = await documents();
    expect(stats[0].collectors.latency.outcome).not.toBe('ok');
    expect(stats[0].events).toBe(null);
  });

  it('goes with the life that counted it, once that is long over', async () => {
    await begin();
    await tell(numbers('net', { '1,1': 10 }), hist('rtt', { 1: TIMES }), numbers('rtt_sum', { 1: 63_000_250_001 }));
    expect(linesOf(await agent.text('/metrics'), 'podtrace_network_bytes_total')).toHaveLength(1);
    traced.ended();
    await agent.sweep();
    expect(linesOf(await agent.text('/metrics'), 'podtrace_rtt_seconds_count')).toHaveLength(1);
    await agent.sweep(20);
    expect(linesOf(await agent.text('/metrics'), 'podtrace_rtt_seconds')).toEqual([]);
  });
});
