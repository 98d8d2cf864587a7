import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../model/errors.js';
import { sendProblem } from './problem.filter.js';

const TEXT = 'Rate limit exceeded';
const JSON_TYPE = /^\s*application\/(problem\+)?json\s*(;|$)/i;
const REFUSED_TYPE = /;\s*q=0(\.0*)?\s*(;|$)/i;

/** One line of text for scrapers and people, a problem document for whoever asks for JSON. @param seconds until the next request is answered */
export function sendRateLimited(request: FastifyRequest, reply: FastifyReply, seconds: number): void {
  const headers = { 'retry-after': String(seconds), vary: 'accept' };
  if (asksForJson(request.headers.accept)) {
    sendProblem(reply, new ApiError('rate_limited', TEXT, headers), request.url);
    return;
  }
  void reply
    .status(429)
    .headers({ ...headers, 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
    .send(TEXT);
}

/** Whether Accept names it; a wildcard does not. */
export const asksForJson = (accept = ''): boolean => accept.split(',').some((range) => JSON_TYPE.test(range) && !REFUSED_TYPE.test(range));
