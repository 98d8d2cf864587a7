import { describe, expect, it } from 'vitest';
import { asksForJson } from './rate-limited.js';

describe('an Accept', () => {
  it.each(['application/json', 'application/problem+json', 'text/plain, Application/JSON;q=0.5', 'application/json, text/plain, */*'])(
    'asks for JSON: %s',
    (accept) => {
      expect(asksForJson(accept)).toBe(true);
    },
  );

  it.each([
    undefined,
    '',
    '*/*',
    'text/html',
    'application/*',
    'application/jsonp',
    'application/json;q=0',
    'application/json; q=0.000',
    'application/x-ndjson',
    'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  ])('does not: %s', (accept) => {
    expect(asksForJson(accept)).toBe(false);
  });
});
