import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBracketedProperties, parseJsonProperties, parseProperties } from './properties.js';

const entries = (properties: ReadonlyMap<string, string>) => Object.fromEntries(properties);

describe('parseProperties', () => {
  it.each([
    ['tap,id=net0,ifname=t0', { type: 'tap', id: 'net0', ifname: 't0' }],
    ['type=tap,id=n', { type: 'tap', id: 'n' }],
    ['a,,b,k=x,,y', { type: 'a,b', k: 'x,y' }],
    ['k=a,,,l=b', { k: 'a,', l: 'b' }],
    ['unix,server,nowait', { type: 'unix', server: 'on', nowait: 'on' }],
    ['k=a=b', { k: 'a=b' }],
    ['', {}],
    [',=,x', { '=': undefined, x: 'on' }],
    ['{"type":"tap","fd":"31","n":3,"b":true}', { type: 'tap', fd: '31', n: '3', b: 'true' }],
    ['{"addr":{"type":"unix"},"list":[{"a":1}],"nothing":null}', { 'addr.type': 'unix', 'list.0.a': '1' }],
    ['{"type":"tap"', {}],
    ['{"__proto__":{"type":"tap"}}', { '__proto__.type': 'tap' }],
  ])('%s', (text, expected) => {
    expect(entries(parseProperties(text, 'type'))).toEqual(expected);
  });

  it('gives up on what is too long, and stops at a depth', () => {
    expect(parseProperties(`a=${'x'.repeat(65_536)}`, 'k').size).toBe(0);
    expect(parseProperties(`{"a":"${'x'.repeat(65_536)}"}`, 'k').size).toBe(0);
    expect(parseProperties(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, 'k').size).toBe(0);
    expect(parseJsonProperties('['.repeat(60_000)).size).toBe(0);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', ',', '=', ':', 'a', '\0', '\ud800') }), (text) => {
        parseProperties(text, 'k');
        parseBracketedProperties(text, 'k');
        parseJsonProperties(text);
      }),
    );
  });
});

describe('parseBracketedProperties', () => {
  it('keeps commas in brackets and quotes', () => {
    expect(entries(parseBracketedProperties('fd=[3,4],mac=x,path="a,b",id=n', 'path'))).toEqual({
      fd: '[3,4]',
      mac: 'x',
      path: '"a,b"',
      id: 'n',
    });
    expect(entries(parseBracketedProperties('/run/ch.sock', 'path'))).toEqual({ path: '/run/ch.sock' });
  });
});
