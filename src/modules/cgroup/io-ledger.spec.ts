import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IoReading } from './io-group.js';
import { IoLedger } from './io-ledger.js';
import { IO_COUNTERS, IO_LIMITS, noNumbers } from './io-stat.js';

const reading = (bytes: Readonly<Record<string, number>>, limits: Readonly<Record<string, number>> = {}): IoReading => ({
  counters: new Map(Object.entries(bytes).map(([number, readBytes]) => [number, { ...noNumbers(IO_COUNTERS), readBytes }])),
  limits: new Map(Object.entries(limits).map(([number, writeBytes]) => [number, { ...noNumbers(IO_LIMITS), writeBytes }])),
});
const byNumber = (number: string): string => number;
const told = (ledger: IoLedger): Record<string, number> =>
  Object.fromEntries([...ledger.devices].map(({ name, totals }) => [name, totals.readBytes]));

describe('a ledger of devices', () => {
  it('starts with what the cgroup had counted by then', () => {
    const ledger = new IoLedger();
    expect(ledger.take('a', reading({ '8:0': 100 }), byNumber)).toBe(true);
    expect(told(ledger)).toEqual({ '8:0': 100 });
  });

  it('keeps the last total of a device that the kernel has forgotten, and goes on from there', () => {
    const ledger = new IoLedger();
    ledger.take('a', reading({ '8:0': 100, '8:16': 7 }), byNumber);
    ledger.take('a', reading({ '8:16': 8 }), byNumber);
    expect(told(ledger)).toEqual({ '8:0': 100, '8:16': 8 });
    ledger.take('a', reading({ '8:0': 30, '8:16': 8 }), byNumber);
    expect(told(ledger)).toEqual({ '8:0': 130, '8:16': 8 });
    ledger.take('a', reading({ '8:16': 8 }), byNumber);
    ledger.take('a', reading({ '8:0': 50, '8:16': 8 }), byNumber);
    expect(told(ledger)).toEqual({ '8:0': 150, '8:16': 8 });
  });

  it('adds of another cgroup only what that counts from there on', () => {
    const ledger = new IoLedger();
    ledger.take('a', reading({ '8:0': 100, '8:16': 5 }), byNumber);
    ledger.take('b', reading({ '8:0': 5000, '8:32': 900 }), byNumber);
    expect(told(ledger)).toEqual({ '8:0': 100, '8:16': 5, '8:32': 0 });
    ledger.take('b', reading({ '8:0': 5001, '8:16': 3, '8:32': 904 }), byNumber);
    expect(told(ledger)).toEqual({ '8:0': 101, '8:16': 8, '8:32': 4 });
  });

  it('adds nothing for a number that went back in sight', () => {
    const ledger = new IoLedger();
    for (const bytes of [100, 40, 45]) ledger.take('a', reading({ '8:0': bytes }), byNumber);
    expect(told(ledger)).toEqual({ '8:0': 105 });
  });

  it('goes on under the name of a device when another one gets it', () => {
    const ledger = new IoLedger();
    const sda = (): string => 'sda';
    ledger.take('a', reading({ '8:0': 100 }), sda);
    ledger.take('a', reading({ '8:64': 20 }), sda);
    expect(told(ledger)).toEqual({ sda: 120 });
    expect([...ledger.devices][0].number).toBe('8:64');
  });

  it('knows limits of a device that nobody used, and forgets limits that are gone', () => {
    const ledger = new IoLedger();
    ledger.take('a', reading({}, { '8:0': 9 }), byNumber);
    expect([...ledger.devices]).toMatchObject([{ totals: { readBytes: Number.NaN }, limits: { writeBytes: 9 } }]);
    ledger.take('a', reading({}), byNumber);
    expect([...ledger.devices]).toMatchObject([{ limits: { writeBytes: Number.NaN } }]);
  });

  it('counts nothing twice where the name of a device is not known for a while', () => {
    const ledger = new IoLedger();
    const named = (): string => 'vda';
    ledger.take('a', reading({ '8:0': 100 }), named);
    ledger.take('a', reading({ '8:0': 101 }), byNumber);
    expect(told(ledger)).toEqual({ vda: 100, '8:0': 1 });
    ledger.take('a', reading({ '8:0': 105 }), named);
    expect(told(ledger)).toEqual({ vda: 104, '8:0': 1 });
    ledger.take('a', reading({ '8:0': 106 }), named);
    expect(told(ledger)).toEqual({ vda: 105, '8:0': 1 });
  });

  it('counts of two devices that have one name at once the one that had it, and the other once that is gone', () => {
    const ledger = new IoLedger();
    const named = (): string => 'nvme0n1';
    ledger.take('a', reading({ '259:1': 100 }), named);
    for (const old of [100, 101, 102]) ledger.take('a', reading({ '259:0': 7, '259:1': old }), named);
    expect(told(ledger)).toEqual({ nvme0n1: 102 });
    for (const young of [9, 11]) ledger.take('a', reading({ '259:0': young }), named);
    expect(told(ledger)).toEqual({ nvme0n1: 113 });
  });

  it('follows two devices whose names are exchanged', () => {
    const ledger = new IoLedger();
    ledger.take('a', reading({ '8:0': 100, '8:16': 10 }), (number) => (number === '8:0' ? 'a' : 'b'));
    ledger.take('a', reading({ '8:0': 101, '8:16': 12 }), (number) => (number === '8:0' ? 'b' : 'a'));
    expect(told(ledger)).toEqual({ a: 102, b: 11 });
  });

  it('has nothing new where the reading is the same object', () => {
    const ledger = new IoLedger();
    const same = reading({ '8:0': 1 });
    expect([1, 2].map(() => ledger.take('a', same, byNumber))).toEqual([true, false]);
    expect(ledger.take('b', same, byNumber)).toBe(true);
  });

  it('remembers no more devices than there may be', () => {
    const ledger = new IoLedger();
    for (let n = 0; n < 2000; n++) ledger.take('a', reading({ [`8:${n}`]: 1 }), byNumber);
    expect([...ledger.devices]).toHaveLength(512);
  });

  it('never goes back, whatever the kernel says', () => {
    const step = fc.record({
      group: fc.constantFrom('a', 'b'),
      bytes: fc.dictionary(fc.constantFrom('8:0', '8:16'), fc.oneof(fc.nat(50), fc.constant(Number.NaN))),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const ledger = new IoLedger();
        let before: Record<string, number> = {};
        for (const { group, bytes } of steps) {
          ledger.take(group, reading(bytes), byNumber);
          const now = told(ledger);
          for (const [name, value] of Object.entries(before)) if (!Number.isNaN(value)) expect(now[name]).toBeGreaterThanOrEqual(value);
          before = now;
        }
      }),
    );
  });
});
