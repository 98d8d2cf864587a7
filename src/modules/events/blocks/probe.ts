import { endianness } from 'node:os';
import type { TracepointCatalog } from '../catalog.js';
import type { BlockReason, HistogramMap } from '../words.js';

/**
 * What happens at some tracepoints. Nothing is deleted that is not there: `bpftrace -k` tells that as an error, like a map that is full.
 * Probes of several blocks with the same place, condition and beginning become one. */
export interface Probe {
  /** As `tracepoint:sched:sched_switch`. */
  readonly at: readonly string[];
  readonly when: string;
  /** Fields are copied here first: read late in a long body, the kernel's verifier may refuse them ("modified ctx ptr"). */
  readonly first: string;
  readonly body: string;
}

/** Probes that are on or off together, written for one kernel. */
export interface Block {
  readonly probes: readonly Probe[];
  /** Maps that are told. Others are the block's own. */
  readonly tells: readonly string[];
}

export type BlockMaker = (catalog: TracepointCatalog) => Block | BlockReason;

/** By tracepoint, the fields that are read. */
export type Needs = Readonly<Record<string, readonly string[]>>;

export const offers = (catalog: TracepointCatalog, needs: Needs): boolean =>
  Object.entries(needs).every(([tracepoint, fields]) => {
    const format = catalog.format(tracepoint);
    return format !== undefined && fields.every((field) => format.fields.has(field));
  });

/** Length of a time between two readings of a clock that different CPUs may have read: at least 1 ns. */
export const elapsed = (now: string, since: string): string => `${now} > ${since} ? ${now} - ${since} : (uint64)1`;

/** @param key in the brackets of the map. @param nanoseconds at least 1: of 0 the subtraction would give 2^64-1 */
export const measured = (map: HistogramMap, key: string, nanoseconds: string): string =>
  `@${map}[${key}] = hist((${nanoseconds} - 1) / 3125); @${map}_sum[${key}] = sum(${nanoseconds}); @${map}_last[${key}] = ${nanoseconds};`;

export const toldOf = (map: HistogramMap): readonly string[] => [map, `${map}_sum`, `${map}_last`];

/** A number of 16 bits in network byte order, as this machine reads it. */
export const networkOrder = (number: number): number => (endianness() === 'BE' ? number : ((number & 0xff) << 8) | (number >> 8));

/** The beginning of an `if`. S_IFMT is 0xf000 of the mode: 0x8000 a regular file, 0x6000 a block device. */
export const isDisk = (file: string): string =>
  `$mode = (uint64)${file}->f_inode->i_mode & 0xf000; if ($mode == 0x8000 || $mode == 0x6000)`;
