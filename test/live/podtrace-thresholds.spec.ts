import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { PODTRACE_QUERIES } from '../podtrace-queries.js';
import { PACKAGE, startAgent } from './agent.js';
import { Cleanup } from './cleanup.js';
import { liveSuite, program } from './needs.js';
import { Prometheus, type Series } from './prometheus.js';
import { until } from './until.js';

/** A recorded host: a VM well within its limits, and one whose memory limit was lowered below what it uses. */
const HOST = join(PACKAGE, 'fixtures/hosts/limited-vms');
const TIGHT = { instance_id: '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11', resource_type: 'memory' };

liveSuite('Podtrace’s queries for limits that are passed', [program('prometheus')], () => {
  const cleanup = new Cleanup();
  let prometheus: Prometheus;

  beforeAll(async () => {
    const agent = await startAgent(cleanup, [
      ...[`--path.procfs=${HOST}/proc`, `--path.sysfs=${HOST}/sys`, `--path.cgroup=${HOST}/sys/fs/cgroup`, `--path.run=${HOST}/run`],
      '--limits.interval=1s',
    ]);
    prometheus = await Prometheus.start(cleanup, { vmgauge: agent.port });
  });

  const answer = (query: string): Promise<readonly Series[]> =>
    until(
      async () => {
        const series = await prometheus.query(query);
        return series.length > 0 ? series : undefined;
      },
      () => query,
    );

  it.each(PODTRACE_QUERIES.filter(({ about }) => about === 'thresholds'))('$query finds the one that is over', async ({ query }) => {
    const found = await answer(query);
    expect(found.map(({ labels }) => labels)).toEqual([expect.objectContaining(TIGHT)]);
  });

  it('say by how much', async () => {
    const [{ value }] = await answer('podtrace_resource_utilization_percent > 100');
    // The ratio behind it has six decimals.
    expect(value).toBeCloseTo((21200896 / 16777216) * 100, 4);
  });
});
