import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, truncations } from '../../../test/kernel-samples.js';
import { hist, histOf, numbers, TICK } from '../../../test/telling.js';
import { readLine, type ToldEntry } from './telling.js';
import { BOUND_COUNT, BOUNDS_NANOSECONDS } from './words.js';

interface Read {
  readonly kind: string;
  readonly lost: number;
  readonly lacks: readonly string[];
  readonly entries: (Omit<ToldEntry, 'buckets'> & { readonly buckets: readonly number[] })[];
}

function read(text: string): Read {
  const line = readLine(text);
  const entries: Read['entries'] = [];
  for (;;) {
    const { done, value } = line.next();
    if (done) return { ...value, entries };
    const { map, first, second, value: number, slots, buckets } = value;
    entries.push({ map, first, second, value: number, slots, buckets: [...buckets] });
  }
}
const values = (text: string): number[][] => read(text).entries.map(({ first, second, value }) => [first, second, value]);

/** A plain histogram of Podtrace's bounds. */
function plainHistogram(nanoseconds: readonly number[]): number[] {
  const buckets = new Array<number>(BOUND_COUNT + 1).fill(0);
  for (const ns of nanoseconds) {
    const bound = BOUNDS_NANOSECONDS.findIndex((limit) => ns <= limit);
    buckets[bound < 0 ? BOUND_COUNT : bound]++;
  }
  return buckets;
}

describe('a map of numbers', () => {
  it('is read with keys of one and of two parts', () => {
    expect(values('{"type": "map", "data": {"@rtt_sum": {"5": 4096, "6": 0}}}')).toEqual([
      [5, Number.NaN, 4096],
      [6, Number.NaN, 0],
    ]);
    expect(values('{"type": "map", "data": {"@net": {"7,1": 12, "7,0": 13}}}')).toEqual([
      [7, 1, 12],
      [7, 0, 13],
    ]);
    expect(read(numbers('fs_bytes', { '1,0': 5 }))).toMatchObject({ kind: 'map', lost: 0, entries: [{ map: 'fs_bytes', slots: 1 }] });
  });

  it('may be empty, or stand in other blanks', () => {
    expect(read('{"type": "map", "data": {"@vm": {}}}')).toMatchObject({ kind: 'map', lost: 0, entries: [] });
    expect(values('{"type":"map","data":{"@vm":{"1":2,"3":4}}} ')).toEqual([
      [1, Number.NaN, 2],
      [3, Number.NaN, 4],
    ]);
  });

  it('has no number from 2^63 on, nor one below zero, and keeps the others', () => {
    const text = numbers('net', {
      '1,0': 18_446_744_073_709_551_615n,
      '2,0': 2n ** 63n,
      '3,0': 2n ** 63n - 2n ** 11n,
      '4,0': -1,
      '5,0': 5,
    });
    expect(values(text).map(([key]) => key)).toEqual([3, 5]);
    expect(read(text).kind).toBe('unreadable');
    expect(read(numbers('net', { '18446744073709551615': 1 }))).toMatchObject({ kind: 'unreadable', entries: [] });
  });
});

describe('a histogram', () => {
  it('is put at Podtrace’s bounds, exactly as each time alone would be', () => {
    const times = fc.oneof(
      fc.integer({ min: 1, max: 2 ** 40 }),
      fc.tuple(fc.integer({ min: 0, max: 25 }), fc.integer({ min: -1, max: 1 })).map(([n, step]) => Math.max(1, 3125 * 2 ** n + step)),
    );
    fc.assert(
      fc.property(fc.array(times, { minLength: 1, maxLength: 40 }), (nanoseconds) => {
        const { kind, entries } = read(hist('rtt', { 9: nanoseconds }));
        expect([kind, entries.length]).toEqual(['map', 1]);
        expect(entries[0].buckets).toEqual(plainHistogram(nanoseconds));
        expect(entries[0].value).toBeNaN();
      }),
      { numRuns: 1000 },
    );
  });

  it('takes a place in its map for each bucket that is not empty', () => {
    const { entries } = read(hist('fs', { '3,1': [1, 2, 7000, 10_000_000] }));
    expect(entries).toMatchObject([{ first: 3, second: 1, slots: 3 }]);
  });

  it('counts what took no time at all at the first bound', () => {
    const { entries } = read('{"type": "hist", "data": {"@dns": {"1": [{"max": -1, "count": 2}, {"min": 0, "max": 0, "count": 3}]}}}');
    expect(entries[0].buckets.slice(0, 2)).toEqual([5, 0]);
  });

  it('forgets nothing of the key before when the next has fewer buckets', () => {
    const { entries } = read(hist('dns', { 1: [1, 10_000_000_000], 2: [200_000] }));
    expect(entries[1].buckets).toEqual(plainHistogram([200_000]));
  });

  it('with a number that can be nobody’s is left out', () => {
    for (const bad of ['18446744073709551615', '-3', '1e5', '']) {
      const text = `{"type": "hist", "data": {"@rtt": {"1": [{"min": 0, "max": 0, "count": ${bad}}], "2": ${histOf([5])}}}}`;
      const { kind, entries } = read(text);
      expect([kind, entries.filter(({ first }) => first === 1)]).toEqual(['unreadable', []]);
    }
  });
});

