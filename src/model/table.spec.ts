import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { metric } from './metric.js';
import { type Column, Table } from './table.js';

let table: Table<string>;
let column: Column;
beforeEach(() => {
  table = new Table<string>((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  column = table.column(metric({ json: 'a' }));
});

/** What a reader sees: keys and values in order. */
const seen = (): [string, number][] => [...table.order.rows].map((row, i) => [table.order.keys[i], column.front[row]]);

function sweep(work: () => void): void {
  table.begin();
  work();
  table.publish();
}

describe('Table', () => {
  it('shows a row only after a publish', () => {
    table.begin();
    column.back[table.add('a')] = 1;
    expect(seen()).toEqual([]);
    table.publish();
    expect(seen()).toEqual([['a', 1]]);
  });

  it('shows a removed row until the publish, and does not use it again before', () => {
    let row = -1;
    sweep(() => {
      row = table.add('a');
      column.back[row] = 1;
    });
    table.begin();
    table.remove(row);
    expect(table.add('b')).not.toBe(row);
    expect(seen()).toEqual([['a', 1]]);
    table.publish();
    expect(seen()).toEqual([['b', Number.NaN]]);
    sweep(() => expect(table.add('c')).toBe(row));
  });

  it('gives a used row back empty', () => {
    let row = -1;
    sweep(() => {
      row = table.add('a');
      column.back[row] = 1;
    });
    sweep(() => table.remove(row));
    sweep(() => expect(table.add('b')).toBe(row));
    expect(seen()).toEqual([['b', Number.NaN]]);
  });

  it('removes a row once', () => {
    let row = -1;
    sweep(() => {
      row = table.add('a');
    });
    sweep(() => {
      table.remove(row);
      table.remove(row);
    });
    sweep(() => expect(new Set([table.add('b'), table.add('c')]).size).toBe(2));
    expect(table.size).toBe(2);
  });

  it('keeps what a reader holds unchanged until the sweep after the next publish begins', () => {
    sweep(() => {
      for (const key of ['a', 'b']) column.back[table.add(key)] = 1;
    });
    const page = { front: column.front, order: table.order };
    sweep(() => {
      for (const row of page.order.rows) column.back[row] = 2;
      table.remove(page.order.rows[0]);
      table.add('c');
    });
    expect([...page.order.rows].map((row) => page.front[row])).toEqual([1, 1]);
    expect(page.order.keys).toEqual(['a', 'b']);
    expect(seen()).toEqual([
      ['b', 2],
      ['c', Number.NaN],
    ]);
  });

  it('carries over what nobody rewrites', () => {
    sweep(() => {
      column.back[table.add('a')] = 7;
    });
    for (let i = 0; i < 3; i++) sweep(() => undefined);
    expect(seen()).toEqual([['a', 7]]);
  });

  it('replaces the order only when a row came or went', () => {
    sweep(() => void table.add('a'));
    const { order } = table;
    sweep(() => undefined);
    expect(table.order).toBe(order);
    sweep(() => void table.add('b'));
    expect(table.order).not.toBe(order);
  });

  it('grows with its rows and loses none', () => {
    const keys = Array.from({ length: 1000 }, (_, i) => `k${String(i).padStart(4, '0')}`);
    sweep(() => {
      for (const [i, key] of [...keys].reverse().entries()) {
        const row = table.add(key);
        column.back[row] = keys.length - 1 - i;
      }
    });
    expect(seen()).toEqual(keys.map((key, i) => [key, i]));
    const late = table.column(metric({ json: 'late' }));
    expect(late.front.length).toBeGreaterThanOrEqual(1000);
  });

  it('finds rows of the back generation by key', () => {
    table.begin();
    const [a, b] = [table.add('a'), table.add('b')];
    expect(table.rowsOf((key) => key === 'b')).toEqual([b]);
    table.remove(a);
    expect(table.key(a)).toBeUndefined();
    expect(table.key(b)).toBe('b');
  });

  it('names columns as the collector does', () => {
    const metrics = { one: metric({ json: 'one' }), two: metric({ json: 'two' }) };
    const { one, two } = table.columnsOf(metrics);
    expect([one.metric, two.metric]).toEqual([metrics.one, metrics.two]);
    expect(table.columns).toEqual([column, one, two]);
  });

  it('does what a plain map with a copy for the readers does', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), key: fc.stringMatching(/^[a-z]{1,3}$/), value: fc.nat() }),
      fc.record({ do: fc.constant('remove' as const), pick: fc.nat() }),
      fc.record({ do: fc.constant('write' as const), pick: fc.nat(), value: fc.nat() }),
      fc.record({ do: fc.constant('sweep' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        table = new Table<string>((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        column = table.column(metric({ json: 'a' }));
        const rows = new Map<string, number>();
        const back = new Map<string, number>();
        let front: [string, number][] = [];
        const pick = (n: number): string | undefined => [...rows.keys()][n % Math.max(1, rows.size)];
        table.begin();
        for (const action of steps) {
          if (action.do === 'add' && !rows.has(action.key)) {
            const row = table.add(action.key);
            expect([...rows.values()]).not.toContain(row);
            rows.set(action.key, row);
            back.set(action.key, Number.NaN);
          } else if (action.do === 'remove' || action.do === 'write') {
            const key = pick(action.pick);
            const row = rows.get(key ?? '');
            if (key === undefined || row === undefined) continue;
            if (action.do === 'write') {
              column.back[row] = action.value;
              back.set(key, action.value);
            } else {
              table.remove(row);
              rows.delete(key);
              back.delete(key);
            }
          } else if (action.do === 'sweep') {
            table.publish();
            front = [...back].sort(([a], [b]) => (a < b ? -1 : 1));
            table.begin();
          }
          expect(seen()).toEqual(front);
        }
      }),
    );
  });

  it('has only empty cells in a column that is asleep, and its own ones once it is woken, however much it has grown', () => {
    const other = table.column(metric({ json: 'b' }));
    table.sleep([column, other]);
    sweep(() => {
      for (let i = 0; i < 100; i++) table.add(`row-${i}`);
    });
    expect([column.front.length, new Set([...column.front, ...other.back])]).toEqual([128, new Set([Number.NaN])]);
    sweep(() => {
      table.wake([column]);
      column.back[99] = 7;
    });
    sweep(() => undefined);
    expect([column.front[99], column.back[99], other.front[99], column.isAsleep, other.isAsleep]).toEqual([7, 7, Number.NaN, false, true]);
    sweep(() => table.wake([column]));
    expect(column.front[99]).toBe(7);
  });
});
