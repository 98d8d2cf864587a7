import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metric } from '../../model/metric.js';
import { type Column, Table } from '../../model/table.js';
import { History, MAX_WINDOW_SECONDS } from './history.js';

function trial(): { counter: Column; history: History; record: (atMs: number, value: number, row?: number) => void; table: Table<string> } {
  const table = new Table<string>((a, b) => (a < b ? -1 : 1));
  const counter = table.column(metric({ json: 'a', decimals: 2, rate: 'a_per_second' }));
  table.column(metric({ json: 'b' }));
  const history = new History(table.columns);
  const record = (atMs: number, value: number, row = 0): void => {
    counter.front[row] = value;
    history.record(atMs);
  };
  return { counter, history, record, table };
}

describe('a counter that not every sweep reads', () => {
  /** Read every 30 s, swept every 5 s: so many a second since 1000. */
  function sweeps(count: number) {
    const table = new Table<string>((a, b) => (a < b ? -1 : 1));
    const counter = table.column(metric({ json: 'a', rate: 'a_per_second' }));
    const at = table.column(metric({ json: 'at' }));
    const history = new History(table.columns, new Map([[counter, at]]));
    for (let sweep = 0; sweep < count; sweep++) {
      const now = 1000 + sweep * 5000;
      if (sweep % 6 === 0) {
        at.front[0] = now - 3;
        counter.front[0] = 7 * (now - 3 - 1000);
      }
      history.record(now);
    }
    return (sinceMs = 0, windowSeconds?: number) => history.rates(0, sinceMs, windowSeconds)?.perSecond.get('a_per_second');
  }

  it('has no rate before its second reading, however many sweeps there were', () => {
    expect([2, 5, 6].map((count) => sweeps(count)())).toEqual([null, null, null]);
    expect(sweeps(5)(0, 60)).toBeNull();
  });

  it('has that of its last two readings, over the time between them', () => {
    for (const count of [7, 8, 12, 13, 40]) expect(sweeps(count)()).toBe(7000);
  });

  it('has that of the readings furthest apart in a window, and none where the window has one', () => {
    expect(sweeps(40)(0, 60)).toBe(7000);
    expect(sweeps(40)(0, 300)).toBe(7000);
    expect(sweeps(41)(0, 10)).toBeNull();
  });

  it('has none with what another process had counted', () => {
    expect(sweeps(8)(31_000)).toBeNull();
    expect(sweeps(14)(30_000)).toBe(7000);
  });
});

describe('History', () => {
  it('has no rate before the second sweep, and then that of the last two', () => {
    const { history, record } = trial();
    expect(history.rates(0, 0)).toBeNull();
    record(1000, 100);
    expect(history.rates(0, 0)).toBeNull();
    record(3000, 500);
    expect(history.rates(0, 0)).toEqual({ windowSeconds: 2, perSecond: new Map([['a_per_second', 2]]) });
    record(4000, 500);
    expect(history.rates(0, 0)?.perSecond.get('a_per_second')).toBe(0);
  });

  it('has no rate for a counter that went back or is unknown at either end', () => {
    for (const [before, after] of [
      [500, 100],
      [Number.NaN, 100],
      [100, Number.NaN],
    ]) {
      const { history, record } = trial();
      record(1000, before);
      record(2000, after);
      expect(history.rates(0, 0)?.perSecond.get('a_per_second')).toBeNull();
    }
  });

  it('looks back over the window, and says how long it really was', () => {
    const { history, record } = trial();
    for (let second = 0; second <= 100; second += 5) record(second * 1000, second * 100);
    expect(history.rates(0, 0, 30)?.windowSeconds).toBe(30);
    expect(history.rates(0, 0, 60)?.windowSeconds).toBe(60);
    expect(history.rates(0, 0, 3)?.windowSeconds).toBe(5);
    expect(history.rates(0, 0, MAX_WINDOW_SECONDS)?.windowSeconds).toBe(100);
    for (const window of [1, 30, 300]) expect(history.rates(0, 0, window)?.perSecond.get('a_per_second')).toBe(1);
  });

  it('keeps the longest window of sweeps that come more often than it keeps', () => {
    const { history, record } = trial();
    for (let half = 0; half <= 2000; half++) record(half * 500, half);
    const seconds = history.rates(0, 0, MAX_WINDOW_SECONDS)?.windowSeconds ?? expect.fail();
    expect(seconds).toBeGreaterThan(MAX_WINDOW_SECONDS - 10);
    expect(seconds).toBeLessThanOrEqual(MAX_WINDOW_SECONDS + 5);
    expect(history.rates(0, 0)?.windowSeconds).toBe(0.5);
  });

  it('does not look back beyond where the counters started', () => {
    const { history, record } = trial();
    for (const second of [0, 5, 10, 15, 20]) record(second * 1000, second * 100);
    expect(history.rates(0, 10_000, 60)?.windowSeconds).toBe(10);
    expect(history.rates(0, 20_000, 60)).toBeNull();
    expect(history.rates(0, 20_000)).toBeNull();
    expect(history.rates(0, 15_000)?.windowSeconds).toBe(5);
  });

  it('knows nothing of a row that was not there in the older sweep', () => {
    const { history, record, table, counter } = trial();
    record(1000, 1);
    table.begin();
    for (let i = 0; i < 100; i++) table.add(`k${i}`);
    table.publish();
    counter.front[90] = 7;
    history.record(2000);
    expect(history.rates(90, 0)?.perSecond.get('a_per_second')).toBeNull();
  });

  it('never gives a negative or endless rate', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(10_000), fc.oneof(fc.nat(), fc.constant(Number.NaN))), { minLength: 2 }),
        fc.integer({ min: 1, max: 310 }),
        (sweeps, window) => {
          const { history, record } = trial();
          let at = 0;
          for (const [pause, value] of sweeps) {
            at += pause;
            record(at, value);
          }
          for (const rates of [history.rates(0, 0), history.rates(0, 0, window)]) {
            const rate = rates?.perSecond.get('a_per_second') ?? null;
            if (rate !== null) expect(rate >= 0 && Number.isFinite(rate)).toBe(true);
          }
        },
      ),
    );
  });
});