describe('other lines', () => {
  it.each([
    [TICK, 'tick', 0],
    ['{"type": "printf", "data": "tock 5\\n"}', 'other', 0],
    ['', 'other', 0],
    ['  ', 'other', 0],
    ['{"type": "attached_probes", "data": {"probes": 28}}', 'other', 0],
    ['{"type": "hist", "data": {"@one": [{"min": 4, "max": 7, "count": 1}]}}', 'other', 0],
    ['{"type": "map", "data": {"@one": 5}}', 'other', 0],
    ['{"type": "stats", "data": {"@s": {"3": {"count": 1, "average": 10, "total": 10}}}}', 'other', 0],
    ['{"type": "lost_events", "data": {"events": 42}}', 'lost', 42],
    ['{"type": "lost_events", "data": {"events": "many"}}', 'lost', 1],
    ['{"type": "lost_events"}', 'lost', 1],
    ['{"type": "helper_error", "msg": "x", "helper": "map_update_elem", "retcode": -7, "line": 1, "col": 2}', 'full', 1],
    ['{"type": "helper_error", "msg": "x", "helper": "map_delete_elem", "retcode": -2}', 'lost', 1],
    ['{"type": "missed_events", "data": {"events": "many"}}', 'unreadable', 0],
    ['{"type": "missed_events"}', 'unreadable', 0],
    ['Attaching 5 probes...', 'unreadable', 0],
    ['null', 'unreadable', 0],
    ['[]', 'unreadable', 0],
    ['5', 'unreadable', 0],
  ])('%.60j is %s', (text, kind, lost) => {
    expect(read(text)).toMatchObject({ kind, lost, entries: [] });
  });

  it.each([
    ['tick 5', []],
    ['tick 5 -rtt', ['rtt']],
    ['tick 5 -rtt -retransmits\\n', ['rtt', 'retransmits']],
    ['tick 5 rtt', null],
    ['tick 5 - rtt', null],
    ['tick', null],
  ])('%s: what is lacking', (data, lacks) => {
    const { kind, ...told } = read(`{"type": "printf", "data": "${data}"}`);
    expect([kind, told.lacks]).toEqual(lacks === null ? ['other', []] : ['tick', lacks]);
  });

  it.each([0, 12, 2 ** 62])('tell of %d events that were missed', (missed) => {
    expect(read(`{"type": "missed_events", "data": {"events": ${missed}}}`)).toMatchObject({ kind: 'missed', lost: 0, missed });
  });

  it('of maps that are of no interest are not read', () => {
    const line = readLine(numbers('owner', { 1: 2 }), (map) => map !== 'owner');
    expect(line.next()).toMatchObject({ done: true, value: { kind: 'other' } });
  });

  it('are short', () => {
    expect(read(`{"type": "printf", "data": "${'x'.repeat(5000)}"}`).kind).toBe('unreadable');
  });
});

describe('a line that is cut or garbage', () => {
  const whole = [hist('fs', { '5,1': [1, 100_001, 3_000_000], '6,0': [50_000] }), numbers('net', { '5,1': 4096, '65,0': 123 })];

  it.each(whole)('tells what stands before the cut, and never another number', (text) => {
    const all = read(text).entries;
    for (const cut of truncations(text)) {
      const { kind, entries } = read(cut);
      expect(entries).toEqual(all.slice(0, entries.length));
      if (cut.trim() !== '' && cut !== text) expect(kind).toBe('unreadable');
    }
  });

  it('never throws, and gives no number that cannot be', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '-',
      '"max"',
      '"count"',
      '"5"',
      '7',
      '"1,2"',
      ' ',
      '99999999999999999999',
    );
    const damaged = fc
      .tuple(fc.constantFrom(...whole), fc.array(pieces), fc.nat(60))
      .map(([text, put, at]) => text.slice(0, 28 + at) + put.join(''));
    fc.assert(
      fc.property(fc.oneof(anyText, damaged), (text) => {
        for (const { first, value, buckets } of read(text).entries) {
          expect(first).toBeGreaterThanOrEqual(0);
          if (!Number.isNaN(value)) expect(value).toBeGreaterThanOrEqual(0);
          expect(buckets.every((count) => count >= 0 && count < 2 ** 63)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
