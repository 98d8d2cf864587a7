import type { Host } from '../../host/host.js';
import { Slicer } from '../../host/slicer.js';
import type { Subject } from '../../model/collector.js';
import { Outcome } from '../../model/outcome.js';
import type { Order } from '../../model/table.js';
import type { PartKey, Tables } from '../../model/tables.js';
import type { Instance } from '../instances/instance.js';
import type { Registry } from '../instances/registry.js';
import { hasEnded, isEnding } from '../procfs/held-process.js';
import { History, type Rates } from './history.js';
import type { Sampler } from './sampler.js';

/** What readers may know of the last finished sweep. */
export interface SweepInfo {
  /** Counts finished sweeps; 0 before the first. */
  readonly sequence: number;
  /** Milliseconds since 1970 when it began. */
  readonly startedMs: number;
  /** Monotonic milliseconds when it began. */
  readonly startedAt: number;
  readonly seconds: number;
  /** Between the first and the last instance's reading, milliseconds. */
  readonly skewMs: number;
  readonly instances: number;
}

/**
 * The sweep: one pass over all instances, one at a time whoever asks. Views read the tables of the last finished sweep; a sweep that is
 * under way writes where nobody looks.
 */
export class Collection {
  last: SweepInfo = { sequence: 0, startedMs: 0, startedAt: Number.NEGATIVE_INFINITY, seconds: 0, skewMs: 0, instances: 0 };
  readonly history: History;
  /** Called in the sweep that finds an instance's process gone, while its row still holds the closing sample in `back`. */
  onEnd: (instance: Instance) => void = () => undefined;
  /** Called in every sweep: what is read of the host itself. */
  onSweep: () => void = () => undefined;
  private running: Promise<void> | null = null;
  private readers = 0;
  private released: (() => void) | null = null;
  private readonly live = new Set<Instance>();

  constructor(
    private readonly host: Host,
    private readonly tables: Tables,
    private readonly registry: Registry,
    readonly sampler: Sampler,
    private readonly maxAgeMs: () => number,
  ) {
    const timed = sampler.states.filter(({ collector }) => collector.about.tier !== 'sweep');
    this.history = new History(
      tables.instances.columns,
      new Map(timed.flatMap(({ columns, at }) => columns.map((column) => [column, at]))),
    );
  }

  /** Instances of the last finished sweep in the order of every answer. */
  get order(): Order<Subject> {
    return this.tables.instances.order;
  }

  /** Their disks, likewise, as far as their VMMs tell of any. */
  get disks(): Order<PartKey> {
    return this.tables.disks.order;
  }

  /** Their ports at virtual switches, likewise. */
  get switchPorts(): Order<PartKey> {
    return this.tables.switchPorts.order;
  }

  /** Resolves when the last sweep is no older than the maximum age, or a new one has finished; and when the instance was in it. */
  async fresh(instance?: Instance): Promise<void> {
    const young = this.host.clock.monotonic() - this.last.startedAt <= this.maxAgeMs();
    if (young && (!instance || instance.sequence > 0 || !instance.current)) return;
    await this.sweep();
    // A sweep that was already under way may have begun before the instance was known.
    if (instance?.current && instance.sequence === 0) await this.sweep();
  }

