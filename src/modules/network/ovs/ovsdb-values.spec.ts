import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Column, MAP, OPTIONAL_INTEGER, OPTIONAL_TEXT, TEXT, UUIDS, WORDS } from './ovsdb-values.js';

const A = '00000000-0000-0000-0000-00000000000a';
const B = '00000000-0000-0000-0000-00000000000b';
const uuid = (text: string): unknown => ['uuid', text];

describe('values as ovsdb-server sends them', () => {
  it.each<[string, Column<unknown>, unknown, unknown]>([
    ['a text', TEXT, 'br-int', 'br-int'],
    ['an empty text', TEXT, '', ''],
    ['a set of one text', TEXT, ['set', ['br-int']], 'br-int'],
    ['a text that may be missing', OPTIONAL_TEXT, 'up', 'up'],
    ['a missing text', OPTIONAL_TEXT, ['set', []], null],
    ['a number', OPTIONAL_INTEGER, 65_534, 65_534],
    ['a negative number', OPTIONAL_INTEGER, -1, -1],
    ['a missing number', OPTIONAL_INTEGER, ['set', []], null],
    ['a number nobody knows exactly', OPTIONAL_INTEGER, 2 ** 64, null],
    ['a broken number', OPTIONAL_INTEGER, 1.5, null],
    ['a number without end', OPTIONAL_INTEGER, JSON.parse('1e999'), null],
    ['one reference', UUIDS, uuid(A), new Set([A])],
    ['references', UUIDS, ['set', [uuid(A), uuid(B), uuid(A)]], new Set([A, B])],
    ['no references', UUIDS, ['set', []], new Set()],
    ['one word', WORDS, 'OpenFlow10', new Set(['OpenFlow10'])],
    ['words', WORDS, ['set', ['OpenFlow10', 'OpenFlow15']], new Set(['OpenFlow10', 'OpenFlow15'])],
    ['words that are tags', WORDS, ['set', ['set', 'map', 'uuid']], new Set(['set', 'map', 'uuid'])],
    ['no pairs', MAP, ['map', []], new Map()],
    [
      'pairs',
      MAP,
      [
        'map',
        [
          ['vm-id', A],
          ['__proto__', 'x'],
          ['constructor', ''],
        ],
      ],
      new Map([
        ['vm-id', A],
        ['__proto__', 'x'],
        ['constructor', ''],
      ]),
    ],
  ])('are read: %s', (_, column, told, value) => {
    expect(column.decode(told)).toEqual(value);
  });

  const shapeless = [
    undefined,
    true,
    {},
    [],
    ['set'],
    ['set', {}],
    ['set', [], []],
    ['map', [['a']]],
    ['map', [['a', 1]]],
    ['map', [['a', 'b', 'c']]],
  ];
  const foreign: [string, Column<unknown>, readonly unknown[]][] = [
    ['a text', TEXT, [1, null, ['set', []], ['set', ['a', 'b']], ['uuid', A], ['map', []]]],
    ['a text that may be missing', OPTIONAL_TEXT, [1, null, ['set', ['a', 'b']], ['set', [1]], ['map', []]]],
    ['a number', OPTIONAL_INTEGER, ['1', null, ['set', [1, 2]], ['set', ['1']], ['map', []]]],
    [
      'references',
      UUIDS,
      [A, 1, null, ['uuid', 'x'], ['uuid', `${A}0`], ['uuid', A, A], ['named-uuid', 'a'], ['set', [uuid(A), 'x']], ['map', []]],
    ],
    ['words', WORDS, [1, null, ['set', ['a', 1]], ['map', []]]],
    ['pairs', MAP, ['a', 1, null, ['set', []], ['map', 'a'], ['map', {}], ['map', ['ab']]]],
  ];
  it.each(foreign)('are not read where they are not %s', (_, column, others) => {
    for (const told of [...shapeless, ...others]) expect([told, column.decode(told)]).toEqual([told, undefined]);
  });

  it('are not more than anybody has', () => {
    const many = (count: number): unknown[] => Array.from({ length: count }, (_, i) => `w${i}`);
    expect(WORDS.decode(['set', many(65_536)])?.size).toBe(65_536);
    expect(WORDS.decode(['set', many(65_537)])).toBeUndefined();
    expect(MAP.decode(['map', many(1024).map((key) => [key, ''])])?.size).toBe(1024);
    expect(MAP.decode(['map', many(1025).map((key) => [key, ''])])).toBeUndefined();
  });

  it('are never a throw', () => {
    const columns = [TEXT, OPTIONAL_TEXT, OPTIONAL_INTEGER, UUIDS, WORDS, MAP];
    const tagged = fc.tuple(fc.constantFrom('set', 'map', 'uuid'), fc.jsonValue());
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), tagged), (told) => {
        for (const column of columns) column.decode(told);
      }),
    );
  });
});

describe('a change', () => {
  it('of one value is the new one', () => {
    expect([TEXT.change('a', 'b'), OPTIONAL_TEXT.change('a', null), OPTIONAL_INTEGER.change(null, 7)]).toEqual(['b', null, 7]);
  });

  it('of a set is what one side alone has', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string()), fc.uniqueArray(fc.string()), (before, after) => {
        const difference = [...before.filter((one) => !after.includes(one)), ...after.filter((one) => !before.includes(one))];
        expect(WORDS.change(new Set(before), new Set(difference))).toEqual(new Set(after));
      }),
    );
  });

  it('of a map is also the new values, and pairs that are too long are in none', () => {
    const text = fc.oneof(
      fc.constantFrom('a', 'b', 'c', '__proto__'),
      fc.constantFrom('x', 'y').map((tail) => 'l'.repeat(4096) + tail),
      fc.string(),
    );
    const pairs = fc.uniqueArray(fc.tuple(text, text), { selector: ([key]) => key });
    const short = (map: ReadonlyMap<string, string>): object =>
      new Map([...map].filter((pair) => pair.every((word) => word.length <= 4096)));
    fc.assert(
      fc.property(pairs, pairs, (first, second) => {
        const [before, after] = [new Map(first), new Map(second)];
        const gone = first.filter(([key]) => !after.has(key));
        const different = second.filter(([key, value]) => before.get(key) !== value);
        const held = MAP.change(MAP.unset(), before) ?? new Map<string, string>();
        expect(held).toEqual(short(before));
        expect(MAP.change(held, new Map([...gone, ...different]))).toEqual(short(after));
      }),
    );
  });

  it('sees a value that differs beyond what anybody is shown', () => {
    const [before, after] = ['1', '2'].map((tail) => 'x'.repeat(300) + tail);
    expect(MAP.change(new Map([['a', before]]), new Map([['a', after]]))).toEqual(new Map([['a', after]]));
  });

  it('does not make more of it than anybody has', () => {
    const many = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `w${from + i}`);
    expect(WORDS.change(new Set(many(0, 65_530)), new Set(many(65_530, 6)))?.size).toBe(65_536);
    expect(WORDS.change(new Set(many(0, 65_530)), new Set(many(65_530, 7)))).toBeUndefined();
    const pairs = (from: number, count: number): Map<string, string> => new Map(many(from, count).map((key) => [key, '']));
    expect(MAP.change(pairs(0, 1000), pairs(1000, 25))).toBeUndefined();
  });
});
