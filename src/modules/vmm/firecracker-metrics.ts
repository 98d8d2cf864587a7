import { withDeadline } from '../../host/deadline.js';
import type { HeldDirectory } from '../../host/held.js';
import type { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import { readWritten } from '../../host/written-file.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { ticksToMilliseconds } from '../../model/units.js';
import { FirecrackerCounters } from './firecracker-counters.js';
import { findSink, openFile, type Sink } from './firecracker-sink.js';
import { MetricsLines } from './metrics-lines.js';
import { isAppending } from './open-file.js';
import { heldDirectory } from './own-socket.js';

/** Lines of one device each have 7 KB, of 19 disks and 19 NICs 50 KB. */
const LINE_BYTES = 1 << 18;
/** Ten hours of a small VM's lines: what a round may read. More is read in the rounds that follow. */
const ROUND_BYTES = 4 << 20;
const PIECE_BYTES = 1 << 18;
/** As much as a pipe can be made to hold without privileges, /proc/sys/fs/pipe-max-size. */
const PIPE_BYTES = 1 << 20;

interface Wanted {
  readonly directory: HeldDirectory;
  readonly sink: Sink;
  readonly from: number;
  readonly bytes: number;
}

export interface Reading {
  /** Whether FIFOs are ours to read: what is taken out of one is there for nobody else. */
  readonly fifo: Exclude<Outcome, 0> | true;
  /** Whether the VM was already running when this round began: from then on no sink is added (rpc_interface.rs refuses it). */
  readonly isBooted: boolean;
  /** Milliseconds, at least 1. */
  left(): number;
}

const KNOWN = new WeakMap<HeldProcess, FirecrackerMetrics>();

/**
 * Where a Firecracker writes its metrics, read to where it has written: its own descriptor says which file that is and how far it is
 * (fdinfo), so neither names nor what else stands in the file play a part. Firecracker opens a file without cutting it and writes from its
 * beginning on: what an earlier VM left there stands behind.
 */
export class FirecrackerMetrics {
  readonly counters: FirecrackerCounters;
  private readonly lines = new MetricsLines(LINE_BYTES);
  private sink: Sink | null = null;
  /** Of a file: bytes that have been read, or were lost. */
  private position: number | null = null;
  /** The reading that is under way, perhaps from the last round on. */
  private reading: { readonly bytes: number; readonly piece: Promise<Buffer> } | null = null;
  private isReading = false;
  /** It writes nowhere, and never will. */
  isWithout = false;

  private constructor(
    private readonly process: HeldProcess,
    private readonly host: Host,
  ) {
    const { bootMs } = host;
    this.counters = new FirecrackerCounters(bootMs === null ? null : bootMs + ticksToMilliseconds(process.startTicks));
  }

  /** One for a process, whichever conversation reads: what was taken out of a FIFO can be counted only once, and nobody could go on from 0. */
  static of(process: HeldProcess, host: Host): FirecrackerMetrics {
    const known = KNOWN.get(process) ?? new FirecrackerMetrics(process, host);
    KNOWN.set(process, known);
    return known;
  }

  /**
   * What was written since the last time. @returns ok where the counters stand for all of it; busy while there is more to be read, or nothing
   * yet; notConfigured where it writes none. @throws the system's errors; ETIMEDOUT
   */
  async catchUp(reading: Reading): Promise<Outcome> {
    // For a conversation that was given up.
    if (this.isReading) return Outcome.busy;
    this.isReading = true;
    try {
      return await this.readOn(reading);
    } finally {
      this.isReading = false;
    }
  }

  private async readOn({ fifo, isBooted, left }: Reading): Promise<Outcome> {
    const directory = heldDirectory(this.process);
    if (!directory || this.isWithout) return Outcome.notConfigured;
    this.sink ??= await findSink(this.process, directory, this.host, left);
    const { sink } = this;
    if (!sink) {
      this.isWithout = isBooted;
      return Outcome.notConfigured;
    }
    if (sink.kind === 'fifo' && fifo !== true) return fifo;
    let isWhole = true;
    if (sink.kind === 'file') isWhole = await this.follow(directory, sink, left);
    else await this.take((await this.read({ directory, sink, from: 0, bytes: PIPE_BYTES }, left())).piece);
    return isWhole && this.counters.hasLines ? Outcome.ok : Outcome.busy;
  }

  /** At least a piece, however late it is. @returns whether all that is written has been read */
  private async follow(directory: HeldDirectory, sink: Sink, left: () => number): Promise<boolean> {
    const open = openFile(directory, sink.descriptor);
    if (!open) return false;
    const end = open.position;
    // Of one that is appended to, nobody can tell where this process began.
    this.position ??= isAppending(open) ? end : 0;
    if (end < this.position) this.lose(end);
    const goal = Math.min(end, this.position + ROUND_BYTES);
    while (this.position < goal) {
      const { piece, bytes } = await this.read(
        { directory, sink, from: this.position, bytes: Math.min(PIECE_BYTES, goal - this.position) },
        left(),
      );
      this.position += piece.length;
      await this.take(piece);
      // Cut by somebody else meanwhile: the writer goes on where it was, behind a hole.
      if (piece.length < bytes) this.lose(end);
      if (left() <= 1) break;
    }
    return this.position === end;
  }

  /** What a reading that missed its deadline brings later is not lost: of a FIFO nobody could read it again. @throws the system's errors; ETIMEDOUT */
  private async read(
    { directory, sink, from, bytes }: Wanted,
    deadlineMs: number,
  ): Promise<{ readonly piece: Buffer; readonly bytes: number }> {
    this.reading ??= { bytes, piece: readWritten(directory.path(`fd/${sink.descriptor}`), sink, { from, bytes }) };
    const { reading } = this;
    try {
      const piece = await withDeadline(reading.piece, deadlineMs, 'reading metrics');
      this.reading = null;
      return { piece, bytes: reading.bytes };
    } catch (error) {
      if (outcomeOfErrno(error) !== Outcome.timeout) this.reading = null;
      throw error;
    }
  }

  private async take(piece: Buffer): Promise<void> {
    const slicer = new Slicer(this.host.clock);
    for (const line of this.lines.feed(piece)) {
      this.counters.add(line);
      const pause = slicer.pause();
      if (pause) await pause;
    }
  }

  private lose(position: number): void {
    this.reading = null;
    this.lines.drop();
    this.counters.lose();
    this.position = position;
  }
}
