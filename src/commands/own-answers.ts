import { setTimeout as sleep } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.js';
import { Host } from '../host/host.js';
import { makeAdapter } from '../http/server.js';
import { ApiError } from '../model/errors.js';
import { Settings } from '../model/settings.js';
import { secondsToMilliseconds } from '../model/units.js';
import { Collection } from '../modules/collection/collection.js';
import type { Sampler } from '../modules/collection/sampler.js';
import type { Instance } from '../modules/instances/instance.js';
import { Registry } from '../modules/instances/registry.js';
import { ShimScraper } from '../modules/shim/scraper.js';
import { VmmAsker } from '../modules/vmm/asker.js';
import { settingsOf } from '../settings-of.js';
import { VmgaugeModule } from '../vmgauge.module.js';
import { type Answer, type Answers, type Problem, problemIn } from './answers.js';
import { CommandError } from './command-error.js';
import { KeptRegistrations } from './kept-registrations.js';
import { PlainLogger } from './plain-logger.js';

/** Longer than any command: what the agent does from time to time is not done here. */
const NEVER_MS = 86_400_000;
/** Timers fire up to a millisecond early. */
const TIMER_MS = 2;
/** The scraper's own, and the reading of what came. */
const SHIM_DEADLINE_MS = 1500;

/**
 * The agent's rooms without its listener: this host, read when it is made and for as long as one command lasts. The routes answer inside the
 * process, so that they say what an agent would say.
 */
export class OwnAnswers implements Answers {
  readonly url = null;
  readonly address = null;

  private constructor(
    private readonly app: NestFastifyApplication,
    private readonly host: Host,
    private readonly shimSocketRuntimes: readonly string[],
    private readonly vmmDoors: Partial<Settings>,
    private readonly survey: Partial<Settings>,
  ) {}

  /** Discovery and two sweeps. @throws what a source finds wrong with its configuration */
  static async read(config: Config, readFile: (path: string) => string, complain: (line: string) => void): Promise<OwnAnswers> {
    const host = new Host({ proc: config.pathProcfs, sys: config.pathSysfs, cgroup: config.pathCgroup, run: config.pathRun });
    const settings = onceOnly(settingsOf(config, readFile));
    const registered = config.sources.get('registration') === true && config.sourceRegistrationTokenFile !== '';
    const sources = registered ? [new KeptRegistrations(host, config.sourceRegistrationStore)] : [];
    const app = await NestFactory.create<NestFastifyApplication>(VmgaugeModule.register({ settings, host, sources }), makeAdapter(), {
      logger: new PlainLogger(complain),
      bodyParser: false,
      abortOnError: false,
    });
    await app.init();
    const { qmpMode, cloudHypervisorApi, firecrackerApi, firecrackerMetrics, tracing, upstreams } = settingsOf(config, readFile);
    const doors = { qmpMode, cloudHypervisorApi, firecrackerApi, firecrackerMetrics };
    return new OwnAnswers(app, host, config.shimSocketRuntimes, doors, { tracing, upstreams });
  }

  async get(path: string): Promise<Answer> {
    // Nest types the instance by its own copy of Fastify's generics.
    const server: FastifyInstance = this.app.getHttpAdapter().getInstance();
    const { statusCode, rawPayload: body } = await server.inject({ url: path, headers: { host: 'localhost' } });
    const problem = problemIn(statusCode, body);
    if (statusCode === 200) return { body };
    if (problem) return { problem };
    throw new Error(`${path} answers ${statusCode}`);
  }

  /** Rates need time between two readings; what is too slow for a sweep is asked and read meanwhile. */
  async prepare(key: string, overMs: number): Promise<void> {
    const instance = this.find(key);
    if (!instance?.current) return;
    const collection = this.app.get(Collection);
    const { startedAt, seconds } = collection.last;
    // A window that is short of what was asked for by a timer's error is too short for some.
    const due = startedAt + secondsToMilliseconds(seconds) + overMs + TIMER_MS;
    const shim = this.askShim(instance);
    await Promise.all([shim, this.askVmm(instance, shim), this.detached(collection.sampler, instance)]);
    if (overMs > 0) await sleep(Math.max(0, due - this.host.clock.monotonic()));
    await collection.sweep();
  }

  /** Where the configuration allows it, and no other shim than the instance's: each question costs its guest some work. */
  private async askShim(instance: Instance): Promise<void> {
    if (!instance.record.sandbox) return;
    this.app.get(Settings).shimSocketRuntimes = this.shimSocketRuntimes;
    await this.app.get(ShimScraper).askOnly(instance, SHIM_DEADLINE_MS);
  }

  /** Where the configuration allows it, and no other VMM than the instance's. */
  private async askVmm(instance: Instance, shim: Promise<void>): Promise<void> {
    // One inside the shim says what the shim has said.
    if (instance.record.sandbox?.vmmInShim) await shim;
    Object.assign(this.app.get(Settings), this.vmmDoors);
    await this.app.get(VmmAsker).askOnly(instance, this.app.get(Settings).vmmDeadlineMs);
  }

  private async detached(sampler: Sampler, instance: Instance): Promise<void> {
    const { row } = instance;
    for (const state of sampler.active) {
      if (!state.collector.collectDetached || state.collector.concerns?.(instance) === false) continue;
      const outcome = await sampler.collectDetached(state, instance);
      if (instance.row === row) sampler.detachedResult(state, row, outcome);
    }
  }

  /** Nobody is asked or traced for it: only a sweep starts that, and there is none before the end. */
  async prepareSurvey(): Promise<void> {
    Object.assign(this.app.get(Settings), this.vmmDoors, { shimSocketRuntimes: this.shimSocketRuntimes, ...this.survey });
  }

  strange(): never {
    throw new Error('a route answers otherwise than it should');
  }

  refused({ detail }: Problem): never {
    throw new CommandError(detail);
  }

  async close(): Promise<void> {
    await this.app.close();
  }

  private find(key: string): Instance | undefined {
    try {
      return this.app.get(Registry).get(key);
    } catch (error) {
      if (error instanceof ApiError) return undefined;
      throw error;
    }
  }
}

/** Read at the start and when a command asks; nothing is registered or traced, no shim and no upstream asked, nothing told of the process itself. */
function onceOnly(settings: Partial<Settings>): Partial<Settings> {
  return {
    ...settings,
    maxAgeMs: NEVER_MS,
    sweepIntervalMs: NEVER_MS,
    rescanIntervalMs: NEVER_MS,
    slowIntervalMs: 0,
    waitIntervalMs: 0,
    shimSocketRuntimes: [],
    shimSocketIntervalMs: NEVER_MS,
    vmmIntervalMs: NEVER_MS,
    qmpMode: 'off',
    cloudHypervisorApi: false,
    firecrackerApi: false,
    firecrackerMetrics: 'off',
    tracing: 'off',
    // Two sweeps see nothing grow.
    collectors: new Map([...(settings.collectors ?? []), ['sockets', false]]),
    upstreams: [],
    registrationTokens: [],
    exporterMetrics: false,
  };
}
