import { describe, expect, it } from 'vitest';
import { type Answer, answerIn, answerLine, numbersIn, REQUEST_BYTES, requestIn, ringLines, traceLine } from './trace-protocol.js';
import { allOff } from './trace-source.js';

const REQUEST = { blocks: ['cpu', 'guest-dns'], intervalMs: 5000, slots: 4096 } as const;
const BLOCKS = { ...allOff(['cpu', 'dns'], 'missing_tracepoint'), cpu: null };
const ANSWERS: readonly Answer[] = [
  { began: BLOCKS },
  { refused: { reason: 'no_tracefs', words: 'tracefs is not mounted', blocks: BLOCKS } },
  { refused: { reason: 'no_helper', words: 'another is served', blocks: null } },
  { line: '{"type": "map", "data": {}}' },
  { line: '' },
  { ended: { cause: 'failed', block: 'dns', reason: 'verifier', words: 'ERROR: "no"\n' } },
  { ended: { cause: 'exited', block: null, reason: 'crashed', words: '' } },
];

describe('what the agent says', () => {
  it('is understood', () => {
    expect(requestIn(traceLine(REQUEST))).toEqual(REQUEST);
  });

  it('is brought within bounds, and asks for no block that is not known', () => {
    const line = 'trace {"version":1,"blocks":["cpu","evil { system(1) }",7,"cpu"],"intervalMs":1,"slots":1e300,"text":"BEGIN {}"}';
    expect(requestIn(line)).toEqual({ blocks: ['cpu'], intervalMs: 1000, slots: 65_536 });
  });

  it.each([
    '',
    'trace',
    'trace ',
    'trace null',
    'trace []',
    'trace {}',
    'trace {"version":2,"blocks":[],"intervalMs":1000,"slots":1}',
    'trace {"version":1,"blocks":"cpu","intervalMs":1000,"slots":1}',
    'trace {"version":1,"blocks":[],"intervalMs":"1000","slots":1}',
    'trace {"version":1,"blocks":[],"intervalMs":1000,"slots":null}',
    'ring 1',
  ])('is nothing to begin with: %j', (line) => {
    expect(requestIn(line)).toBeNull();
  });

  it('is nothing when it is cut off', () => {
    const line = traceLine(REQUEST);
    for (let length = 0; length < line.length; length++) expect(requestIn(line.slice(0, length)), line.slice(0, length)).toBeNull();
  });

  it('rings with many numbers in lines that are short enough, in their order', () => {
    const numbers = Array.from({ length: 20_000 }, (_, i) => 2 ** 31 - 1 - i);
    const lines = [...ringLines(numbers)];
    expect(lines.flatMap((line) => numbersIn(line) ?? [])).toEqual(numbers);
    expect(Math.max(...lines.map(({ length }) => length)) + 2).toBeLessThanOrEqual(REQUEST_BYTES);
    expect([...ringLines([])]).toEqual([]);
  });

  it.each([
    'ring',
    'ring ',
    'ring 0',
    'ring -1',
    'ring 1 -15',
    'ring 2147483648',
    'ring 18446744073709551615',
    'ring 1.5',
    'ring 1  2',
    'ring 1 2 ',
    'ring 01',
    'ring 1e3',
    'ring 0x1',
    'kill 1',
  ])('rings with nothing else: %j', (line) => {
    expect(numbersIn(line)).toBeNull();
  });
});

describe('what the helper says', () => {
  it.each(ANSWERS.map((answer) => [answer] as const))('is understood: %j', (answer) => {
    expect(answerIn(answerLine(answer))).toEqual(answer);
  });

  it.each(ANSWERS.filter((answer) => !('line' in answer)).map((answer) => [answer] as const))(
    'is nothing when it is cut off: %j',
    (answer) => {
      const line = answerLine(answer);
      for (let length = 0; length < line.length; length++) expect(answerIn(line.slice(0, length)), line.slice(0, length)).toBeNull();
    },
  );

  it.each([
    '',
    'began',
    'began 1',
    'began {}',
    'began {"blocks":null}',
    'ended "now"',
    'refused [',
    'lines',
    `ended {"words":"${'x'.repeat(20_000)}"}`,
  ])('is nothing: %j', (line) => {
    expect(answerIn(line)).toBeNull();
  });

  it('of another version is what can be understood of it', () => {
    expect(answerIn('began {"blocks":{"cpu":null,"tcp":"a new reason","news":null}}')).toEqual({
      began: { ...allOff([], 'crashed'), cpu: null, tcp: 'crashed' },
    });
    expect(answerIn(`ended {"cause":7,"block":"news","reason":[],"words":"${'x'.repeat(1000)}"}`)).toEqual({
      ended: { cause: 'exited', block: null, reason: 'crashed', words: 'x'.repeat(300) },
    });
    expect(answerIn('refused {}')).toEqual({ refused: { reason: 'crashed', words: '', blocks: null } });
  });
});
