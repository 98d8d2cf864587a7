import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { shown } from '../model/terminal.js';
import { indented, print } from './terminal.js';

const HOSTILE = 'a\u001b[2Jb\u009b2Jc\u202ed\u2066e\te\r';

describe('a terminal', () => {
  it('is shown a mark in the place of what it would obey', () => {
    expect(shown(`${HOSTILE}\nzweite Zeile, 二行目\n`)).toBe('a?[2Jb?2Jc?d?e?e?\nzweite Zeile, 二行目\n');
  });

  it('is shown JSON that is the same JSON, with nothing in it to obey', () => {
    const json = JSON.stringify({ name: HOSTILE, n: [1, null, 0.1] });
    const text = indented(json);
    expect(JSON.parse(text)).toEqual(JSON.parse(json));
    expect(shown(text)).toBe(text);
    expect(text).toMatch(/^{\n {2}"name": "a\\u001b/);
  });
});

describe('printing', () => {
  const failing = (code: string): NodeJS.WriteStream => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) });
    // Only what a Writable has is used.
    return stream as unknown as NodeJS.WriteStream;
  };

  it('ends well where the reader has seen enough', async () => {
    await expect(print(failing('EPIPE'), 'text')).resolves.toBeUndefined();
  });

  it('fails where the text has no room', async () => {
    await expect(print(failing('ENOSPC'), 'text')).rejects.toThrow('ENOSPC');
  });
});
