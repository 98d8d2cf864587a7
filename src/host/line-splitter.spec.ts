import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from './line-splitter.js';

const LIMIT = 1000;
const split = (pieces: readonly Buffer[], limit = LIMIT): string[] => {
  const splitter = new LineSplitter(limit);
  return pieces.flatMap((piece) => [...splitter.take(piece)]);
};

describe('lines out of pieces', () => {
  it('are the same wherever the bytes are cut, also within a character', () => {
    const words = fc.array(
      fc.string({ unit: fc.constantFrom('a', 'é', '😀', '"', '\r', ' '), maxLength: 20 }).map((text) => text.replace(/\r+$/, '')),
    );
    fc.assert(
      fc.property(words, fc.array(fc.nat(20)), fc.constantFrom('\n', '\r\n'), (lines, sizes, end) => {
        const bytes = Buffer.from(lines.map((line) => line + end).join(''));
        const pieces: Buffer[] = [];
        let at = 0;
        for (const size of sizes) {
          pieces.push(bytes.subarray(at, at + size));
          at += size;
        }
        pieces.push(bytes.subarray(at));
        expect(split(pieces)).toEqual(lines);
      }),
    );
  });

  it('keep the bytes and not the pieces of a line that comes byte by byte', async () => {
    const splitter = new LineSplitter(1 << 20);
    const pieces: WeakRef<object>[] = [];
    const feed = (): void => {
      const piece = Buffer.from(new Uint8Array([0x61]).buffer);
      pieces.push(new WeakRef(piece.buffer));
      expect([...splitter.take(piece)]).toEqual([]);
    };
    for (let i = 0; i < 10_000; i++) feed();
    // What a WeakRef was made of is kept until this turn ends.
    await new Promise(setImmediate);
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    expect(pieces.filter((piece) => piece.deref()).length).toBeLessThan(2000);
    expect([...splitter.take(Buffer.from('\n'))]).toEqual(['a'.repeat(10_000)]);
  });

  it('keep back what has no end yet', () => {
    expect(split([Buffer.from('one\r\ntw')])).toEqual(['one']);
    expect(split([Buffer.from('one\r')])).toEqual([]);
    expect(split([Buffer.from('one\r'), Buffer.from('\n')])).toEqual(['one']);
  });

  it('may be as long as the limit and no byte longer, whether the end came or not', () => {
    expect(split([Buffer.from(`${'x'.repeat(9)}\n`)], 10)).toEqual(['x'.repeat(9)]);
    expect(() => split([Buffer.from(`${'x'.repeat(10)}\n`)], 10)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
    expect(() => split([Buffer.alloc(6), Buffer.alloc(5)], 10)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
  });

  it('come before the one that is too long', () => {
    const heard: string[] = [];
    expect(() => {
      for (const line of new LineSplitter(5).take(Buffer.from('a\nb\nmuch too long\n'))) heard.push(line);
    }).toThrow();
    expect(heard).toEqual(['a', 'b']);
  });
});
