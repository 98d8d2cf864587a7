import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { VmStats, type VmStatsReading } from 'vmgauge';
import { ControlPlane } from './fleet.js';

/** A route of the control plane that uses the house's service. */
@Controller('fleet')
class FleetController {
  constructor(private readonly stats: VmStats) {}

  @Get()
  fleet(): Promise<readonly VmStatsReading[]> {
    return this.stats.collectAll();
  }
}

@Module({ imports: [ControlPlane], controllers: [FleetController] })
class App {}

const app = await NestFactory.create<NestFastifyApplication>(App, new FastifyAdapter(), { logger: ['error', 'warn'] });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
process.stdout.write(`listening on ${await app.getUrl()}\n`);
