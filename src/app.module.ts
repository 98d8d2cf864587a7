import { type DynamicModule, Module } from '@nestjs/common';
import { HealthModule } from './modules/health/health.module.js';
import { WebModule } from './modules/web/web.module.js';
import { VmgaugeModule, type VmgaugeOptions } from './vmgauge.module.js';

/** The agent: the rooms that can be embedded, probes and pages. */
@Module({})
export class AppModule {
  static register(options: VmgaugeOptions): DynamicModule {
    return { module: AppModule, imports: [VmgaugeModule.register(options), HealthModule, WebModule] };
  }
}
