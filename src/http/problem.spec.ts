import { describe, expect, it } from 'vitest';
import { ApiError, ERRORS, type ErrorCode } from '../model/errors.js';
import { codeOfStatus, problem } from './problem.js';

// Object.keys forgets the keys' names.
const CODES = Object.keys(ERRORS) as ErrorCode[];

describe('problem', () => {
  it.each(CODES)('%s has the members of RFC 9457 and those that hypeman’s clients read', (code) => {
    expect(problem(code, 'a detail', '/instances/x?token=secret')).toEqual({
      type: `urn:vmgauge:problem:${code}`,
      title: ERRORS[code].title,
      status: ERRORS[code].status,
      detail: 'a detail',
      instance: '/instances/x',
      code,
      message: 'a detail',
    });
    expect(new ApiError(code, 'x').status).toBe(ERRORS[code].status);
  });

  it('repeats no more than the beginning of a long URL, and nothing of its query', () => {
    expect(problem('not_found', 'x', `/${'a'.repeat(10_000)}?b`).instance).toHaveLength(256);
  });
});

describe('codeOfStatus', () => {
  it('is the code of each status that one has', () => {
    for (const code of CODES) expect(ERRORS[codeOfStatus(ERRORS[code].status)].status).toBe(ERRORS[code].status);
  });

  it('is the caller’s or our fault for any other', () => {
    expect(codeOfStatus(418)).toBe('invalid_request');
    expect(codeOfStatus(500)).toBe('internal_error');
    expect(codeOfStatus(502)).toBe('internal_error');
  });
});
