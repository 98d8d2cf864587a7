import type { HostFamily } from '../../model/host-family.js';
import type { BlockReason, BlockStates } from './words.js';

/** One life of the program that traces: from its first tick, when all probes are attached, to its end. */
export interface TracingSession {
  /** Blocks that are on in this life. */
  readonly blocks: BlockStates;
  /** Keys that each map has room for. */
  readonly slots: number;
  /**
   * Tells the kernel side numbers, in this order: see doorbell.ts for what they mean. Costs a system call each.
   * Nothing happens once the session has ended.
   */
  ring(numbers: readonly number[]): void;
  /** Ends this life soon, for another with empty maps: they are nearly full, or too small for what is to be traced. */
  renew(): void;
}

/** Who enrols processes and takes in what the kernel side counted. */
export interface TracingClient {
  /** Whether there is anything to trace at all: without it no program is started, and one that runs is ended after a while. */
  isWanted(): boolean;
  /** Keys that each map should have room for. Asked before each start. */
  slots(): number;
  began(session: TracingSession): void;
  /** A line that the program printed, complete, after `began`. @throws nothing */
  line(text: string): void;
  /** The maps of this life are gone; where it ended by itself, what was counted since its last telling is lost. */
  ended(reason: BlockReason): void;
  /** What it has to say of tracing as such. */
  families?(): readonly HostFamily[];
}
