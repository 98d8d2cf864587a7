import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GuestCounters, guestCounters, SIDE_LENGTH, Side } from './direction.js';
import { type Device, InterfaceLedger } from './interface-ledger.js';

const device = (index = Number.NaN, namespace = 'host', name = 'tap0'): Device => ({ name, namespace, index });
const reading = (rxBytes: number, txBytes = rxBytes, rest = 0): GuestCounters => {
  const counters = guestCounters();
  counters.fill(rest);
  counters[Side.rxBytes] = rxBytes;
  counters[Side.txBytes] = txBytes;
  return counters;
};
const begun = (first: GuestCounters, of = device(1)): InterfaceLedger => {
  const ledger = new InterfaceLedger(of);
  ledger.begin(of, first, false);
  ledger.take(first);
  return ledger;
};
const bytes = ({ totals }: InterfaceLedger): number[] => [totals[Side.rxBytes], totals[Side.txBytes]];

describe('InterfaceLedger', () => {
  it('says what the kernel says, as long as it is the first device', () => {
    const ledger = begun(reading(100, 50));
    expect(bytes(ledger)).toEqual([100, 50]);
    ledger.take(reading(130, 50));
    expect([bytes(ledger), ledger.generation]).toEqual([[130, 50], 1]);
  });

  it('adds a new device to the one before it, by its index even where it has more', () => {
    const ledger = begun(reading(100, 50));
    ledger.begin(device(2), reading(7, 500), false);
    ledger.take(reading(7, 500));
    expect([bytes(ledger), ledger.generation]).toEqual([[107, 550], 2]);
    ledger.begin(device(3), reading(900), false);
    ledger.take(reading(900));
    expect([bytes(ledger), ledger.generation]).toEqual([[1007, 1450], 3]);
  });

  it('takes for a new device one whose counters went back, where no index tells', () => {
    const ledger = begun(reading(100), device());
    expect(ledger.isAhead(reading(100, 99))).toBe(true);
    ledger.begin(device(), reading(100, 99), false);
    ledger.take(reading(100, 99));
    expect([bytes(ledger), ledger.generation]).toEqual([[200, 199], 2]);
  });

  it('takes for the same device one that went on, where no index tells or it was moved', () => {
    for (const next of [device(), device(1), device(9, 'pod')]) {
      const ledger = begun(reading(100));
      ledger.begin(next, reading(120), false);
      ledger.take(reading(120));
      expect([bytes(ledger), ledger.generation]).toEqual([[120, 120], 1]);
    }
  });

  it('leaves to others what they counted', () => {
    const ledger = new InterfaceLedger(device(1));
    ledger.begin(device(1), reading(5000), true);
    ledger.take(reading(5000));
    expect([bytes(ledger), ledger.generation]).toEqual([[0, 0], 1]);
    ledger.take(reading(5010));
    // Lent out, and back.
    ledger.begin(device(1), reading(9000), true);
    ledger.take(reading(9003));
    expect([bytes(ledger), ledger.generation]).toEqual([[13, 13], 2]);
  });

  it('gives no number of a counter that was not told, and goes on when it is', () => {
    const ledger = begun(reading(100));
    ledger.take(reading(Number.NaN, 110));
    expect(bytes(ledger)).toEqual([Number.NaN, 110]);
    ledger.take(reading(120));
    expect(bytes(ledger)).toEqual([120, 120]);
    ledger.begin(device(2), reading(Number.NaN, 5), false);
    ledger.take(reading(Number.NaN, 5));
    expect([bytes(ledger), ledger.settled(Side.rxBytes)]).toEqual([[Number.NaN, 125], 120]);
  });

  it('stands still where a driver corrects errors or drops downwards', () => {
    const ledger = begun(reading(100, 100, 40));
    const corrected = reading(100);
    for (const slot of [Side.rxPackets, Side.txPackets]) corrected[slot] = 40;
    expect(ledger.isAhead(corrected)).toBe(false);
    ledger.take(corrected);
    expect(ledger.totals[Side.rxDrops]).toBe(40);
  });

  it('never goes back, whatever devices come', () => {
    const step = fc.record({
      index: fc.integer({ min: 1, max: 3 }),
      wasForeign: fc.boolean(),
      counters: fc.array(fc.oneof(fc.nat(1000), fc.constant(Number.NaN)), { minLength: SIDE_LENGTH, maxLength: SIDE_LENGTH }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
        const ledger = new InterfaceLedger(device(1));
        const most = new Float64Array(SIDE_LENGTH);
        for (const { index, wasForeign, counters } of steps) {
          const now = guestCounters();
          now.set(counters);
          ledger.begin(device(index), now, wasForeign);
          ledger.take(now);
          for (let slot = 0; slot < SIDE_LENGTH; slot++) {
            expect(Number.isNaN(ledger.totals[slot])).toBe(Number.isNaN(counters[slot]));
            expect(ledger.settled(slot)).toBeGreaterThanOrEqual(most[slot]);
            most[slot] = ledger.settled(slot);
          }
        }
      }),
    );
  });
});
