import type { LoggerService } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../model/errors.js';
import { asApiError, ProblemFilter, sendProblem } from './problem.filter.js';
import { watchRoutes } from './routes.js';
import type { TokenSet } from './tokens.js';

/** A registration body of many interfaces and sockets fits many times. */
const BODY_BYTES = 256 * 1024;
/** Ids are cut off by the check of ids, with its words, not by the router. */
const PARAMETER_LENGTH = 65_536;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 75_000;
/** Probes are asked by those who hold no token. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz', '/health']);

/** Fastify with our bounds; what its router finds wrong is answered like every other error. */
export function makeAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    routerOptions: { maxParamLength: PARAMETER_LENGTH },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      sendProblem(reply, asApiError(error, request) ?? new ApiError('invalid_request', error.message), request.url);
    },
  });
}

export interface Protection {
  readonly tokens: TokenSet;
  /** True once the agent is shutting down: connections are told to close. */
  readonly draining: () => boolean;
  readonly logger: LoggerService;
}

/** Filter, headers, tokens and the request log. In Fastify's hooks, because Nest's guards never see a 404 or a bad URL. */
export function protect(app: NestFastifyApplication, { tokens, draining, logger }: Protection): void {
  // Nest types the instance by its own copy of Fastify's generics.
  const server: FastifyInstance = app.getHttpAdapter().getInstance();
  watchRoutes(server);
  app.useGlobalFilters(new ProblemFilter());
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    if (!tokens.empty && !OPEN_PATHS.has(pathOf(request)) && !tokens.accepts(request.headers.authorization)) {
      sendProblem(
        reply,
        new ApiError('unauthorized', 'a bearer token is needed', { 'www-authenticate': 'Bearer realm="vmgauge"' }),
        request.url,
      );
      return;
    }
    done();
  });
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining()) reply.header('connection', 'close');
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    logger.debug?.(
      { method: request.method, url: request.url.slice(0, 512), status: reply.statusCode, ms: reply.elapsedTime, peer: request.ip },
      'http',
    );
    done();
  });
}

const pathOf = ({ url }: FastifyRequest): string => url.split('?')[0];
