import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MetricsLines } from './metrics-lines.js';

const linesOf = (pieces: readonly string[], limit = 1000): (string | null)[] => {
  const lines = new MetricsLines(limit);
  // One buffer for all pieces, as a reader has.
  const shared = Buffer.alloc(4096);
  return pieces.flatMap((piece) => [...lines.feed(shared.subarray(0, shared.write(piece)))]);
};

it('gives the same lines however the bytes come, and keeps back what is not ended', () => {
  const text = fc.array(fc.constantFrom('a', 'é', '\n', '\n', '{', '"'), { maxLength: 60 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.array(fc.nat(20), { maxLength: 60 }), (whole, cuts) => {
      const pieces: string[] = [];
      let rest = whole;
      for (const cut of cuts) {
        pieces.push(rest.slice(0, cut));
        rest = rest.slice(cut);
      }
      expect(linesOf([...pieces, rest])).toEqual(whole.split('\n').slice(0, -1));
    }),
  );
});

it('joins a character that was cut in two', () => {
  const bytes = Buffer.from('é\n');
  const lines = new MetricsLines(10);
  expect([...lines.feed(bytes.subarray(0, 1)), ...lines.feed(bytes.subarray(1))]).toEqual(['é']);
});

it('gives nothing of a line that is too long, and all of the next', () => {
  expect(linesOf(['x'.repeat(11), 'yyy', '\nok\n'], 10)).toEqual([null, 'ok']);
  expect(linesOf([`${'x'.repeat(11)}\nok\n`], 10)).toEqual([null, 'ok']);
  expect(linesOf([`${'x'.repeat(10)}\n`], 10)).toEqual(['x'.repeat(10)]);
});

it('forgets what waits when it is told that no rest will come', () => {
  const lines = new MetricsLines(10);
  expect([...lines.feed(Buffer.from('abc'))]).toEqual([]);
  expect([lines.isPartial, lines.drop(), lines.isPartial, lines.drop()]).toEqual([true, true, false, false]);
  expect([...lines.feed(Buffer.from('def\n'))]).toEqual(['def']);
});
