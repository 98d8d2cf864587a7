import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AgentLogger } from './agent-logger.js';
import { AppModule } from './app.module.js';
import type { Config } from './config/config.js';
import { parseListenAddress } from './config/listen-address.js';
import { Host } from './host/host.js';
import { RateLimit } from './http/rate-limit.js';
import { type RefusalReason, Refusals } from './http/refusals.js';
import { makeAdapter, protect } from './http/server.js';
import { TokenSet } from './http/tokens.js';
import { Settings } from './model/settings.js';
import { Agent } from './modules/collection/agent.js';
import { Readiness } from './modules/health/readiness.js';
import { Discovery } from './modules/instances/discovery.js';
import { SelfFamilies } from './modules/metrics/self.js';
import { settingsOf, tokensIn } from './settings-of.js';

export interface Running {
  readonly app: NestFastifyApplication;
  /** Where it listens, as a URL or `unix:` path. */
  readonly address: string;
  /** Takes over what a reload may change. @throws when a source or token file is bad; nothing is then taken over */
  reload(config: Config): Promise<void>;
  /** How a reload of the configuration file went, for /metrics. */
  reloaded(successful: boolean): void;
  /** Finishes what is under way, at most for the drain timeout. */
  stop(): Promise<void>;
}

/** Configuration → application → listening. @throws when a source's configuration is bad or the address is taken */
export async function serve(config: Config, readFile: (path: string) => string, logger: AgentLogger): Promise<Running> {
  const tokens = new TokenSet(tokensIn('web.token-file', config.webTokenFile, readFile));
  const settings = settingsOf(config, readFile);
  const roots = { proc: config.pathProcfs, sys: config.pathSysfs, cgroup: config.pathCgroup, run: config.pathRun };
  const refused = (reason: RefusalReason): void => app.get(Refusals).add(reason);
  const app: NestFastifyApplication = await NestFactory.create(AppModule.register({ settings, roots }), makeAdapter(tokens, refused), {
    logger,
    // Nest's own would read form data too; Fastify's reads JSON.
    bodyParser: false,
    abortOnError: false,
  });
  const readiness = app.get(Readiness);
  const limit = new RateLimit(app.get(Settings), () => app.get(Host).clock.monotonic());
  protect(app, { tokens, limit, telemetryPath: config.webTelemetryPath, refused, draining: () => readiness.draining, logger });
  const address = await listen(app, config.webListenAddress);
  return {
    app,
    address,
    reloaded: (successful) => app.get(SelfFamilies).reloaded(successful),
    reload: async (fresh) => {
      const next = { tokens: tokensIn('web.token-file', fresh.webTokenFile, readFile), settings: settingsOf(fresh, readFile) };
      await app.get(Agent).reload();
      tokens.replace(next.tokens);
      Object.assign(app.get(Settings), next.settings);
      app.get(Discovery).listExecutables(fresh.discoveryVmmExecutables);
      logger.setLevel(fresh.logLevel);
    },
    stop: () => drain(app, readiness, config.webDrainTimeoutMs),
  };
}

/** Every address of the host is `::` where there is IPv6: it takes IPv4 as well. */
async function listen(app: NestFastifyApplication, text: string): Promise<string> {
  const address = parseListenAddress(text);
  if (!address) throw new Error(`cannot listen on ${text}`);
  await app.init();
  const server = app.getHttpAdapter().getInstance();
  if (address.kind === 'unix') return server.listen({ path: address.path });
  if (address.host !== null) return server.listen({ host: address.host, port: address.port });
  try {
    return await server.listen({ host: '::', port: address.port });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL'))) throw error;
    return server.listen({ host: '0.0.0.0', port: address.port });
  }
}

/**
 * Not ready, no new connections, answers under way finish, then all is closed. Fastify alone would wait for idle keep-alive connections for
 * as long as their clients like.
 */
async function drain(app: NestFastifyApplication, readiness: Readiness, timeoutMs: number): Promise<void> {
  readiness.draining = true;
  const server = app.getHttpServer();
  const deadline = setTimeout(() => server.closeAllConnections(), timeoutMs);
  server.closeIdleConnections();
  await app.close();
  clearTimeout(deadline);
}
