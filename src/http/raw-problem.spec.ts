import { describe, expect, it } from 'vitest';
import { rawProblem } from './raw-problem.js';
import { SAFETY_HEADERS } from './safety-headers.js';

describe('the answer to bytes that never became a request', () => {
  it.each([
    ['HPE_HEADER_OVERFLOW', 431, 'headers_too_large'],
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'request_timeout'],
    ['HPE_INVALID_METHOD', 400, 'invalid_request'],
    ['constructor', 400, 'invalid_request'],
  ])('to %s is a whole problem document with its length, and the end of the connection', (code, status, word) => {
    const [head, body] = rawProblem(code).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toContain('Content-Type: application/problem+json');
    expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
    expect(head).toContain('Connection: close');
    for (const [name, value] of Object.entries(SAFETY_HEADERS)) expect(head).toContain(`\r\n${name}: ${value}`);
    expect(JSON.parse(body)).toMatchObject({ status, code: word, instance: '/' });
  });
});
