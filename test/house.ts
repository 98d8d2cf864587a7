import type { Clock } from '../src/host/clock.js';
import { Host } from '../src/host/host.js';
import type { Collector } from '../src/model/collector.js';
import type { InstanceRecord, InstanceSource } from '../src/model/instance.js';
import { Settings } from '../src/model/settings.js';
import { Tables } from '../src/model/tables.js';
import { Collection } from '../src/modules/collection/collection.js';
import { COLLECTORS } from '../src/modules/collection/collectors.js';
import { Sampler } from '../src/modules/collection/sampler.js';
import { DRIVERS } from '../src/modules/hypervisor/drivers.js';
import { Discovery } from '../src/modules/instances/discovery.js';
import { Registry } from '../src/modules/instances/registry.js';

/** A source that says what the test wants, or throws it. */
export class ToldSource implements InstanceSource {
  records: readonly InstanceRecord[] | Error = [];
  stale = false;

  constructor(readonly name = 'told') {}

  list(): readonly InstanceRecord[] {
    if (this.records instanceof Error) throw this.records;
    return this.records;
  }
}

/** The agent's own collectors, ready to be put into a house. */
export const ownCollectors = (tables: Tables, host: Host): Collector[] => COLLECTORS.map((Listed) => new Listed(tables, host));

/** The rooms below the views, put together as the modules do, without Nest and without timers. */
export class House {
  readonly tables = new Tables();
  readonly settings = new Settings();
  readonly told = new ToldSource();
  /** What collectors threw, by name. */
  readonly defects: string[] = [];
  readonly discovery: Discovery;
  readonly registry: Registry;
  readonly sampler: Sampler;
  readonly collection: Collection;

  /** @param sources instead of the one told source; host discovery comes last */
  constructor(
    readonly host: Host & { readonly clock: Clock },
    collectors: (tables: Tables, host: Host) => readonly Collector[] = ownCollectors,
    { sources, discover = false }: { sources?: readonly InstanceSource[]; discover?: boolean } = {},
  ) {
    this.discovery = new Discovery(host, DRIVERS, this.settings.executables);
    const list = [...(sources ?? [this.told]), ...(discover ? [this.discovery.source] : [])];
    this.registry = new Registry(host, list, discover ? this.discovery.source : null, () => this.settings.stoppedRetentionMs);
    this.sampler = new Sampler(
      this.tables,
      collectors(this.tables, host),
      (name) => this.settings.collectors.get(name) ?? true,
      () => ({ slow: this.settings.slowIntervalMs, threads: this.settings.waitIntervalMs }),
      host.clock,
      (collector) => this.defects.push(collector),
    );
    this.collection = new Collection(host, this.tables, this.registry, this.sampler, () => this.settings.maxAgeMs);
  }

  /** One rescan and one sweep. */
  async turn(): Promise<void> {
    await this.registry.rescan();
    await this.collection.sweep();
  }

  /** Ends everything it holds. */
  async close(): Promise<void> {
    for (const instance of this.registry.all()) {
      this.sampler.detach(instance);
      instance.companions.forget();
      instance.companions.release();
      instance.incoming?.close();
      instance.process?.close();
    }
  }
}
