import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLOAT, metric } from '../../model/metric.js';
import { Column } from '../../model/table.js';
import { CellTemplate, cell, groupTemplates, memberTemplate } from './document.js';

function column(json: string, value: number, { decimals = 0, alias }: { decimals?: number; alias?: string } = {}): Column {
  const made = new Column(metric({ json, decimals, ...(alias === undefined ? {} : { alias }) }), 1);
  made.front[0] = value;
  made.back[0] = value + 1;
  return made;
}

describe('cell', () => {
  it.each([
    [2994, 2, '29.94'],
    [0, 2, '0'],
    [2 ** 53, 0, '9007199254740992'],
    [1_500_000, 6, '1.5'],
    [0.25, FLOAT, '0.25'],
    [-5, 0, '-5'],
  ])('prints %d with %d decimals', (value, decimals, text) => {
    expect(cell(column('a', value, { decimals }), 0, 'front')).toBe(text);
  });

  it('prints null for what is not there', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(cell(column('a', value), 0, 'front')).toBe('null');
    for (const row of [-1, 1, 1e9]) expect(cell(column('a', 1), row, 'front')).toBe('null');
  });

  it('reads the generation asked for', () => {
    expect(cell(column('a', 1), 0, 'back')).toBe('2');
  });

  it('is JSON for any double', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.nat(9),
        (value, decimals) => JSON.parse(cell(column('a', value, { decimals }), 0, 'front')) === Number(String(value / 10 ** decimals)),
      ),
    );
  });
});

describe('groupTemplates', () => {
  const parse = (template: CellTemplate | undefined): unknown => JSON.parse(`{${template?.render(0, 'front')}}`);

  it('makes groups of dotted places and of aliases, and leaves the top level alone', () => {
    const groups = groupTemplates([
      column('cpu_seconds', 1),
      column('cpu.user_seconds', 2),
      column('process.io.read_bytes', 3),
      column('process.threads', 4),
      column('process.io.write_bytes', Number.NaN),
      column('memory_rss_bytes', 5, { alias: 'memory.rss_bytes' }),
    ]);
    expect([...groups.keys()]).toEqual(['cpu', 'process', 'memory']);
    expect(parse(groups.get('cpu'))).toEqual({ user_seconds: 2 });
    expect(parse(groups.get('process'))).toEqual({ io: { read_bytes: 3, write_bytes: null }, threads: 4 });
    expect(parse(groups.get('memory'))).toEqual({ rss_bytes: 5 });
  });

  it('makes null of a group of which nothing is known, where that is asked for', () => {
    const guest = column('memory.guest.total_bytes', Number.NaN);
    const columns = [
      column('memory.rss_bytes', 1),
      guest,
      column('memory.guest.deep.er', Number.NaN),
      column('memory.plain.a', Number.NaN),
    ];
    const memory = groupTemplates(columns, new Set(['memory.guest', 'memory.guest.deep'])).get('memory');
    expect(parse(memory)).toEqual({ rss_bytes: 1, guest: null, plain: { a: null } });
    guest.front[0] = 0;
    expect(parse(memory)).toEqual({ rss_bytes: 1, guest: { total_bytes: 0, deep: null }, plain: { a: null } });
  });

  it('refuses a value that would be a group as well', () => {
    expect(() => groupTemplates([column('a.b', 1), column('a.b.c', 2)])).toThrow('a value and a group');
  });
});

describe('CellTemplate', () => {
  it('renders text and cells in turn', () => {
    const template = new CellTemplate();
    template.text('a=');
    template.cell(column('a', 1));
    template.cell(column('b', 2));
    template.text(';');
    template.text('end');
    expect(template.render(0, 'front')).toBe('a=12;end');
    expect(new CellTemplate().render(0, 'front')).toBe('');
  });
});

describe('memberTemplate', () => {
  it('has the members of one place, not those of the groups in it or beside it', () => {
    const columns = [
      column('exits.io', 1),
      column('exits.kvm.total', 2),
      column('exits_of.io', 3),
      column('exits', 4),
      column('a.exits.io', 5),
    ];
    expect(JSON.parse(memberTemplate(columns, 'exits').orNull(0, 'front'))).toEqual({ io: 1 });
    expect(JSON.parse(memberTemplate(columns, 'exits.kvm').orNull(0, 'front'))).toEqual({ total: 2 });
  });

  it('is null where nothing is filled, and where there are no members', () => {
    expect(memberTemplate([column('exits.io', Number.NaN)], 'exits').orNull(0, 'front')).toBe('null');
    expect(memberTemplate([column('exits.io', 1)], 'exits').orNull(-1, 'front')).toBe('null');
    expect(memberTemplate([], 'exits').orNull(0, 'front')).toBe('null');
  });
});

describe('a cell that stands for a word', () => {
  const states = new Column(metric({ json: 'state', words: { label: 'state', list: ['running', 'n"ice'] } }), 1);

  it.each([
    [0, '"running"'],
    [1, '"n\\"ice"'],
    [2, 'null'],
    [-1, 'null'],
    [0.5, 'null'],
    [Number.NaN, 'null'],
  ])('%d is %s', (value, text) => {
    states.front[0] = value;
    expect(cell(states, 0, 'front')).toBe(text);
  });
});
