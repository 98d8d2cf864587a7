import { type LoggerService, UnsupportedMediaTypeException } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../model/errors.js';
import { asApiError, ProblemFilter, sendProblem } from './problem.filter.js';
import { rawProblem } from './raw-problem.js';
import { watchRoutes } from './routes.js';
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

/**
 * Fastify with our bounds; what Node's parser or the router finds wrong is answered like every other error.
 * @param tokens asked for where no hook runs: before the answer to a bad URL
 */
export function makeAdapter(tokens = new TokenSet()): FastifyAdapter {
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
      const refused = refusal(request, tokens);
      sendProblem(reply, refused ?? asApiError(error, request) ?? new ApiError('invalid_request', error.message), request.url);
    },
  });
}

const noSchemas = (): never => {
  throw new Error('no route of this agent has a Fastify schema');
};

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
  // Fastify reads it by itself; no route takes plain text.
  server.removeContentTypeParser('text/plain');
  // Nest would read forms as well, with every value a string.
  app.useBodyParser('application/x-www-form-urlencoded', {}, (_request, _body, done) => done(new UnsupportedMediaTypeException()));
  // Node would answer an Expect that it does not know itself, without a body; a server may as well ignore it (RFC 9110, 10.1.1).
  server.server.on('checkExpectation', (request, response) => server.server.emit('request', request, response));
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    const refused = refusal(request, tokens);
    if (refused) sendProblem(reply, refused, request.url);
    else done();
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

/** What stops a request before any route is looked at. */
function refusal(request: FastifyRequest, tokens: TokenSet): ApiError | undefined {
  const { host, authorization } = request.headers;
  if (!tokens.empty && !OPEN_PATHS.has(pathOf(request)) && !tokens.accepts(authorization)) {
    return new ApiError('unauthorized', 'a bearer token is needed', { 'www-authenticate': 'Bearer realm="vmgauge"' });
  }
  if (host === undefined && request.raw.httpVersion === '1.1') return new ApiError('invalid_request', 'a Host header is needed');
  return undefined;
}

const pathOf = ({ url }: FastifyRequest): string => url.split('?')[0];
