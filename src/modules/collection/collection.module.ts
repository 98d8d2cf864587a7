import { Logger, Module } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { Collector } from '../../model/collector.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { Registry } from '../instances/registry.js';
import { Agent } from './agent.js';
import { Collection } from './collection.js';
import { COLLECTORS } from './collectors.js';
import { OneOff } from './one-off.js';
import { Sampler } from './sampler.js';

/** The sweep and the collectors it runs. */
@Module({
  providers: [
    ...COLLECTORS,
    {
      provide: Sampler,
      inject: [Tables, Host, Settings, ...COLLECTORS],
      useFactory: (tables: Tables, host: Host, settings: Settings, ...collectors: Collector[]) =>
        makeSampler(tables, host, settings, collectors),
    },
    {
      provide: Collection,
      inject: [Host, Tables, Registry, Sampler, Settings],
      useFactory: (host: Host, tables: Tables, registry: Registry, sampler: Sampler, settings: Settings) =>
        new Collection(host, tables, registry, sampler, () => settings.maxAgeMs),
    },
    Agent,
    OneOff,
  ],
  exports: [Collection, Agent, OneOff],
})
export class CollectionModule {}

function makeSampler(tables: Tables, host: Host, settings: Settings, collectors: readonly Collector[]): Sampler {
  const logger = new Logger('collection');
  const defaults = new Map(COLLECTORS.map(({ about }) => [about.name, about.enabled]));
  return new Sampler(
    tables,
    collectors,
    (name) => settings.collectors.get(name) ?? defaults.get(name) ?? true,
    () => ({ slow: settings.slowIntervalMs, threads: settings.waitIntervalMs }),
    host.clock,
    (collector, error) =>
      logger.error(`collector ${collector}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  );
}
