import { Logger, Module } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector } from '../../model/collector.js';
import type { HostCollector } from '../../model/host-collector.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { Registry } from '../instances/registry.js';
import { Agent } from './agent.js';
import { Collection } from './collection.js';
import { COLLECTORS } from './collectors.js';
import { HostCollection } from './host-collection.js';
import { HOST_COLLECTORS } from './host-collectors.js';
import { OneOff } from './one-off.js';
import { Sampler } from './sampler.js';

/** The sweep and the collectors it runs. */
@Module({
  providers: [
    ...COLLECTORS,
    ...HOST_COLLECTORS,
    {
      provide: HostCollection,
      inject: [Host, Settings, ...HOST_COLLECTORS],
      useFactory: (host: Host, settings: Settings, ...collectors: HostCollector[]) => makeHostCollection(host, settings, collectors),
    },
    {
      provide: Sampler,
      inject: [Tables, Host, Settings, ...COLLECTORS],
      useFactory: (tables: Tables, host: Host, settings: Settings, ...collectors: Collector[]) =>
        makeSampler(tables, host, settings, collectors),
    },
    {
      provide: Collection,
      inject: [Host, Tables, Registry, Sampler, Settings, HostCollection],
      useFactory: (host: Host, tables: Tables, registry: Registry, sampler: Sampler, settings: Settings, ofHost: HostCollection) => {
        const collection = new Collection(host, tables, registry, sampler, () => settings.maxAgeMs);
        collection.onSweep = () => ofHost.sweep();
        return collection;
      },
    },
    Agent,
    OneOff,
  ],
  exports: [Collection, HostCollection, Agent, OneOff],
})
export class CollectionModule {}

function makeHostCollection(host: Host, settings: Settings, collectors: readonly HostCollector[]): HostCollection {
  const defaults = new Map(collectors.map(({ about }) => [about.name, about.enabled]));
  return new HostCollection(collectors, (name) => settings.collectors.get(name) ?? defaults.get(name) ?? true, host.clock, complaint);
}

function makeSampler(tables: Tables, host: Host, settings: Settings, collectors: readonly Collector[]): Sampler {
  const defaults = new Map(COLLECTORS.map(({ about }) => [about.name, about.enabled]));
  return new Sampler(
    tables,
    collectors,
    (name) => settings.collectors.get(name) ?? defaults.get(name) ?? true,
    () => ({ slow: settings.slowIntervalMs, threads: settings.waitIntervalMs }),
    host.clock,
    complaint,
  );
}

const logger = new Logger('collection');
const complaint = (collector: string, error: unknown): void =>
  logger.error(`collector ${collector}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
