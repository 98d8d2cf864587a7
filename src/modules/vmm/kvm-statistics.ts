import type { KvmStatistics } from './answer.js';

/** `histogram`: buckets of a distribution, no single number. */
export type StatisticKind = 'counter' | 'duration' | 'gauge' | 'histogram';

/** S_IRUSR, S_IRGRP, S_IROTH: KVM makes what is no counter read-only, because only a counter can be set back (kvm_stats_debugfs_mode). */
const READ_ONLY = 0o444;
/** The same by name, for kernels whose modes say nothing: present values and peaks (virt/kvm, the `stats_desc` tables of each architecture). */
const PRESENT = /^(pages_\w+|num_\w+_pages|l(arge)?pages|mmu_unsync|nx_(large|l)page_splits|max_\w+|guest_mode|blocking)$/;

/** @param mode permission bits of the file; undefined where they are not known */
export function kindOf(name: string, mode?: number): StatisticKind {
  if (name.endsWith('_hist')) return 'histogram';
  if (PRESENT.test(name)) return 'gauge';
  if (name.endsWith('_ns')) return 'duration';
  return mode === READ_ONLY ? 'gauge' : 'counter';
}

const NUMBER = /^(0|[1-9]\d{0,19})\n$/;
const SENTINEL = 2 ** 63;

/** A file of one number, `%llu\n` (simple_attr_read). @returns null for a text that is cut or anything else; NaN for 2^63 and above */
export function parseStatistic(text: string): number | null {
  const digits = NUMBER.exec(text)?.[1];
  if (digits === undefined) return null;
  const value = Number(digits);
  return value < SENTINEL ? value : Number.NaN;
}

/** Numbers by name, sorted into what they are. Histograms and numbers that are none are left out. */
export function statisticsOf(values: Iterable<readonly [name: string, kind: StatisticKind, value: number]>): KvmStatistics {
  const counters = new Map<string, number>();
  const durations = new Map<string, number>();
  const gauges = new Map<string, number>();
  const places = { counter: counters, duration: durations, gauge: gauges, histogram: null };
  for (const [name, kind, value] of values) if (!Number.isNaN(value)) places[kind]?.set(name, value);
  return { counters, durations, gauges };
}
