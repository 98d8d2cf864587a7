import { Module } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { Readiness } from './readiness.js';

/** Probes. */
@Module({ providers: [Readiness], controllers: [HealthController], exports: [Readiness] })
export class HealthModule {}
