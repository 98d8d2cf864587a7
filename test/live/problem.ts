import { expect } from 'vitest';
import { record } from './agent.js';

/** That an error answer is what every error is: problem+json whose status is the answer's, with hypeman's two members. */
export function expectProblem(
  answer: { status: number; type: string; body: string },
  status: number,
  code: string,
): Record<string, unknown> {
  expect({ status: answer.status, type: answer.type.split(';')[0], body: answer.body }).toMatchObject({
    status,
    type: 'application/problem+json',
    body: expect.stringContaining('"code"'),
  });
  const problem = record(JSON.parse(answer.body));
  const words = { type: expect.any(String), title: expect.any(String), detail: expect.any(String), instance: expect.any(String) };
  expect(problem).toMatchObject({ status, code, ...words, message: problem.detail });
  return problem;
}

/** The same for an answer of fetch. */
export async function expectProblemIn(response: Response, status: number, code: string): Promise<Record<string, unknown>> {
  return expectProblem(
    { status: response.status, type: response.headers.get('content-type') ?? '', body: await response.text() },
    status,
    code,
  );
}
