import { describe, expect, it } from 'vitest';
import { StoppedClock } from '../../../test/fake-proc.js';
import { Host } from '../../host/host.js';
import type { HostFamily } from '../../model/host-family.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { TracingHostCollector } from './tracing.host-collector.js';
import { Tracing } from './tracing.js';

const OWN: HostFamily = { name: 'vmgauge_tracing_own', type: 'gauge', help: 'Of the client.', samples: () => [{ labels: '', value: 5 }] };
const onHost = (settings: Partial<Settings>): { tracing: Tracing; collector: TracingHostCollector } => {
  const tracing = new Tracing(
    new Host({ sys: '/nowhere' }, new StoppedClock()),
    Object.assign(new Settings(), { tracing: 'auto' }, settings),
  );
  return { tracing, collector: new TracingHostCollector(tracing) };
};
const samplesOf = (collector: TracingHostCollector): string[] =>
  collector.families().flatMap(({ name, samples }) => [...samples()].map(({ labels, value }) => `${name}{${labels}} ${value}`));

describe('families of tracing', () => {
  it('have no sample before the first look, where it is off, and where nobody traces', async () => {
    const { collector } = onHost({ tracingProgram: '/nowhere/bpftrace' });
    expect(samplesOf(collector)).toEqual([]);
    const off = onHost({ tracing: 'off' }).collector;
    expect(await off.read()).toBe(Outcome.notConfigured);
    expect(samplesOf(off)).toEqual([]);
    const none = new TracingHostCollector();
    expect(await none.read()).toBe(Outcome.notConfigured);
    expect(samplesOf(none)).toEqual([]);
    none.close();
  });

  it('say of each block why it is off, and count from 0 what can be counted', async () => {
    const { collector } = onHost({ tracingProgram: '/nowhere/bpftrace', tracingBlocks: ['cpu'] });
    expect(await collector.read()).toBe(Outcome.notConfigured);
    const samples = samplesOf(collector);
    expect(samples).toContain('vmgauge_tracing_up{} 0');
    expect(samples).toContain('vmgauge_tracing_block_up{block="cpu",reason="no_bpftrace"} 0');
    expect(samples).toContain('vmgauge_tracing_block_up{block="tcp",reason="not_wanted"} 0');
    expect(samples).toContain('vmgauge_tracing_starts_total{} 0');
    expect(samples).toContain('vmgauge_tracing_ends_total{reason="crashed"} 0');
    expect(samples.filter((line) => /attach_failures|last_tick/.test(line))).toEqual([]);
  });

  it('are the client’s, too', () => {
    const { tracing, collector } = onHost({});
    const nothing = (): void => undefined;
    tracing.serve({ isWanted: () => false, slots: () => 1, began: nothing, line: nothing, ended: nothing, families: () => [OWN] });
    expect(samplesOf(collector)).toEqual(['vmgauge_tracing_own{} 5']);
  });
});
