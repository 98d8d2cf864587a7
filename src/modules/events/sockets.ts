import { Injectable } from '@nestjs/common';
import { runCommand } from '../../host/command.js';
import { Host } from '../../host/host.js';
import { HostError } from '../../host/host-error.js';
import { Slicer } from '../../host/slicer.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';
import { Settings } from '../../model/settings.js';
import { IO_KEYS, parseIo } from '../procfs/io.js';
import { emptyMeasure, type Measure, Timing } from './measure.js';
import { type Growth, SocketGrowth } from './socket-growth.js';
import { SocketSight } from './socket-sight.js';
import { parseSockets } from './ss-text.js';
import type { Amount } from './words.js';

const PROGRAM = 'ss';
/** ss(8): TCP, what the kernel knows of each, processes, numbers, no heading, a line a socket, inode and cookie. */
const WORDS = ['-tinpHOe'];
/** Some 400 bytes a socket. */
const LIMIT_BYTES = 8 << 20;
const DEADLINE_MS = 5000;
/** Nobody knows who counted what in a pause longer than this many intervals: none of it is counted here. */
const PAUSE_INTERVALS = 3;

const READ_SLOT = IO_KEYS.indexOf('read_bytes');
const WRITE_SLOT = IO_KEYS.indexOf('write_bytes');
const ioText = Buffer.allocUnsafeSlow(1024);
const ioValues = new Float64Array(IO_KEYS.length);

/** One look at all sockets that may be seen. */
interface Look {
  readonly number: number;
  /** The look that its growth is since; null for a first one, or one after a pause. */
  readonly since: number | null;
  readonly growths: ReadonlyMap<number, Growth>;
  /** Of the network namespace whose sockets they are. */
  readonly namespace: string;
}

/** What is known of a process for as long as somebody holds it. */
interface Watched {
  /** Number of the look that was begun last when it was first asked for. */
  readonly since: number;
  readonly sums: Map<Amount, number>;
  readonly rtt: Timing;
  /** Number of the last look that was added. */
  added: number | null;
  /** What that one, or a later one that tells nothing of it, has of it. */
  shown: { readonly number: number; readonly growth: Growth | null };
  io: { readonly read: number; readonly write: number; readonly at: number } | null;
}

/**
 * What can be told of processes where nothing is traced: TCP sockets by the program `ss`, storage by /proc/<pid>/io. Sums and the latest round-trip time,
 * no distribution. Only sockets of the agent's own network namespace are seen, only those that are there at a look, and no UDP.
 */
@Injectable()
export class SocketsReader {
  /** TCP connections at the last look; null where it failed or nobody asked. */
  connections: number | null = null;
  /** Lines of ss that did not parse since the start; null before the first look. */
  unreadable: number | null = null;
  private readonly growth = new SocketGrowth();
  private readonly sight: SocketSight;
  private readonly watched = new WeakMap<HeldProcess, Watched>();
  /** Pids asked for since the last look was begun, and whether there was one that may not be looked into. */
  private asked = new Set<number>();
  private wasRefused = false;
  private begun = 0;
  private last: Look | null = null;
  private lastAt = Number.NEGATIVE_INFINITY;
  private readonly ending = new AbortController();

