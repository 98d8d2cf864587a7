import { AMOUNT, AMOUNT_OR_NONE, CPU_MAX_PAIR, NANOSECONDS, type Numbers, numbersNamed } from './limit-texts.js';
import type { Parse } from './parsed-file.js';

/** A file and the parser of its text. */
export type FileKind = readonly [name: string, parse: Parse<Numbers>];

/** The controllers by whose hierarchies the files are found; version 2 has one for all, and counts CPU time without any. */
export const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** Limits that every level above sets as well: the least of them is the one in force. */
export const LEAST = ['memoryMax', 'memoryHigh', 'swapMax', 'pidsMax'] as const;
/** What only the instance's own cgroup says. */
export const OWN = ['weight', 'memoryLow', 'memoryMin', 'memoryUsage', 'memoryPeak', 'swapUsage', 'pids', 'pidsPeak'] as const;
/** Of those, what hardly ever changes, and peaks, which usage tells as well: read as seldom as `memory.stat`. */
export const SELDOM: ReadonlySet<OwnWord> = new Set<OwnWord>(['weight', 'memoryLow', 'memoryMin', 'memoryPeak', 'pidsPeak']);
/** How often; in the order of `memory.events`. */
export const EVENTS = ['low', 'high', 'max', 'oom', 'oomKill', 'oomGroupKill'] as const;
export type LeastWord = (typeof LEAST)[number];
export type OwnWord = (typeof OWN)[number];
export type EventWord = (typeof EVENTS)[number];

export function controllerOf(word: LeastWord | OwnWord): Controller {
  if (word === 'weight') return 'cpu';
  return word.startsWith('pids') ? 'pids' : 'memory';
}

/** Names of one version's files; what it does not have is missing. */
export interface LimitFileNames {
  /** Of one level. Version 1 has the period in a file of its own. */
  readonly quota: FileKind;
  readonly period?: FileKind;
  readonly burst: FileKind;
  readonly cpuUsage: FileKind;
  readonly least: Readonly<Partial<Record<LeastWord, FileKind>>>;
  readonly own: Readonly<Partial<Record<OwnWord, FileKind>>>;
  readonly events: readonly { readonly file: FileKind; readonly words: readonly EventWord[] }[];
  /** What the kernel gives back first when memory runs short, bytes. */
  readonly inactive: FileKind;
}

const PIDS: LimitFileNames['own'] = { pids: ['pids.current', AMOUNT], pidsPeak: ['pids.peak', AMOUNT] };

/** Kernel, Documentation/admin-guide/cgroup-v1/{memory,pids,cpuacct}.rst and scheduler/sched-bwc.rst. */
const VERSION_1: LimitFileNames = {
  quota: ['cpu.cfs_quota_us', AMOUNT_OR_NONE],
  period: ['cpu.cfs_period_us', AMOUNT],
  burst: ['cpu.cfs_burst_us', AMOUNT],
  cpuUsage: ['cpuacct.usage', NANOSECONDS],
  least: { memoryMax: ['memory.limit_in_bytes', AMOUNT_OR_NONE], pidsMax: ['pids.max', AMOUNT_OR_NONE] },
  own: {
    weight: ['cpu.shares', AMOUNT],
    memoryUsage: ['memory.usage_in_bytes', AMOUNT],
    memoryPeak: ['memory.max_usage_in_bytes', AMOUNT],
    ...PIDS,
  },
  events: [
    { file: ['memory.failcnt', AMOUNT], words: ['max'] },
    { file: ['memory.oom_control', numbersNamed('oom_kill')], words: ['oomKill'] },
  ],
  inactive: ['memory.stat', numbersNamed('total_inactive_file')],
};

/** Kernel, Documentation/admin-guide/cgroup-v2.rst. */
const VERSION_2: LimitFileNames = {
  quota: ['cpu.max', CPU_MAX_PAIR],
  burst: ['cpu.max.burst', AMOUNT],
  cpuUsage: ['cpu.stat', numbersNamed('usage_usec')],
  least: {
    memoryMax: ['memory.max', AMOUNT_OR_NONE],
    memoryHigh: ['memory.high', AMOUNT_OR_NONE],
    swapMax: ['memory.swap.max', AMOUNT_OR_NONE],
    pidsMax: ['pids.max', AMOUNT_OR_NONE],
  },
  own: {
    weight: ['cpu.weight', AMOUNT],
    memoryLow: ['memory.low', AMOUNT_OR_NONE],
    memoryMin: ['memory.min', AMOUNT_OR_NONE],
    memoryUsage: ['memory.current', AMOUNT],
    memoryPeak: ['memory.peak', AMOUNT],
    swapUsage: ['memory.swap.current', AMOUNT],
    ...PIDS,
  },
  events: [{ file: ['memory.events', numbersNamed('low', 'high', 'max', 'oom', 'oom_kill', 'oom_group_kill')], words: EVENTS }],
  inactive: ['memory.stat', numbersNamed('inactive_file')],
};

export const LIMIT_FILES: Readonly<Record<1 | 2, LimitFileNames>> = { 1: VERSION_1, 2: VERSION_2 };
