import { ERRORS, type ErrorCode } from '../model/errors.js';

export const PROBLEM_JSON = 'application/problem+json; charset=utf-8';

/** RFC 9457 problem details, and beside them the two members that hypeman's clients read. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ErrorCode;
  readonly message: string;
}

const URL_LIMIT = 256;

export function problem(code: ErrorCode, detail: string, url: string): Problem {
  const { status, title } = ERRORS[code];
  return {
    type: `urn:vmgauge:problem:${code}`,
    title,
    status,
    detail,
    instance: url.split('?')[0].slice(0, URL_LIMIT),
    code,
    message: detail,
  };
}

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'unauthorized',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  409: 'conflict',
  413: 'payload_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  431: 'headers_too_large',
  503: 'unavailable',
};

/** The code of an error that only has an HTTP status. */
export const codeOfStatus = (status: number): ErrorCode => BY_STATUS[status] ?? (status < 500 ? 'invalid_request' : 'internal_error');