  /** One sweep; a call while one is under way joins it. */
  sweep(): Promise<void> {
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  /**
   * Reads the finished tables for longer than one turn of the event loop: the next sweep waits until it is done. A sweep that is under way
   * is waited for, because rows, states and the cells it publishes change under a reader.
   */
  async read<T>(reader: () => Promise<T>): Promise<T> {
    while (this.running) await this.running.catch(() => undefined);
    this.readers++;
    try {
      return await reader();
    } finally {
      this.readers--;
      if (this.readers === 0) this.released?.();
    }
  }

  rates(instance: Instance, windowSeconds?: number): Rates | null {
    return instance.row < 0 ? null : this.history.rates(instance.row, instance.attachedAt, windowSeconds);
  }

  private async run(): Promise<void> {
    while (this.readers > 0)
      await new Promise<void>((resolve) => {
        this.released = resolve;
      });
    const { clock } = this.host;
    const startedMs = clock.now();
    const startedAt = clock.monotonic();
    const slicer = new Slicer(clock);
    this.tables.begin();
    this.sampler.begin();
    await this.applyChanges(slicer, startedAt);
    this.onSweep();
    await this.shared(slicer);
    const firstAt = clock.monotonic();
    const lastAt = await this.sampleAll(slicer, startedMs);
    this.tables.publish();
    this.history.record(startedAt);
    this.last = {
      sequence: this.last.sequence + 1,
      startedMs,
      startedAt,
      seconds: (clock.monotonic() - startedAt) / 1000,
      skewMs: lastAt - firstAt,
      instances: this.live.size,
    };
  }

  private async sampleAll(slicer: Slicer, sweepMs: number): Promise<number> {
    const { clock } = this.host;
    const sequence = this.last.sequence + 1;
    let now = clock.monotonic();
    for (const instance of this.live) {
      const { process } = instance;
      if (!process) continue;
      const outcome = process.readStat();
      // The cells keep what was last read until its end can be told.
      if (outcome === Outcome.ok && isEnding(process)) continue;
      if (outcome === Outcome.gone || (outcome === Outcome.ok && hasEnded(process.stateCode))) {
        if (outcome === Outcome.ok) this.sampler.sampleClosing(instance, now);
        this.end(instance);
      } else {
        now = this.sampler.sample(instance, now);
        instance.sequence = sequence;
        instance.sampledMs = sweepMs;
      }
      const pause = slicer.pause(now);
      if (pause) {
        await pause;
        now = clock.monotonic();
      }
    }
    return now;
  }

  private async shared(slicer: Slicer): Promise<void> {
    for (const _ of this.sampler.shared()) {
      const pause = slicer.pause();
      if (pause) await pause;
    }
  }

  private async applyChanges(slicer: Slicer, startedAt: number): Promise<void> {
    for (const change of this.registry.takeChanges()) {
      const { instance } = change;
      if (change.kind === 'remove') {
        instance.companions.forget();
        this.release(instance);
      } else if (change.kind === 'start') this.start(instance, change.vhostThreads, startedAt);
      else if (instance.row >= 0) {
        instance.vhostThreads = change.vhostThreads;
        this.adopt(instance);
        this.sampler.devices(instance);
      }
      const pause = slicer.pause();
      if (pause) await pause;
    }
  }

  private start(instance: Instance, vhostThreads: readonly number[], startedAt: number): void {
    const { incoming } = instance;
    if (!incoming) return;
    this.release(instance);
    instance.process = incoming;
    instance.incoming = null;
    instance.vhostThreads = vhostThreads;
    instance.generation++;
    instance.endedMs = null;
    instance.sequence = 0;
    instance.attachedAt = startedAt;
    instance.row = this.tables.instances.add(instance);
    this.adopt(instance);
    this.sampler.attach(instance);
    this.live.add(instance);
  }

  /** What a rescan found beside the VMM. A sandbox stays one for as long as its VMM lives, even when its files are gone first. */
  private adopt(instance: Instance): void {
    instance.companions.adopt();
    if (instance.record.sandbox && instance.sandboxRow < 0) instance.sandboxRow = this.tables.sandboxes.add({ parent: instance });
  }

  private end(instance: Instance): void {
    this.registry.ended(instance);
    this.close(instance);
    this.onEnd(instance);
    this.release(instance);
  }

  private release(instance: Instance): void {
    this.close(instance);
    if (instance.row < 0) return;
    this.sampler.detach(instance);
    if (instance.sandboxRow >= 0) this.tables.sandboxes.remove(instance.sandboxRow);
    instance.sandboxRow = -1;
    this.tables.instances.remove(instance.row);
    this.live.delete(instance);
    instance.row = -1;
  }

  private close(instance: Instance): void {
    instance.companions.release();
    instance.process?.close();
    instance.process = null;
  }
}
