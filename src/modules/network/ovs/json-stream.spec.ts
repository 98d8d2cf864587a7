import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { JsonStream } from './json-stream.js';

const LIMITS = { messageBytes: 1 << 20, depth: 32 };

const cutAt = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const cuts = [0, ...[...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((cut, i) => bytes.subarray(cuts[i], cut));
};
const readAll = (pieces: readonly Buffer[], limits = LIMITS): unknown[] => {
  const stream = new JsonStream(limits);
  return pieces.flatMap((piece) => [...stream.take(piece)]);
};
const read = (text: string, limits = LIMITS): unknown[] => readAll([Buffer.from(text)], limits);
const byByte = (text: string): Buffer[] => cutAt(Buffer.from(text), [...Buffer.from(text).keys()]);

afterEach(() => vi.restoreAllMocks());

describe('values out of a stream', () => {
  it('are told apart without anything between, and with blanks', () => {
    expect(read('{"a":1}[2]{}\n\t [] \r\n{"b":[{}]}')).toEqual([{ a: 1 }, [2], {}, [], { b: [{}] }]);
  });

  const tricky = ['}{', '][', '"', '\\', '\\"', '\\\\', '{"', 'é😀', '\u2028', '\u0000', ''];
  it.each(tricky)('end where they end whatever their strings have: %j', (text) => {
    const value = { [text]: [text, { text }] };
    const both = JSON.stringify(value) + JSON.stringify([text]);
    expect(read(both)).toEqual([value, [text]]);
    expect(readAll(byByte(both))).toEqual([value, [text]]);
  });

  it('are the same whatever the pieces', () => {
    const value = fc.oneof(
      fc.array(fc.jsonValue({ maxDepth: 4 })),
      fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 })),
    );
    fc.assert(
      fc.property(fc.array(value), fc.array(fc.nat()), fc.boolean(), (values, places, isPretty) => {
        const text = values.map((one) => JSON.stringify(one, null, isPretty ? 1 : undefined)).join(isPretty ? '\n' : '');
        expect(readAll(cutAt(Buffer.from(text), places))).toEqual(values.map((one): unknown => JSON.parse(JSON.stringify(one))));
      }),
    );
  });

  it('are not there before they are whole, cut at any byte', () => {
    const whole = Buffer.from('{"müll":["a\\"}",{"b":[-1.5e3,null,true]}]}');
    for (let at = 1; at < whole.length; at++) {
      const stream = new JsonStream(LIMITS);
      expect([...stream.take(whole.subarray(0, at))]).toEqual([]);
      expect([...stream.take(whole.subarray(at))]).toEqual([JSON.parse(whole.toString())]);
    }
  });

  it('have names like any other where they are those of prototypes', () => {
    const [value] = read('{"__proto__":{"polluted":1},"constructor":2}');
    expect(Object.keys(Object(value))).toEqual(['__proto__', 'constructor']);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it('are copied a few times at most, byte by byte as well', () => {
    const text = JSON.stringify({ text: 'x'.repeat(100_000) });
    let copied = 0;
    const copy = Buffer.prototype.copy;
    vi.spyOn(Buffer.prototype, 'copy').mockImplementation(function (this: Buffer, ...words) {
      copied += this.length;
      return copy.apply(this, words);
    });
    expect(readAll(byByte(text))).toEqual([JSON.parse(text)]);
    expect(copied).toBeGreaterThan(text.length - 1);
    expect(copied).toBeLessThan(4 * text.length);
  });

  it.each(['1', '"text"', 'null', '}', ']', ',', '{}}', '[]x', '\u0000', '\ufeff{}'])(
    'are objects and arrays, nothing else: %j',
    (text) => {
      expect(() => read(text)).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
    },
  );

  it.each(['{]', '[}', '{"a"}', '{"a":}', '[01]', '[NaN]', '[\\u0041]', '{"a":1,}', '["\n"]'])('are JSON, nothing else: %j', (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
  });

  it('come before what is none', () => {
    const taken = new JsonStream(LIMITS).take(Buffer.from('{"a":1}[2]nonsense'));
    expect([taken.next().value, taken.next().value]).toEqual([{ a: 1 }, [2]]);
    expect(() => taken.next()).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
  });

  it('have a greatest length, however they come', () => {
    const limits = { messageBytes: 10, depth: 32 };
    expect(read(`${' '.repeat(99)}["345678"]`, limits)).toEqual([['345678']]);
    expect(read('["345678"]'.repeat(99), limits)).toHaveLength(99);
    for (const pieces of [[Buffer.from('["3456789"]')], byByte('["3456789"]'), [Buffer.from('["3456789ab')]]) {
      expect(() => readAll(pieces, limits)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
    }
  });

  it('have a greatest depth', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(read(nested(32))).toHaveLength(1);
    expect(() => read(nested(33))).toThrow(expect.objectContaining({ code: 'EFBIG' }));
    expect(() => read('['.repeat(1 << 19))).toThrow(expect.objectContaining({ code: 'EFBIG' }));
  });

  it('never do worse than one of the two errors, whatever comes', () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.array(fc.constantFrom(...Buffer.from('{}[]",:\\ 1a')), { maxLength: 60 }));
    fc.assert(
      fc.property(bytes, fc.array(fc.nat()), (input, places) => {
        const outcome = (pieces: readonly Buffer[]): unknown => {
          try {
            return readAll(pieces);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^(EBADMSG|EFBIG)$/) });
            return 'thrown';
          }
        };
        const whole = Buffer.from(input);
        expect(outcome(cutAt(whole, places))).toEqual(outcome([whole]));
      }),
    );
  });
});
