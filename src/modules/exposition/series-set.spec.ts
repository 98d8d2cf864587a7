import { describe, expect, it } from 'vitest';
import { SeriesSet } from './series-set.js';

describe('a set of series', () => {
  it('knows what it was told, many times its first size', () => {
    const set = new SeriesSet();
    const pair = (i: number): [number, number] => [Math.imul(i, 0x9e3779b1), Math.imul(i, 0x85ebca6b)];
    for (let i = 1; i <= 20_000; i++) expect(set.add(...pair(i))).toBe(true);
    for (let i = 1; i <= 20_000; i += 97) expect(set.add(...pair(i))).toBe(false);
  });

  it('tells apart what differs in either half', () => {
    const set = new SeriesSet();
    expect([set.add(1, 2), set.add(1, 4), set.add(2, 2), set.add(0, 0), set.add(0, 2)]).toEqual([true, true, true, true, true]);
    expect([set.add(1, 2), set.add(1, 4), set.add(2, 2), set.add(0, 0), set.add(0, 2)]).toEqual([false, false, false, false, false]);
  });

  it('forgets', () => {
    const set = new SeriesSet();
    for (let i = 0; i < 10_000; i++) set.add(i, i * 2);
    set.clear();
    for (let i = 0; i < 10_000; i++) expect(set.add(i, i * 2)).toBe(true);
  });

  it('loses nothing while it grows, not even what a chain leaves no place for', () => {
    const set = new SeriesSet();
    const chain = [...Array.from({ length: 64 }, (_, i) => ({ low: 8191 + 8192 * i, high: 2 * i })), { low: 0, high: 0 }];
    for (const { low, high } of chain) expect(set.add(low, high)).toBe(true);
    const grown = [2000, 4200].map((count) => {
      for (let i = 0; i < count; i++) set.add(100 + i, 2);
      return chain.filter(({ low, high }) => set.add(low, high));
    });
    expect(grown).toEqual([[], []]);
  });

  it('does not walk along a chain that somebody made', () => {
    const set = new SeriesSet();
    const taken = Array.from({ length: 1000 }, (_, i) => set.add(0, 2 * i)).filter(Boolean).length;
    expect(taken).toBe(64);
  });
});
