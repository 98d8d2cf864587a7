import { ERRORS, type ErrorCode } from '../model/errors.js';
import { PROBLEM_JSON, problem } from './problem.js';
import { SAFETY_HEADERS } from './safety-headers.js';

/** By the code of Node's parser. */
const KNOWN: ReadonlyMap<string, readonly [ErrorCode, string]> = new Map([
  ['HPE_HEADER_OVERFLOW', ['headers_too_large', 'the request line and the headers are longer than this server reads']],
  ['ERR_HTTP_REQUEST_TIMEOUT', ['request_timeout', 'the request took too long to arrive']],
]);

/** The whole answer to bytes that never became a request. @param code of Node's parser */
export function rawProblem(code: string): string {
  const [known, detail] = KNOWN.get(code) ?? (['invalid_request', 'this is not an HTTP request'] as const);
  const body = JSON.stringify(problem(known, detail, '/'));
  const { status, title } = ERRORS[known];
  return [
    `HTTP/1.1 ${status} ${title}`,
    `Content-Type: ${PROBLEM_JSON}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...Object.entries(SAFETY_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
