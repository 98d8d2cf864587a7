import { Module } from '@nestjs/common';
import { HostView } from './host.view.js';
import { InstanceView } from './instance.view.js';
import { InstancesController } from './instances.controller.js';
import { RegistrationController } from './registration.controller.js';
import { StatsController } from './stats.controller.js';
import { StatsView } from './stats.view.js';

/** JSON views. */
@Module({
  providers: [StatsView, HostView, InstanceView],
  controllers: [InstancesController, StatsController, RegistrationController],
  exports: [StatsView],
})
export class StatsModule {}
