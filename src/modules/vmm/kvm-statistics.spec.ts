import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, kernelSample, truncations } from '../../../test/kernel-samples.js';
import { kindOf, parseStatistic, statisticsOf } from './kvm-statistics.js';

const recorded = kernelSample('linux-6.18-kvm-debugfs/statistics')
  .trimEnd()
  .split('\n')
  .map((line) => line.split(' ') as [mode: string, name: string]);

describe('kindOf', () => {
  const ofKind = (kind: string): string[] =>
    recorded.flatMap(([mode, name]) => (kindOf(name, Number.parseInt(mode, 8)) === kind ? name : []));

  it('knows what a kernel counts, what it times and what it only shows', () => {
    expect(ofKind('gauge')).toEqual([
      ...['blocking', 'guest_mode', 'max_mmu_page_hash_collisions', 'max_mmu_rmap_size', 'mmu_unsync', 'nx_lpage_splits'],
      ...['pages_1g', 'pages_2m', 'pages_4k'],
    ]);
    expect(ofKind('duration')).toEqual(['halt_poll_fail_ns', 'halt_poll_success_ns', 'halt_wait_ns']);
    expect(ofKind('histogram')).toEqual(['halt_poll_fail_hist', 'halt_poll_success_hist', 'halt_wait_hist']);
    expect(ofKind('counter')).toEqual(expect.arrayContaining(['exits', 'io_exits', 'insn_emulation', 'signal_exits', 'tlb_flush']));
    expect(ofKind('counter')).toHaveLength(recorded.length - 15);
  });

  it('says the same of these names where modes tell nothing', () => {
    for (const [mode, name] of recorded) expect([name, kindOf(name)]).toEqual([name, kindOf(name, Number.parseInt(mode, 8))]);
  });

  it('takes an unknown name for a counter, unless nobody could set it back', () => {
    expect([kindOf('news_of_2030', 0o644), kindOf('news_of_2030'), kindOf('news_of_2030', 0o444)]).toEqual(['counter', 'counter', 'gauge']);
  });
});

describe('parseStatistic', () => {
  it('reads a number', () => {
    expect([parseStatistic('0\n'), parseStatistic('111842\n')]).toEqual([0, 111842]);
  });

  it('refuses every truncation', () => {
    for (const cut of truncations('111842\n')) expect(parseStatistic(cut)).toBeNull();
  });

  it.each(['', '\n', '-1\n', '+1\n', '01\n', '1\n2\n', '1 \n', '0x1\n', '1e3\n', '1.5\n', 'x\n', '1\0\n', `${'9'.repeat(21)}\n`])(
    'refuses %j',
    (text) => {
      expect(parseStatistic(text)).toBeNull();
    },
  );

  it('knows no number of 2^63 and above', () => {
    expect([parseStatistic('9223372036854775808\n'), parseStatistic('18446744073709551615\n')]).toEqual([Number.NaN, Number.NaN]);
  });

  it('gives a number, none, or nothing, whatever it reads', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const value = parseStatistic(text);
        expect(value === null || Number.isNaN(value) || (value >= 0 && value < 2 ** 63)).toBe(true);
      }),
    );
  });
});

describe('statisticsOf', () => {
  it('sorts numbers by what they are, without those that are none', () => {
    const { counters, durations, gauges } = statisticsOf([
      ['exits', 'counter', 7],
      ['io_exits', 'counter', Number.NaN],
      ['halt_wait_ns', 'duration', 9],
      ['halt_wait_hist', 'histogram', 1],
      ['pages_4k', 'gauge', 0],
    ]);
    expect([...counters]).toEqual([['exits', 7]]);
    expect([...durations]).toEqual([['halt_wait_ns', 9]]);
    expect([...gauges]).toEqual([['pages_4k', 0]]);
  });
});
