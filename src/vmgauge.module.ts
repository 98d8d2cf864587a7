import { type DynamicModule, Module } from '@nestjs/common';
import { Host, type HostRoots } from './host/host.js';
import type { InstanceSource } from './model/instance.js';
import { Settings } from './model/settings.js';
import { Tables } from './model/tables.js';
import { CapabilitiesModule } from './modules/capabilities/capabilities.module.js';
import { CollectionModule } from './modules/collection/collection.module.js';
import { EventsModule } from './modules/events/events.module.js';
import { InstancesModule } from './modules/instances/instances.module.js';
import { MetricsModule } from './modules/metrics/metrics.module.js';
import { NetworkModule } from './modules/network/network.module.js';
import { ShimModule } from './modules/shim/shim.module.js';
import { StatsModule } from './modules/stats/stats.module.js';
import { UpstreamsModule } from './modules/upstreams/upstreams.module.js';
import type { Dialogue } from './modules/vmm/dialogue.js';
import { DIALOGUES } from './modules/vmm/dialogues.js';
import { VmmModule } from './modules/vmm/vmm.module.js';
import { VmStats } from './vm-stats.js';

/** What an application that embeds the house may give it; everything has a default. */
export interface VmgaugeOptions {
  readonly settings?: Partial<Settings>;
  readonly roots?: Partial<HostRoots>;
  /** The application's own lists of instances; they name what several sources know. */
  readonly sources?: readonly InstanceSource[];
  /** Other ways to ask VMMs; each takes the place of the house's own for its kind of VMM. */
  readonly dialogues?: readonly Dialogue[];
  /** Another machine than this one: recorded trees, a stopped clock. */
  readonly host?: Host;
}

/** The words every room needs. */
@Module({})
class FoundationModule {
  static register({ settings, roots, host }: VmgaugeOptions): DynamicModule {
    return {
      module: FoundationModule,
      global: true,
      providers: [
        { provide: Settings, useValue: Object.assign(new Settings(), settings) },
        { provide: Host, useFactory: () => host ?? new Host(roots) },
        { provide: Tables, useFactory: () => new Tables() },
      ],
      exports: [Settings, Host, Tables],
    };
  }
}

/** The rooms an application can embed: sources, collectors, the sweep, and its views in JSON and text. Starts with the application. */
@Module({})
export class VmgaugeModule {
  static register(options: VmgaugeOptions = {}): DynamicModule {
    const { telemetryPath, exporterMetrics } = { ...new Settings(), ...options.settings };
    return {
      module: VmgaugeModule,
      global: true,
      imports: [
        FoundationModule.register(options),
        InstancesModule.register(options.sources ?? []),
        NetworkModule,
        ShimModule,
        VmmModule.register([...(options.dialogues ?? []), ...DIALOGUES]),
        UpstreamsModule,
        EventsModule,
        CollectionModule,
        StatsModule,
        CapabilitiesModule,
        MetricsModule.register({ telemetryPath, exporterMetrics }),
      ],
      providers: [VmStats],
      exports: [
        InstancesModule,
        NetworkModule,
        ShimModule,
        VmmModule,
        UpstreamsModule,
        EventsModule,
        CollectionModule,
        StatsModule,
        MetricsModule,
        VmStats,
      ],
    };
  }
}
