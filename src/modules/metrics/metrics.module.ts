import { type DynamicModule, Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { Refusals } from '../../http/refusals.js';
import { ClientFamilies } from './client-families.js';
import { Exposition } from './exposition.js';
import { InstanceMetricsController } from './instance-metrics.controller.js';
import { KataFamilies } from './kata-families.js';
import { KataMonitor } from './kata-monitor.js';
import { MetricsController } from './metrics.controller.js';
import { PROCESS_METRICS } from './process-metrics.js';
import { SandboxesController } from './sandboxes.controller.js';
import { SelfFamilies } from './self.js';

/** Text views. nestjs-prometheus holds the agent's own few metrics and gives our controller its path. */
@Module({})
export class MetricsModule {
  static register({ telemetryPath, exporterMetrics }: { telemetryPath: string; exporterMetrics: boolean }): DynamicModule {
    return {
      module: MetricsModule,
      imports: [PrometheusModule.register({ controller: MetricsController, path: telemetryPath, defaultMetrics: { enabled: false } })],
      providers: [
        ...[Exposition, SelfFamilies, KataFamilies, KataMonitor, ClientFamilies, MetricsController, Refusals],
        ...(exporterMetrics ? PROCESS_METRICS : []),
      ],
      controllers: [InstanceMetricsController, SandboxesController],
      exports: [Exposition, KataMonitor, Refusals],
    };
  }
}
