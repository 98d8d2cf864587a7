import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { PortLedger } from './port-ledger.js';

let ledger: PortLedger;
beforeEach(() => {
  ledger = new PortLedger(2, 2);
});

describe('PortLedger', () => {
  it('gives what the port says in its first life', () => {
    expect(ledger.take('a', [5, 7])).toEqual([5, 7]);
    expect(ledger.take('a', [6, 7])).toEqual([6, 7]);
  });

  it('adds a life to those before, told by its identity or by counters that went back', () => {
    ledger.take('a', [5, 7]);
    expect(ledger.take('b', [9, 9])).toEqual([14, 16]);
    expect(ledger.take('b', [1, 2])).toEqual([15, 18]);
  });

  it('adds nothing twice where the counters are of the new life before its identity is', () => {
    ledger.take('a', [5, 7]);
    expect(ledger.take('a', [1, 1])).toEqual([6, 8]);
    expect(ledger.take('b', [2, 2])).toEqual([7, 9]);
    expect(ledger.take('c', [0, 0])).toEqual([7, 9]);
  });

  it('leaves an unknown counter unknown, and knows it again', () => {
    ledger.take('a', [5, 7]);
    expect(ledger.take('a', [Number.NaN, 8])).toEqual([Number.NaN, 8]);
    expect(ledger.take('b', [Number.NaN, 1])).toEqual([Number.NaN, 9]);
    expect(ledger.take('b', [3, 1])).toEqual([8, 9]);
  });

  it('takes no correction of errors for a new life', () => {
    const one = new PortLedger(2, 1);
    one.take('a', [1000, 40]);
    expect(one.take('a', [1010, 39])).toEqual([1010, 40]);
    expect(one.take('a', [1020, 41])).toEqual([1020, 42]);
    expect(one.take('b', [5, 1])).toEqual([1025, 43]);
  });

  it('says the same again of the same', () => {
    ledger.take('a', [5, 7]);
    ledger.take('b', [1, 1]);
    expect(ledger.take('b', [1, 1])).toEqual(ledger.take('b', [1, 1]));
  });

  it('never goes back', () => {
    const reading = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(1000), fc.nat(1000));
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 50 }), (readings) => {
        const one = new PortLedger(2, 2);
        const told = readings.map(([identity, first, second]) => one.take(identity, [first, second]));
        for (const slot of [0, 1]) {
          const values = told.map((numbers) => numbers[slot]);
          expect(values).toEqual(values.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});
