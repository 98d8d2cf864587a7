import type { Response } from 'supertest';
import { expect } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/model/errors.js';

/** An answer that is an error: status, media type and every member of the problem document. @param detail the whole text, or a pattern */
export function expectProblem(response: Response, code: ErrorCode, detail: string | RegExp = /./): void {
  const { status, title } = ERRORS[code];
  expect({ status: response.status, type: response.headers['content-type'] }).toEqual({
    status,
    type: 'application/problem+json; charset=utf-8',
  });
  const problem = JSON.parse(response.text);
  expect(problem).toEqual({
    type: `urn:vmgauge:problem:${code}`,
    title,
    status,
    detail: expect.stringMatching(/./),
    instance: expect.stringMatching(/^[^?]{1,256}$/),
    code,
    message: problem.detail,
  });
  if (typeof detail === 'string') expect(problem.detail).toBe(detail);
  else expect(problem.detail).toMatch(detail);
  expect(response.headers['cache-control']).toBe('no-store');
}
