import { describe, expect, it } from 'vitest';
import { FLOAT, metric } from '../../model/metric.js';
import { Column } from '../../model/table.js';
import { type ColumnLines, KIB, Page, PagePool } from './page.js';

function column(decimals: number, values: readonly number[], prefix = 'a{'): ColumnLines {
  const made = new Column(metric({ json: 'a', decimals }), values.length);
  made.front.set(values);
  return { column: made, prefix: Buffer.from(prefix), decimals };
}

const LABELS = ['id="0"} ', 'id="1"} ', 'id="2"} '].map((text) => Buffer.from(text));
const HEAD = Buffer.from('# head\n');

function samples(
  columns: readonly ColumnLines[],
  rows: readonly number[] = [0, 1, 2],
  labels: readonly (Buffer | undefined)[] = LABELS,
): string {
  const page = new Page(Buffer.alloc(1));
  page.samples(HEAD, columns, Int32Array.from(rows), labels);
  return page.bytes().toString();
}

describe('Page', () => {
  it('writes rows in the order given, and passes over empty cells', () => {
    expect(samples([column(2, [100, Number.NaN, 2994])], [2, 1, 0])).toBe('# head\na{id="2"} 29.94\na{id="0"} 1\n');
  });

  it('writes no head without a sample', () => {
    expect(samples([column(0, [Number.NaN, Number.NaN, Number.NaN])])).toBe('');
    expect(samples([])).toBe('');
  });

  it('leaves out a row that has no labels yet', () => {
    expect(samples([column(0, [1, 2, 3])], [0, 1], [LABELS[0], undefined])).toBe('# head\na{id="0"} 1\n');
  });

  it('writes doubles, negative and infinite values as they are', () => {
    expect(samples([column(FLOAT, [0.25, Number.POSITIVE_INFINITY, 1e300])])).toBe(
      '# head\na{id="0"} 0.25\na{id="1"} +Inf\na{id="2"} 1e+300\n',
    );
    expect(samples([column(2, [-150, -1, 0])])).toBe('# head\na{id="0"} -1.5\na{id="1"} -0.01\na{id="2"} 0\n');
    expect(samples([column(0, [1e300, Number.POSITIVE_INFINITY, 2 ** 53])])).toBe(
      '# head\na{id="0"} 1e+300\na{id="1"} +Inf\na{id="2"} 9007199254740992\n',
    );
  });

  it('writes bytes as KiB, whole or not', () => {
    expect(samples([column(KIB, [4096, 1536, 2 ** 40])])).toBe('# head\na{id="0"} 4\na{id="1"} 1.5\na{id="2"} 1073741824\n');
  });

  it('writes with the decimals of the family, whatever those of the column are', () => {
    const ticks = { ...column(2, [2994, 7, Number.NaN]), decimals: 0 };
    expect(samples([ticks])).toBe('# head\na{id="0"} 2994\na{id="1"} 7\n');
  });

  it('grows as much as a page needs', () => {
    const rows = Array.from({ length: 5000 }, (_, row) => row);
    const text = samples(
      [column(0, rows)],
      rows,
      rows.map((row) => Buffer.from(`id="${row}"} `)),
    );
    expect(text).toBe(`# head\n${rows.map((row) => `a{id="${row}"} ${row}\n`).join('')}`);
  });

  it('writes kept words with or without decimals', () => {
    const page = new Page(Buffer.alloc(1));
    page.cell(Buffer.from('a '), 2994, 2);
    page.keptLine(Buffer.from('a{'), Buffer.from('b="c"} '), 0.5);
    expect(page.bytes().toString()).toBe('a 29.94\na{b="c"} 0.5\n');
  });

  it('writes lines of words that are not ASCII', () => {
    const page = new Page(Buffer.alloc(1));
    page.line('a', 'x="é💥"', 1.5);
    page.line('b_count', '', 2);
    expect(page.bytes().toString()).toBe('a{x="é💥"} 1.5\nb_count 2\n');
    expect(page.length).toBe(page.bytes().length);
  });
});

describe('PagePool', () => {
  it('gives a page back for the next, and never one that is out', () => {
    const pool = new PagePool();
    const [first, second] = [pool.take(), pool.take()];
    expect(second === first).toBe(false);
    pool.give(first, 60_000);
    expect(pool.take() === first).toBe(true);
    expect(pool.take() === first).toBe(false);
  });

  it('does not keep a page that is far larger than what is needed', () => {
    const pool = new PagePool();
    const large = Buffer.alloc(10_000_000);
    pool.give(large, 100);
    expect(pool.take() === large).toBe(false);
  });

  it('gives a page that is as large as the last one was', () => {
    const pool = new PagePool();
    const small = pool.take();
    pool.give(small, 60_000);
    pool.give(Buffer.alloc(20_000_000), 4_000_000);
    for (let page = 0; page < 3; page++) expect(pool.take().length).toBeGreaterThanOrEqual(4_000_000);
  });
});

describe('a family of words', () => {
  const WORDS = [Buffer.from('a{s="on",'), Buffer.from('a{s="off",')];
  const words = (front: number[], labels: readonly (Buffer | undefined)[] = LABELS): string => {
    const page = new Page(Buffer.alloc(0));
    page.words(HEAD, column(0, front).column, WORDS, Int32Array.from(front.keys()), labels);
    return page.bytes().toString();
  };

  it('has one sample a row, for the word that the cell stands for', () => {
    expect(words([1, Number.NaN, 0])).toBe('# head\na{s="off",id="0"} 1\na{s="on",id="2"} 1\n');
  });

  it('has none for what is no word, and no head without a sample', () => {
    expect(words([2, -1, 0.5])).toBe('');
    expect(words([0], [undefined])).toBe('');
    expect(words([])).toBe('');
  });
});
