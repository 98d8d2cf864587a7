import { describe, expect, it } from 'vitest';
import { parseTapName } from './fdinfo.js';

const fdinfo = (line: string): string => `pos:\t0\nflags:\t0104002\nmnt_id:\t26\nino:\t147\n${line}`;

describe('parseTapName', () => {
  it.each(['tap0', 'tapé', 'tap0\u2028x', 'tap0\u2029', 'a\u00a0b', '\u2028iff'])('gives the whole of %j', (name) => {
    expect(parseTapName(fdinfo(`iff:\t${name}\n`))).toBe(name);
  });

  it.each(['', 'iff:\t\n', 'iff:\n', 'aiff:\ttap0\n'])('gives none of %j', (line) => {
    expect(parseTapName(fdinfo(line))).toBeUndefined();
  });
});
