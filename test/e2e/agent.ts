import { join } from 'node:path';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { register } from 'prom-client';
import request from 'supertest';
import { AppModule } from '../../src/app.module.js';
import { VMM_EXECUTABLES } from '../../src/config/vmm-executables.js';
import { RateLimit } from '../../src/http/rate-limit.js';
import { type RefusalReason, Refusals } from '../../src/http/refusals.js';
import { makeAdapter, protect } from '../../src/http/server.js';
import { TokenSet } from '../../src/http/tokens.js';
import { Settings } from '../../src/model/settings.js';
import { Collection } from '../../src/modules/collection/collection.js';
import { SocketsReader } from '../../src/modules/events/sockets.js';
import { Readiness } from '../../src/modules/health/readiness.js';
import { Registry } from '../../src/modules/instances/registry.js';
import { VmmAsker } from '../../src/modules/vmm/asker.js';
import type { VmgaugeOptions } from '../../src/vmgauge.module.js';
import { RecordedHost, StoppedClock } from './recorded-host.js';
import { rootOf, type Story } from './stories.js';
import type { World } from './world.js';

/** No timer of the agent fires while a test runs: sweeps and rescans are the test's. setTimeout takes no more than this. */
const NEVER_MS = 2 ** 31 - 1;
const LONG_MS = 30_000;
const SILENT: LoggerService = { log: () => undefined, error: () => undefined, warn: () => undefined };

export interface AgentOptions {
  readonly settings?: Partial<Settings>;
  readonly sources?: VmgaugeOptions['sources'];
  readonly dialogues?: VmgaugeOptions['dialogues'];
  /** Tokens that may read; none asks for none. */
  readonly tokens?: readonly string[];
  /** Called before the agent looks at the host for the first time. */
  readonly prepare?: (host: RecordedHost) => void;
}

/** The real application on a recorded host, put together as src/main.ts does. */
export class Agent {
  /** Ends with it. */
  private world: World | undefined;

  private constructor(
    readonly app: NestFastifyApplication,
    readonly host: RecordedHost,
  ) {}

  static async start(root: string, { settings, sources, dialogues, tokens = [], prepare }: AgentOptions = {}): Promise<Agent> {
    // The client library has one registry a process; its metrics are made anew with each application.
    register.clear();
    const host = new RecordedHost(root, new StoppedClock());
    prepare?.(host);
    const options: VmgaugeOptions = {
      ...{ host, settings: { ...quiet(root), ...settings } },
      ...(sources ? { sources } : {}),
      ...(dialogues ? { dialogues } : {}),
    };
    const readers = new TokenSet(tokens);
    const refused = (reason: RefusalReason): void => app.get(Refusals).add(reason);
    const app: NestFastifyApplication = await NestFactory.create(AppModule.register(options), makeAdapter(readers, refused), {
      logger: false,
      abortOnError: false,
    });
    // ss tells of this machine, and nothing on a recorded one grows.
    app.get(SocketsReader, { strict: false }).measureOf = () => null;
    const readiness = app.get(Readiness);
    const own = app.get(Settings);
    const limit = new RateLimit(own, () => host.clock.monotonic());
    protect(app, {
      ...{ tokens: readers, limit, telemetryPath: own.telemetryPath, refused },
      ...{ draining: () => readiness.draining, logger: SILENT },
    });
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    return new Agent(app, host);
  }

  /** On the host of a story, whose VMMs, switches and upstreams have been asked. */
  static async of(story: Story, options: AgentOptions = {}): Promise<Agent> {
    const { prepare, dialogues } = story;
    const world = await story.world?.();
    let agent: Agent | undefined;
    try {
      agent = await Agent.start(world?.root ?? rootOf(story), {
        ...{ ...(prepare ? { prepare } : {}), ...(dialogues ? { dialogues } : {}), ...options },
        settings: { ...world?.settings, ...options.settings },
      });
      agent.world = world;
      if (dialogues) await agent.app.get(VmmAsker, { strict: false }).settle(LONG_MS);
      await world?.settle(agent.app);
      return agent;
    } catch (error) {
      await (agent ?? world)?.stop();
      throw error;
    }
  }

  get(path: string): request.Test {
    return request(this.app.getHttpServer()).get(path);
  }

  request(method: 'get' | 'head' | 'post' | 'put' | 'delete' | 'patch' | 'options', path: string): request.Test {
    return request(this.app.getHttpServer())[method](path);
  }

  /** The body of a page, which must be there. */
  async text(path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const response = await this.get(path).set(headers).expect(200);
    return response.text;
  }

  /** Lets time pass and reads the host again, so often. */
  async sweep(times = 1, stepMs = 5000): Promise<void> {
    for (let time = 0; time < times; time++) {
      this.host.clock.advance(stepMs);
      await this.app.get(Collection).sweep();
    }
  }

  /** Looks for instances again and reads them. */
  async rescan(): Promise<void> {
    await this.app.get(Registry).rescan();
    await this.sweep();
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.world?.stop();
  }
}

const quiet = (root: string): Partial<Settings> => ({
  sweepIntervalMs: NEVER_MS,
  rescanIntervalMs: NEVER_MS,
  ovsIntervalMs: NEVER_MS,
  conntrackZonesIntervalMs: NEVER_MS,
  // Nobody answers behind a recorded socket.
  vmmIntervalMs: NEVER_MS,
  qmpMode: 'off',
  cloudHypervisorApi: false,
  firecrackerApi: false,
  firecrackerMetrics: 'off',
  tracing: 'off',
  // Tests ask faster than scrapers.
  rateLimit: 0,
  executables: VMM_EXECUTABLES,
  hypemanDataDir: join(root, 'var', 'lib', 'hypeman'),
  // What the agent says of its own process is never twice the same.
  exporterMetrics: false,
});
