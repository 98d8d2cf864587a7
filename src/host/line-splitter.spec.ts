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
