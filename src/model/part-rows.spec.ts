import { beforeEach, describe, expect, it } from 'vitest';
import { FakeSubject } from '../../test/subject.js';
import { metric } from './metric.js';
import { MAX_PARTS, PartRows } from './part-rows.js';
import { Tables } from './tables.js';

let tables: Tables;
let rows: PartRows;
const one = new FakeSubject(null, 'one');
const two = new FakeSubject(null, 'two');
let first: ReturnType<Tables['disks']['column']>;
let second: ReturnType<Tables['disks']['column']>;
beforeEach(() => {
  tables = new Tables();
  first = tables.disks.column(metric({ json: 'first' }));
  second = tables.disks.column(metric({ json: 'second' }));
  rows = new PartRows(tables.disks, [first, second]);
});

type Disk = readonly [name: string, value: number];
/** One sweep. @returns how many were dropped */
function sweep(work: () => number | undefined): number {
  tables.begin();
  const dropped = work();
  tables.publish();
  return dropped ?? 0;
}
const update = (subject: FakeSubject, disks: readonly Disk[]): number =>
  rows.update(
    subject,
    disks,
    ([name]) => name,
    (row, [, value]) => {
      first.back[row] = value;
    },
  );
const clear = (): undefined => {
  rows.clear(one);
};
/** What readers see. */
const seen = (): string[] =>
  tables.disks.order.keys.map(({ parent, name }, i) => `${parent.id}/${name}=${first.front[tables.disks.order.rows[i]]}`);

describe('PartRows', () => {
  it('make a row for each part of each instance, in the order of names', () => {
    sweep(
      () =>
        update(one, [
          ['b', 1],
          ['a', 2],
        ]) + update(two, [['a', 3]]),
    );
    expect(seen()).toEqual(['one/a=2', 'one/b=1', 'two/a=3']);
  });

  it('keep the row of a part for as long as the part stays, and drop it with the part', () => {
    sweep(() =>
      update(one, [
        ['a', 1],
        ['b', 2],
      ]),
    );
    const [row] = tables.disks.order.rows;
    sweep(() =>
      update(one, [
        ['c', 3],
        ['a', 4],
      ]),
    );
    expect(seen()).toEqual(['one/a=4', 'one/c=3']);
    expect(tables.disks.order.rows[0]).toBe(row);
    sweep(() => update(one, []));
    expect([seen(), tables.disks.size]).toEqual([[], 0]);
  });

  it('leave no number of the last answer in a cell that is not filled again', () => {
    sweep(() =>
      rows.update(
        one,
        ['a'],
        (name) => name,
        (row) => {
          second.back[row] = 9;
        },
      ),
    );
    sweep(() => update(one, [['a', 1]]));
    expect(second.front[tables.disks.order.rows[0]]).toBeNaN();
  });

  it('take the first of two that have the same name, and count the other', () => {
    expect(
      sweep(() =>
        update(one, [
          ['a', 1],
          ['a', 2],
          ['b', 3],
          ['a', 4],
        ]),
      ),
    ).toBe(2);
    expect(seen()).toEqual(['one/a=1', 'one/b=3']);
  });

  it('take two for the same whose names differ only beyond what is kept', () => {
    const long = 'x'.repeat(128);
    expect(
      sweep(() =>
        update(one, [
          [`${long}1`, 1],
          [`${long}2`, 2],
        ]),
      ),
    ).toBe(1);
    expect(seen()).toEqual([`one/${long}=1`]);
  });

  it('have a bound for each instance, whatever a stranger says', () => {
    const many = Array.from({ length: MAX_PARTS + 88 }, (_, i): Disk => [`d${i}`, i]);
    expect(sweep(() => update(one, many) + update(two, [['a', 1]]))).toBe(88);
    expect(tables.disks.size).toBe(MAX_PARTS + 1);
  });

  it('show others within the bound when the answer changes', () => {
    const many = (from: number): Disk[] => Array.from({ length: MAX_PARTS }, (_, i): Disk => [`d${from + i}`, i]);
    sweep(() => update(one, many(0)));
    expect(sweep(() => update(one, many(10)))).toBe(0);
    expect(tables.disks.size).toBe(MAX_PARTS);
    expect(seen()).toContain('one/d521=511');
    expect(seen()).not.toContain('one/d9=9');
  });

  it('clear what one instance has, and nothing else', () => {
    sweep(() => update(one, [['a', 1]]) + update(two, [['a', 2]]));
    sweep(clear);
    expect(seen()).toEqual(['two/a=2']);
    sweep(clear);
    sweep(() => update(one, [['b', 5]]));
    expect(seen()).toEqual(['one/b=5', 'two/a=2']);
  });

  it('of a collector that fails half way are cleared with the rest', () => {
    const fail = (): never => {
      throw new Error('a defect');
    };
    tables.begin();
    expect(() => rows.update(one, ['a'], (name) => name, fail)).toThrow('a defect');
    rows.clear(one);
    tables.publish();
    expect(tables.disks.size).toBe(0);
  });
});
