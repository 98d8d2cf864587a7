import type { TracingBlock } from '../../model/settings.js';

/**
 * What is timed. `rtt`: the kernel's smoothed round-trip time of a TCP connection, at each segment received. `connect`: from SYN_SENT to
 * ESTABLISHED. `dns`: from a query of the process itself to the answer. `read`, `write`, `fsync`: of files. `cpu_block`: off the CPU, for
 * whatever reason. `run_queue`: ready to run without a CPU, which is a part of that.
 */
export const LATENCIES = ['rtt', 'connect', 'dns', 'read', 'write', 'fsync', 'cpu_block', 'run_queue'] as const;
export type Latency = (typeof LATENCIES)[number];

/** What is added up. */
export const AMOUNTS = ['send_bytes', 'receive_bytes', 'read_bytes', 'write_bytes', 'connect_errors', 'retransmits'] as const;
export type Amount = (typeof AMOUNTS)[number];

/**
 * Upper bounds of Podtrace's histograms in nanoseconds: 100 µs, doubled 19 times. A value is counted at the first bound that is not below it.
 * The kernel side counts `hist((ns - 1) / 3125)`, whose buckets are 3125 ns × 2^n: n = 5 is the first of these, all below fall into it.
 */
export const BOUND_COUNT = 20;
export const BOUNDS_NANOSECONDS: readonly number[] = Array.from({ length: BOUND_COUNT }, (_, n) => 100_000 * 2 ** n);

/** Maps of the kernel side by what they hold; each has keys of the agent's own numbers, never pids. */
export const HISTOGRAM_MAPS = ['rtt', 'connect', 'dns', 'fs', 'cpu_block', 'run_queue', 'guest_dns'] as const;
export type HistogramMap = (typeof HISTOGRAM_MAPS)[number];

/** Second part of the keys of `fs`. */
export const FILE_OPERATIONS = ['read', 'write', 'fsync'] as const;

/** Why a block is off. */
export const BLOCK_REASONS = [
  'not_wanted',
  'no_bpftrace',
  'no_tracefs',
  'no_permission',
  'lockdown',
  'no_btf',
  'missing_tracepoint',
  'verifier',
  'crashed',
  'no_helper',
] as const;
export type BlockReason = (typeof BLOCK_REASONS)[number];

/** Each block that there is: null while it is on. */
export type BlockStates = Readonly<Record<TracingBlock, BlockReason | null>>;
