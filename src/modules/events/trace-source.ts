import { TRACING_BLOCKS, type TracingBlock } from '../../model/settings.js';
import type { BlockReason, BlockStates } from './words.js';

export interface TraceRequest {
  readonly blocks: readonly TracingBlock[];
  /** Between two tellings. */
  readonly intervalMs: number;
  /** Keys that each map has room for. */
  readonly slots: number;
}

/** Each bucket of a histogram takes one; a map of that many costs 8 bytes a slot and CPU. */
export const SLOTS = { least: 1024, most: 65_536 } as const;
export const INTERVAL_MS = { least: 1000, most: 600_000 } as const;

export const boundedRequest = ({ blocks, intervalMs, slots }: TraceRequest): TraceRequest => ({
  blocks: TRACING_BLOCKS.filter((block) => blocks.includes(block)),
  intervalMs: within(intervalMs, INTERVAL_MS),
  slots: within(slots, SLOTS),
});

const within = (value: number, { least, most }: { readonly least: number; readonly most: number }): number =>
  Number.isFinite(value) ? Math.round(Math.min(Math.max(value, least), most)) : least;

/** How a run ended. `failed`: it could not attach, as it says itself. */
export const TRACE_CAUSES = ['exited', 'failed', 'flooded', 'gone'] as const;
export interface TraceEnd {
  readonly cause: (typeof TRACE_CAUSES)[number];
  /** Of a run that failed: the block that is to blame, null where that is not clear from what it says. */
  readonly block: TracingBlock | null;
  readonly reason: BlockReason;
  /** What it said last, a line of bounded length; empty where nothing. */
  readonly words: string;
}

export interface TraceListener {
  /** A line that the program printed, complete. */
  line(text: string): void;
  /** Once; nothing comes after it. */
  ended(end: TraceEnd): void;
}

/** One run of the program that traces. */
export interface TraceRun {
  ring(numbers: readonly number[]): void;
  /** It may print as much again. */
  renew(): void;
  /** Asks it to end; `ended` says when it has. */
  end(): void;
}

/** Why nothing can be traced. */
export interface Hindrance {
  readonly reason: BlockReason;
  /** For people. */
  readonly words: string;
}

export type Started =
  | { readonly run: TraceRun; readonly blocks: BlockStates }
  | { readonly run: null; readonly blocks: BlockStates; readonly hindrance: Hindrance };

/** Where a run comes from: a program of our own, or a helper with more rights. */
export interface TraceSource {
  /** After the end of a run before another can be had, milliseconds. */
  readonly pauseMs: number;
  /** A cheap look whether a run could be had. */
  hindrance(): Hindrance | null;
  /** `request` is within bounds. The listener may hear before this resolves; it hears nothing where there is no run. @throws nothing */
  start(request: TraceRequest, listener: TraceListener): Promise<Started>;
}

export const statesOf = (stateOf: (block: TracingBlock) => BlockReason | null): BlockStates => {
  const [cpu, tcp, bytes, dns, files, uring, guestDns, plainFiles] = TRACING_BLOCKS.map(stateOf);
  return { cpu, tcp, bytes, dns, files, uring, 'guest-dns': guestDns, 'plain-files': plainFiles };
};

/** All of them off; what nobody asked for is off for that reason. */
export const allOff = (blocks: readonly TracingBlock[], reason: BlockReason): BlockStates =>
  statesOf((block) => (blocks.includes(block) ? reason : 'not_wanted'));

export const blocksOn = (blocks: BlockStates): readonly TracingBlock[] => TRACING_BLOCKS.filter((block) => blocks[block] === null);
