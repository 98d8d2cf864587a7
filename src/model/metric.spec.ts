import { describe, expect, it } from 'vitest';
import { counter, gauge, metric } from './metric.js';

describe('metric', () => {
  const family = counter({ name: 'a_total', help: 'Of a.' });

  it('is a column of whole numbers by id, unless told otherwise', () => {
    expect(metric({ json: 'a', family })).toEqual({ json: 'a', description: 'Of a.', decimals: 0, families: [{ family }] });
    expect(family).toEqual({ name: 'a_total', help: 'Of a.', type: 'counter', identity: 'id' });
  });

  it('may stand in several families and in none', () => {
    const other = gauge({ name: 'b', help: 'Of b.', identity: 'id_and_name' });
    expect(metric({ json: 'a', family, labels: { x: '1' }, also: [{ family: other }] }).families).toEqual([
      { family, labels: { x: '1' } },
      { family: other },
    ]);
    expect(metric({ json: 'a' })).toEqual({ json: 'a', description: '', decimals: 0, families: [] });
  });

  it('has no member that was not given', () => {
    expect(metric({ json: 'a' })).not.toHaveProperty('alias');
    expect(metric({ json: 'a' })).not.toHaveProperty('rate');
    expect(metric({ json: 'a', alias: 'b', rate: 'c', description: 'd', decimals: 2 })).toMatchObject({
      alias: 'b',
      rate: 'c',
      description: 'd',
      decimals: 2,
    });
  });
});
