import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TopicTrial } from '../../../test/topic-trial.js';
import { FULL_ANSWER, KVM } from '../../../test/vmm-answer.js';
import { Outcome } from '../../model/outcome.js';
import { KvmCollector } from './kvm.collector.js';

let trial: TopicTrial;
beforeEach(() => {
  trial = new TopicTrial(KvmCollector);
});
afterEach(() => trial.close());

const NO_DROPS = { 'exits.kvm.dropped_reasons': 0, 'exits.kvm.dropped_events': 0 };
const counters = (...all: readonly (readonly [string, number])[]) => ({ ...KVM, counters: new Map(all) });

describe('the collector kvm', () => {
  it('sorts what KVM counts into exits by reason, events, halts and pages', async () => {
    expect(await trial.says(FULL_ANSWER)).toBe(Outcome.ok);
    expect(trial.cells()).toEqual({
      'exits.kvm.total': 111_000,
      'exits.kvm.halt_wait_seconds': 1_500_000_000,
      'exits.kvm.halt_poll_success_seconds': 20_000_001,
      'exits.kvm.halt_poll_fail_seconds': 30_000_002,
      'memory.kvm.mapped_small_bytes': 25_000 * 4096,
      'memory.kvm.mapped_large_bytes': 12 * 2 ** 21,
      'memory.kvm.mapped_huge_bytes': 0,
      ...NO_DROPS,
    });
    expect(trial.parts('kvmExits')).toEqual([
      { name: 'halt', cells: { exits: 4_002 } },
      { name: 'io', cells: { exits: 70_123 } },
      { name: 'mmio', cells: { exits: 901 } },
    ]);
    expect(trial.parts('kvmEvents')).toEqual([
      { name: 'insn_emulation', cells: { count: 108_000_000 } },
      { name: 'irq_injections', cells: { count: 5_003 } },
    ]);
  });

  it('takes any name that another kernel has', async () => {
    await trial.says({ kvm: counters(['exits', 1], ['hvc_exit_stat', 2], ['wfi_exits', 3], ['x"y\n_exits', 4]) });
    expect(trial.parts('kvmExits').map(({ name }) => name)).toEqual(['wfi', 'x"y?']);
    expect(trial.parts('kvmEvents').map(({ name }) => name)).toEqual(['hvc_exit_stat']);
  });

  it('leaves out what is no number, and counts nothing as 0 that was not told', async () => {
    await trial.says({ kvm: { counters: new Map([['io_exits', 2 ** 64 - 1]]), durations: new Map(), gauges: new Map() } });
    expect([trial.parts('kvmExits'), trial.cells()]).toEqual([[], NO_DROPS]);
  });

  it('follows names that go, and has a bound', async () => {
    await trial.says(FULL_ANSWER);
    const many = Array.from({ length: 600 }, (_, i) => [`r${i}_exits`, i] as const);
    await trial.says({ kvm: counters(...many) });
    expect(trial.parts('kvmExits')).toHaveLength(512);
    expect(trial.parts('kvmEvents')).toEqual([]);
    expect(trial.cells()['exits.kvm.dropped_reasons']).toBe(88);
    expect(trial.cells()).not.toHaveProperty('exits.kvm.total');
  });

  it('loses everything with the answer and with the process', async () => {
    await trial.says(FULL_ANSWER);
    expect(await trial.says({ kvm: Outcome.malformed })).toBe(Outcome.malformed);
    expect([trial.cells(), trial.parts('kvmExits'), trial.parts('kvmEvents')]).toEqual([{}, [], []]);
    await trial.says(FULL_ANSWER);
    expect(trial.parts('kvmExits')).toHaveLength(3);
    trial.end();
    expect([trial.tables.kvmExits.size, trial.tables.kvmEvents.size]).toEqual([0, 0]);
  });

  it('shows the same numbers again after its rows were cleared', async () => {
    await trial.says(FULL_ANSWER);
    await trial.says({ kvm: Outcome.malformed });
    await trial.says(FULL_ANSWER);
    expect(trial.parts('kvmEvents')).toHaveLength(2);
  });
});
