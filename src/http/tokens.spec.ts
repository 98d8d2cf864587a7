import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTokens, TokenSet } from './tokens.js';

describe('parseTokens', () => {
  it('takes a line for a token, but neither empty ones nor comments', () => {
    expect(parseTokens('# of team a\nalpha\n\n  beta  \r\n#gamma\n')).toEqual(['alpha', 'beta']);
    expect(parseTokens('')).toEqual([]);
    expect(parseTokens('last-without-newline')).toEqual(['last-without-newline']);
  });
});

describe('TokenSet', () => {
  const tokens = new TokenSet(['alpha', 'beta']);

  it.each(['Bearer alpha', 'Bearer beta', 'bearer alpha', 'BEARER   beta', 'Bearer alpha  '])('accepts %s', (header) => {
    expect(tokens.accepts(header)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'alpha',
    'Bearer',
    'Bearer ',
    'Bearer alph',
    'Bearer alphaa',
    'Bearer Alpha',
    'Basic alpha',
    'Bearer alpha beta',
    ' Bearer alpha',
    'Bearer\talpha',
    `Bearer ${'a'.repeat(100_000)}`,
  ])('refuses %.40s', (header) => {
    expect(tokens.accepts(header)).toBe(false);
  });

  it('accepts nothing while it is empty', () => {
    expect(new TokenSet().empty).toBe(true);
    fc.assert(fc.property(fc.string(), (token) => !new TokenSet().accepts(`Bearer ${token}`)));
  });

  it('forgets replaced tokens', () => {
    const changing = new TokenSet(['old']);
    changing.replace(['new']);
    expect(changing.accepts('Bearer old')).toBe(false);
    expect(changing.accepts('Bearer new')).toBe(true);
    changing.replace([]);
    expect(changing.empty).toBe(true);
  });
});
