import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { InstanceSource } from '../../model/instance.js';
import { Settings } from '../../model/settings.js';
import { Discovery } from '../instances/discovery.js';
import type { Instance } from '../instances/instance.js';
import { Registry } from '../instances/registry.js';
import { INSTANCE_SOURCES } from '../instances/sources.js';
import { Collection } from './collection.js';
import { HostCollection } from './host-collection.js';
import type { CollectorState } from './sampler.js';

const DRY_SWEEPS = 2;
/** A detached collector may use this share of a CPU: after a reading that took t it pauses for the rest. */
const DETACHED_SHARE = 0.01;
const DETACHED_IDLE_MS = 1000;
const SOON_MS = 250;
/** What the host's own collectors may take before the agent is ready without them. */
const FIRST_MS = 1000;

/** What keeps the house going: rescans, background sweeps, detached collectors. Each waits for its own last turn before the next. */
@Injectable()
export class Agent implements OnApplicationBootstrap, OnApplicationShutdown {
  /** Discovery and two sweeps are done: the first scrape of many instances costs four times the fourth. */
  warm = false;
  private readonly logger = new Logger('agent');
  private readonly timers = new Set<NodeJS.Timeout>();
  private stopped = false;
  private soon = false;
  private readonly told = new Map<string, string>();

  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
    private readonly registry: Registry,
    private readonly collection: Collection,
    private readonly discovery: Discovery,
    private readonly ofHost: HostCollection,
    @Inject(INSTANCE_SOURCES) private readonly sources: readonly InstanceSource[],
  ) {}

  /** @throws whatever a source finds wrong with its configuration */
  async onApplicationBootstrap(): Promise<void> {
    for (const source of this.sources) await source.start?.(() => this.rescanSoon());
    await this.rescan();
    await this.ofHost.start(FIRST_MS);
    for (let sweep = 0; sweep < DRY_SWEEPS; sweep++) await this.collection.sweep();
    this.warm = true;
    this.every(
      () => this.settings.rescanIntervalMs,
      () => this.rescanAndSweep(),
    );
    this.every(
      () => this.settings.sweepIntervalMs,
      () => this.collection.sweep(),
    );
    for (const state of this.collection.sampler.active) if (state.collector.collectDetached) this.detached(state);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.ofHost.stop();
    for (const source of this.sources) await source.stop?.();
  }

  /** A source was told of a change. Changes come in flocks: several within this time are one rescan. */
  private rescanSoon(): void {
    if (this.soon || !this.warm) return;
    this.soon = true;
    this.later(SOON_MS, () => {
      this.soon = false;
      this.rescanAndSweep().catch((error: unknown) => this.complain(error));
    });
  }

  private async rescanAndSweep(): Promise<void> {
    await this.rescan();
    if (this.registry.changed) await this.collection.sweep();
  }

  private complain(error: unknown): void {
    this.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  /** Configuration files of the sources, read again. @throws the first complaint; the sources that complained keep what they had */
  async reload(): Promise<void> {
    for (const source of this.sources) await source.reload?.();
    await this.rescan();
  }

  private async rescan(): Promise<void> {
    await this.registry.rescan();
    for (const { name, ok, error } of this.registry.sources) this.tell(`source ${name}`, ok ? '' : (error ?? 'failed'));
    this.tell(
      'host',
      this.discovery.unreadable > 0 ? 'processes of other users cannot be examined, VMs may be among them; CAP_SYS_PTRACE is missing' : '',
    );
    for (const source of this.sources) {
      for (const [entry, problem] of source.problems ?? [])
        this.tell(`source ${source.name}: ${entry}`, problem, source.leftovers ? 'log' : 'warn');
    }
  }

  /** Once per change, not once per rescan. */
  private tell(subject: string, complaint: string, weight: 'warn' | 'log' = 'warn'): void {
    if ((this.told.get(subject) ?? '') === complaint) return;
    this.told.set(subject, complaint);
    if (complaint === '') this.logger.log(`${subject}: works again`);
    else this.logger[weight](`${subject}: ${complaint}`);
    if (this.told.size > 10_000) this.told.clear();
  }

  private every(intervalMs: () => number, work: () => Promise<void>): void {
    const turn = (): void => {
      work()
        .catch((error: unknown) => this.complain(error))
        .finally(() => this.later(intervalMs(), turn));
    };
    this.later(intervalMs(), turn);
  }

  private later(ms: number, work: () => void): void {
    if (this.stopped) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      work();
    }, ms);
    this.timers.add(timer);
  }

  /** One instance after the other, the one longest not read first; never two at once, however long one takes. */
  private detached(state: CollectorState): void {
    const last = new WeakMap<Instance, number>();
    const turn = async (): Promise<void> => {
      const started = this.host.clock.monotonic();
      const next = this.longestUnread(state, last, started);
      if (!next) return this.later(DETACHED_IDLE_MS, () => void turn());
      const { row } = next;
      last.set(next, started);
      const outcome = await this.collection.sampler.collectDetached(state, next);
      if (next.row === row) this.collection.sampler.detachedResult(state, row, outcome);
      const spent = this.host.clock.monotonic() - started;
      this.later(spent / DETACHED_SHARE, () => void turn());
    };
    void turn();
  }

  private longestUnread(state: CollectorState, last: WeakMap<Instance, number>, now: number): Instance | undefined {
    let oldest: Instance | undefined;
    let age = this.settings.pssIntervalMs;
    for (const instance of this.registry.all()) {
      if (instance.row < 0 || state.collector.concerns?.(instance) === false) continue;
      const own = now - (last.get(instance) ?? Number.NEGATIVE_INFINITY);
      if (own < age) continue;
      oldest = instance;
      age = own;
    }
    return oldest;
  }
}
