import { type LoggerService, UnsupportedMediaTypeException } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../model/errors.js';
import { clientKey } from './client-key.js';
import { asApiError, ProblemFilter, sendProblem } from './problem.filter.js';
import type { RateLimit } from './rate-limit.js';
import { sendRateLimited } from './rate-limited.js';
import { rawProblem } from './raw-problem.js';
import type { RefusalReason } from './refusals.js';
import { watchRoutes } from './routes.js';
import { SAFETY_HEADERS } from './safety-headers.js';
import { TokenSet } from './tokens.js';

/** A registration body of many interfaces and sockets fits many times. */
const BODY_BYTES = 256 * 1024;
/** Ids are cut off by the check of ids, with its words, not by the router. */
const PARAMETER_LENGTH = 65_536;
const REQUEST_TIMEOUT_MS = 10_000;
/** How often Node looks for requests that took too long; its default of 30 s would let them take that much longer. */
const TIMEOUT_CHECK_MS = 2500;
const KEEP_ALIVE_MS = 75_000;
/** Probes are asked by those who hold no token. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz', '/health']);
/** Pattern of the route of one instance's page for Prometheus. */
const INSTANCE_PAGE = '/instances/:id/metrics';
const UNAUTHORIZED = new ApiError('unauthorized', 'a bearer token is needed', { 'www-authenticate': 'Bearer realm="vmgauge"' });

/**
 * Fastify with our bounds; what Node's parser or the router finds wrong is answered like every other error.
 * @param tokens asked for where no hook runs: before the answer to a bad URL
 * @param refused told of those who have none
 */
export function makeAdapter(tokens = new TokenSet(), refused: (reason: RefusalReason) => void = () => undefined): FastifyAdapter {
  return new FastifyAdapter({
    http: {
      // Node answers a missing Host itself, without a body; the hook does it better.
      requireHostHeader: false,
      // Trap: where this is the longer of the two, as it is by default, Node takes each for the other.
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    },
    // While it drains, requests that still arrive on open connections are answered as ever; readyz says what is going on.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || socket.destroyed) return;
      if (socket.writable) socket.write(rawProblem(error.code));
      socket.destroy(error);
    },
    // No route has a schema: what would compile them is not even loaded.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    routerOptions: { maxParamLength: PARAMETER_LENGTH },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      void reply.headers(SAFETY_HEADERS);
      const problem = isStranger(request, tokens) ? UNAUTHORIZED : asApiError(error, request);
      if (problem === UNAUTHORIZED) refused('unauthorized');
      sendProblem(reply, problem ?? new ApiError('invalid_request', error.message), request.url);
    },
  });
}

const noSchemas = (): never => {
  throw new Error('no route of this agent has a Fastify schema');
};

export interface Protection {
  readonly tokens: TokenSet;
  /** Of the pages for Prometheus. */
  readonly limit: RateLimit;
  /** Path of the page of all instances; that of one instance is the same everywhere. */
  readonly telemetryPath: string;
  readonly refused: (reason: RefusalReason) => void;
  /** True once the agent is shutting down: connections are told to close. */
  readonly draining: () => boolean;
  readonly logger: LoggerService;
}

/** Filter, headers, tokens, rate limit and the request log. In Fastify's hooks, because Nest's guards never see a 404 or a bad URL. */
export function protect(app: NestFastifyApplication, { draining, logger, ...doors }: Protection): void {
  // Nest types the instance by its own copy of Fastify's generics.
  const server: FastifyInstance = app.getHttpAdapter().getInstance();
  watchRoutes(server);
  app.useGlobalFilters(new ProblemFilter());
  // Fastify reads it by itself; no route takes plain text.
  server.removeContentTypeParser('text/plain');
  // Nest would read forms as well, with every value a string.
  app.useBodyParser('application/x-www-form-urlencoded', {}, (_request, _body, done) => done(new UnsupportedMediaTypeException()));
  // Node would answer an Expect that it does not know itself, without a body; a server may as well ignore it (RFC 9110, 10.1.1).
  server.server.on('checkExpectation', (request, response) => server.server.emit('request', request, response));
  server.addHook('onRequest', (request, reply, done) => {
    void reply.headers(SAFETY_HEADERS);
    if (!isTurnedAway(request, reply, doors)) done();
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

/**
 * Answers a request that stops here, before any route does its work. The token comes first: whoever has none cannot use up what is due to
 * one who has and comes from the same address, as all do behind one proxy; looking at a token costs a thousandth of a page.
 */
function isTurnedAway(request: FastifyRequest, reply: FastifyReply, { tokens, limit, telemetryPath, refused }: Doors): boolean {
  if (isStranger(request, tokens)) {
    refused('unauthorized');
    sendProblem(reply, UNAUTHORIZED, request.url);
    return true;
  }
  if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
    sendProblem(reply, new ApiError('invalid_request', 'a Host header is needed'), request.url);
    return true;
  }
  // The route that was found, not the path: that can be written in many ways.
  const { url } = request.routeOptions;
  const seconds = url === telemetryPath || url === INSTANCE_PAGE ? limit.take(clientKey(request.socket.remoteAddress)) : 0;
  if (seconds === 0) return false;
  refused('rate_limited');
  sendRateLimited(request, reply, seconds);
  return true;
}

type Doors = Omit<Protection, 'draining' | 'logger'>;

const isStranger = (request: FastifyRequest, tokens: TokenSet): boolean =>
  !tokens.empty && !OPEN_PATHS.has(pathOf(request)) && !tokens.accepts(request.headers.authorization);

const pathOf = ({ url }: FastifyRequest): string => url.split('?')[0];
