import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from '../src/app.module.js';
import type { Host } from '../src/host/host.js';
import { makeAdapter } from '../src/http/server.js';
import type { Settings } from '../src/model/settings.js';
import { HostCollection, type HostCollectorState } from '../src/modules/collection/host-collection.js';

/** The listed host collectors as the agent makes them, none of them started. */
export interface HostCollectors {
  readonly states: readonly HostCollectorState[];
  close(): Promise<void>;
}

export async function hostCollectorsOn(host: Host, settings: Partial<Settings> = {}): Promise<HostCollectors> {
  // The client library has one registry a process, and this is not the agent that tests ask for its own metrics.
  const options = { host, settings: { ...settings, exporterMetrics: false } };
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.register(options), makeAdapter(), {
    logger: false,
    abortOnError: false,
  });
  const collection = app.get(HostCollection);
  return {
    states: collection.states,
    close: async () => {
      collection.stop();
      await app.close();
    },
  };
}
