import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Cleanup } from '../live/cleanup.js';
import { Prometheus, type Series } from '../live/prometheus.js';
import { PODTRACE_QUERIES } from '../podtrace-queries.js';
import { AgentProcess } from './agent-process.js';
import { Belongings } from './belongings.js';
import { bootBusyGuest, DNS_DELAY_MS } from './busy-guest.js';
import { eventually } from './eventually.js';
import type { Guest } from './guest.js';
import { describeWith, program } from './needs.js';
import { NEEDS } from './observed-guest.js';
import { tracefs } from './tracefs.js';
import { limits, WholeCgroup } from './whole-cgroup.js';

const RULES = resolve(import.meta.dirname, '../../deploy/prometheus/podtrace.rules.yaml');
const MEMORY_BYTES = 1 << 30;
const CPUS = 1.5;

// Agent: root, with bpftrace. A guest looks up names, connects, reads and writes; a Prometheus scrapes what the agent says of it.
describeWith(
  'the queries of Podtrace’s document',
  [...NEEDS, limits, tracefs, program('bpftrace', 'bpftrace'), program('prometheus', 'prometheus')],
  () => {
    const belongings = new Belongings();
    const cleanup = new Cleanup();
    let guest: Guest;
    let prometheus: Prometheus;
    afterAll(() => belongings.release());

    beforeAll(async () => {
      const group = WholeCgroup.make(belongings, 'busy');
      group.limitMemory(MEMORY_BYTES);
      group.limitCpus(CPUS);
      guest = await bootBusyGuest(belongings, group);
      const agent = await AgentProcess.start(belongings, {
        flags: { 'tracing.mode': 'on', 'tracing.interval': '1s', 'limits.interval': '1s' },
      });
      prometheus = await Prometheus.start(cleanup, { vmgauge: agent.port }, [RULES]);
    }, 240_000);

    const answer = (query: string): Promise<readonly Series[]> =>
      eventually(`data for ${query}`, async () => {
        const series = (await prometheus.query(query)).filter(({ value }) => !Number.isNaN(value));
        return series.length > 0 ? series : undefined;
      });

    // A VM that is well passes no threshold: those queries are proven on a recorded host.
    it.each(PODTRACE_QUERIES.filter(({ about }) => about !== 'thresholds'))('$query', async ({ query }) => {
      for (const { value } of await answer(query)) expect(value).toBeGreaterThanOrEqual(0);
    });

    it('are answered about the VM that does the work', async () => {
      const [rtt] = await answer('podtrace_rtt_seconds_count');
      expect(rtt.labels).toMatchObject({ instance_id: guest.id, instance_name: 'truth', type: 'NET', process_name: 'qemu-system-x86' });
      const [limit] = await answer('podtrace_resource_limit_bytes{resource_type="memory"}');
      expect(limit.value).toBe(MEMORY_BYTES);
      const [quota] = await answer('podtrace_resource_limit_bytes{resource_type="cpu"}');
      expect(quota.value).toBe(CPUS * 100_000);
      const operations = await answer('podtrace_fs_latency_seconds_count');
      expect(new Set(operations.map(({ labels }) => labels.operation))).toEqual(new Set(['read', 'write', 'fsync']));
    });

    it('says how long its lookups take: no less than the resolver does', async () => {
      const [mean] = await answer('podtrace_dns_latency_seconds_histogram_sum / podtrace_dns_latency_seconds_histogram_count');
      expect(mean.value).toBeGreaterThan(DNS_DELAY_MS / 1000 - 0.001);
    });
  },
);