  protected readonly run: typeof runCommand = runCommand;

  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
  ) {
    this.sight = new SocketSight(host);
  }

  /** A look at all sockets, where somebody asked for a process since the last one. */
  async read(): Promise<Outcome> {
    const { asked, wasRefused } = this;
    this.asked = new Set();
    this.wasRefused = false;
    this.connections = null;
    if (asked.size === 0) return wasRefused ? Outcome.notPermitted : Outcome.notConfigured;
    if (!this.sight.seesProcessesAsItsChildren()) return Outcome.unsupported;
    if (this.sight.seesMoreThanItsChildren()) return Outcome.notPermitted;
    const number = ++this.begun;
    try {
      return await this.look(number, asked);
    } catch (error) {
      // Without the program there is nothing to read with; no process is gone for that.
      return error instanceof HostError && error.code === 'ENOENT' ? Outcome.notConfigured : outcomeOfErrno(error);
    }
  }

  /**
   * What is known of a process since it was first asked for; its sums never go back. What is not known has no member, and null is nothing at all.
   * The object is the caller's until the next call.
   */
  measureOf(process: HeldProcess): Measure | null {
    const measure = emptyMeasure();
    // Reaped: its pid may be another's, and what was seen under it as well.
    if (process.readStat() !== Outcome.ok) return null;
    const watched = this.watch(process);
    const io = this.addStorage(process, watched);
    if (io === Outcome.notPermitted) {
      this.wasRefused = true;
      return null;
    }
    this.asked.add(process.pid);
    if (io === Outcome.ok) give(measure, watched, ['read_bytes', 'write_bytes']);
    const growth = this.addSockets(process, watched);
    if (growth) {
      if (growth.sentBytes !== null) give(measure, watched, ['send_bytes']);
      if (growth.receivedBytes !== null) give(measure, watched, ['receive_bytes']);
      if (growth.retransmits !== null) give(measure, watched, ['retransmits']);
      if (!Number.isNaN(watched.rtt.lastNanoseconds)) measure.timings.set('rtt', watched.rtt);
    }
    return measure.amounts.size === 0 && measure.timings.size === 0 ? null : measure;
  }

  close(): void {
    this.ending.abort();
  }

  private async look(number: number, pids: ReadonlySet<number>): Promise<Outcome> {
    const startedAt = this.host.clock.monotonic();
    const text = await this.run({
      ...{ program: PROGRAM, words: WORDS, limitBytes: LIMIT_BYTES, deadlineMs: DEADLINE_MS, signal: this.ending.signal },
      environment: { LC_ALL: 'C' },
    });
    const namespace = this.sight.ownNamespace();
    const slicer = new Slicer(this.host.clock);
    let connections = 0;
    let unreadable = 0;
    this.growth.begin(pids);
    for (const socket of parseSockets(text)) {
      if (socket) {
        this.growth.add(socket);
        connections++;
      } else unreadable++;
      await slicer.pause();
    }
    this.unreadable = (this.unreadable ?? 0) + unreadable;
    if (connections === 0 && unreadable > 0) return Outcome.malformed;
    this.connections = connections;
    const isPause = startedAt - this.lastAt > PAUSE_INTERVALS * this.settings.socketsIntervalMs;
    this.last = { number, since: isPause ? null : (this.last?.number ?? null), growths: this.growth.end(), namespace };
    this.lastAt = startedAt;
    return Outcome.ok;
  }

  private watch(process: HeldProcess): Watched {
    const known = this.watched.get(process);
    if (known) return known;
    const watched: Watched = {
      since: this.begun,
      sums: new Map(),
      rtt: new Timing(),
      added: null,
      shown: { number: 0, growth: null },
      io: null,
    };
    this.watched.set(process, watched);
    return watched;
  }

  /** @returns what its sockets did at the last look; null where that tells nothing of this process */
  private addSockets(process: HeldProcess, watched: Watched): Growth | null {
    const { last } = this;
    if (!last || watched.shown.number === last.number) return watched.shown.growth;
    // It had its pid before the look was begun, and has it still: nobody else had it meanwhile.
    const growth = watched.since < last.number ? (last.growths.get(process.pid) ?? null) : null;
    const isSeen = growth !== null && this.sight.namespaceOf(process) === last.namespace;
    watched.shown = { number: last.number, growth: isSeen ? growth : null };
    if (!isSeen) return null;
    const counts = watched.added !== null && watched.added === last.since;
    watched.added = last.number;
    add(watched, 'send_bytes', counts ? growth.sentBytes : 0);
    add(watched, 'receive_bytes', counts ? growth.receivedBytes : 0);
    add(watched, 'retransmits', counts ? growth.retransmits : 0);
    if (growth.rttNanoseconds !== null) watched.rtt.lastNanoseconds = growth.rttNanoseconds;
    return growth;
  }

  /** /proc/<pid>/io, proc_pid_io(5): what was moved from and to storage. It may be read by those who may see the sockets of the process, too. */
  private addStorage(process: HeldProcess, watched: Watched): Outcome {
    try {
      if (!parseIo(ioText, process.read('io', ioText), ioValues)) return Outcome.malformed;
    } catch (error) {
      return outcomeOfErrno(error);
    }
    const at = this.host.clock.monotonic();
    const now = { read: ioValues[READ_SLOT], write: ioValues[WRITE_SLOT], at };
    if (Number.isNaN(now.read) || Number.isNaN(now.write)) return Outcome.unsupported;
    const before = watched.io && at - watched.io.at <= PAUSE_INTERVALS * this.settings.socketsIntervalMs ? watched.io : now;
    add(watched, 'read_bytes', Math.max(0, now.read - before.read));
    add(watched, 'write_bytes', Math.max(0, now.write - before.write));
    watched.io = now;
    return Outcome.ok;
  }
}

function add({ sums }: Watched, amount: Amount, growth: number | null): void {
  sums.set(amount, (sums.get(amount) ?? 0) + (growth ?? 0));
}

function give({ amounts }: Measure, { sums }: Watched, which: readonly Amount[]): void {
  for (const amount of which) {
    const sum = sums.get(amount);
    if (sum !== undefined) amounts.set(amount, sum);
  }
}
