import { type DynamicModule, Module } from '@nestjs/common';
import { Host } from '../../host/host.js';
import type { InstanceSource, ProcessClaim } from '../../model/instance.js';
import { Settings } from '../../model/settings.js';
import { DRIVERS } from '../hypervisor/drivers.js';
import { checkClaim } from './claims.js';
import { Discovery } from './discovery.js';
import { RegistrationSource } from './registration.source.js';
import { Registry } from './registry.js';
import { INSTANCE_SOURCES, SOURCES } from './sources.js';

/** Which VMs are here. */
@Module({})
export class InstancesModule {
  /** @param guests sources of the embedding application; they come before the house's own */
  static register(guests: readonly InstanceSource[]): DynamicModule {
    return {
      module: InstancesModule,
      providers: [
        {
          provide: Discovery,
          inject: [Host, Settings],
          useFactory: (host: Host, settings: Settings) => new Discovery(host, DRIVERS, settings.executables),
        },
        {
          provide: INSTANCE_SOURCES,
          inject: [Host, Settings, Discovery],
          useFactory: (host: Host, settings: Settings, discovery: Discovery) => [...guests, ...ownSources(host, settings, discovery)],
        },
        {
          provide: RegistrationSource,
          inject: [INSTANCE_SOURCES],
          useFactory: (sources: readonly InstanceSource[]) => sources.find((source) => source instanceof RegistrationSource) ?? null,
        },
        {
          provide: Registry,
          inject: [Host, Settings, Discovery, INSTANCE_SOURCES],
          useFactory: (host: Host, settings: Settings, discovery: Discovery, sources: readonly InstanceSource[]) =>
            new Registry(host, sources, sources.includes(discovery.source) ? discovery.source : null, () => settings.stoppedRetentionMs),
        },
      ],
      exports: [Discovery, INSTANCE_SOURCES, RegistrationSource, Registry],
    };
  }
}

function ownSources(host: Host, settings: Settings, discovery: Discovery): InstanceSource[] {
  const checkProcess = async (claim: ProcessClaim) => {
    const verdict = await checkClaim(host, claim, {
      isVmm: (pid) => discovery.source.vmm(pid) !== undefined,
      unknown: (pid) => discovery.source.wasRefused(pid),
    });
    return 'process' in verdict ? 'ok' : verdict.refused;
  };
  return SOURCES.filter(({ name, enabled }) => settings.sources.get(name) ?? enabled).flatMap(
    (entry) => entry.make({ host, settings, discovery, checkProcess }) ?? [],
  );
}
