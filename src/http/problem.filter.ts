import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger, NotFoundException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../model/errors.js';
import { codeOfStatus, PROBLEM_JSON, type Problem, problem } from './problem.js';
import { allowedMethods } from './routes.js';

/**
 * Every error as problem+json: ours, Nest's, and what Fastify found wrong with a request. Unexpected ones are logged, not told.
 * The agent has it for everything; our controllers name it too, because an application that embeds them does not.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const known = asApiError(error, request);
    if (!known) this.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    sendProblem(reply, known ?? new ApiError('internal_error', 'an unexpected error; the log has it'), request.url);
  }
}

export function sendProblem(reply: FastifyReply, error: ApiError, url: string): void {
  const body: Problem = problem(error.code, error.detail, url);
  void reply
    .status(body.status)
    .headers({ ...error.headers, 'content-type': PROBLEM_JSON, 'cache-control': 'no-store' })
    .send(JSON.stringify(body));
}

/** undefined for an error nobody foresaw. */
export function asApiError(error: unknown, request: Pick<FastifyRequest, 'method' | 'url' | 'server'>): ApiError | undefined {
  if (error instanceof ApiError) return error;
  // Nest's router knows no 405: a path that exists for other methods ends here too.
  if (error instanceof NotFoundException) return notRouted(request);
  if (error instanceof HttpException) return new ApiError(codeOfStatus(error.getStatus()), detailOf(error));
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' && error.statusCode < 500) {
    return new ApiError(codeOfStatus(error.statusCode), error.message);
  }
  return undefined;
}

function notRouted({ method, url, server }: Pick<FastifyRequest, 'method' | 'url' | 'server'>): ApiError {
  const allowed = allowedMethods(server, url);
  if (allowed.length === 0) return new ApiError('not_found', 'there is nothing here; GET / lists what there is');
  return new ApiError('method_not_allowed', `${method} is not possible here`, { allow: allowed.join(', ') });
}

/** class-validator's messages come as a list. */
function detailOf(error: HttpException): string {
  const response = error.getResponse();
  if (typeof response === 'object' && 'message' in response) {
    const { message } = response;
    return Array.isArray(message) ? message.join('; ') : String(message);
  }
  return error.message;
}
