import { Module } from '@nestjs/common';
import { CapabilitiesController } from './capabilities.controller.js';
import { HostProber } from './prober.js';

/** What this host gives. */
@Module({ providers: [HostProber], controllers: [CapabilitiesController] })
export class CapabilitiesModule {}
