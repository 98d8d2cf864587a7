import { describe, expect, it } from 'vitest';
import { oneLine } from './labels.js';

describe('names of strangers', () => {
  it.each([
    ['sda', 'sda'],
    ['a\nb\r\u0000\u2028c\u007f', 'a?b???c?'],
    ['"}\\ 1', '"}\\ 1'],
    ['\ud800x', '\ufffdx'],
    ['', ''],
  ])('%j become %j', (name, expected) => {
    expect(oneLine(name, 128)).toBe(expected);
  });

  it('are cut, and never in the middle of a character', () => {
    expect(oneLine(`${'x'.repeat(9)}\u{1f600}`, 10)).toBe(`${'x'.repeat(9)}\ufffd`);
  });
});
