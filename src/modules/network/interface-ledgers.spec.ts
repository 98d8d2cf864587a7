import { beforeEach, describe, expect, it } from 'vitest';
import { guestCounters, Side } from './direction.js';
import type { Device, InterfaceLedger } from './interface-ledger.js';
import { InterfaceLedgers } from './interface-ledgers.js';

const device = (name: string, index = Number.NaN, namespace: string | null = 'host'): Device => ({ name, namespace, index });

let ledgers: InterfaceLedgers;
beforeEach(() => {
  ledgers = new InterfaceLedgers();
});

/** What the kernel says of each, in the order given. @returns the totals */
function count(devices: readonly Device[], ...bytes: readonly number[]): number[] {
  const assigned = ledgers.assign(devices);
  return assigned.map((ledger, i) => {
    const reading = guestCounters().fill(0) as ReturnType<typeof guestCounters>;
    reading[Side.rxBytes] = bytes[i];
    ledger.begin(devices[i], reading, false);
    ledger.take(reading);
    return ledger.totals[Side.rxBytes];
  });
}
const names = (assigned: readonly InterfaceLedger[]): string[] => assigned.map(({ device: { name } }) => name);

describe('InterfaceLedgers', () => {
  it('is empty until something was counted', () => {
    for (const devices of [[], [device('tap0')], []]) {
      ledgers.assign(devices);
      expect(ledgers.isEmpty).toBe(true);
    }
    count([device('tap0')], 0);
    ledgers.assign([]);
    expect(ledgers.isEmpty).toBe(false);
  });

  it('keeps what an interface came to that left, and goes on with it when it is back', () => {
    count([device('tap0', 1), device('tap1', 2)], 100, 10);
    expect(count([device('tap0', 1)], 120)).toEqual([120]);
    expect([ledgers.leftRxBytes, ledgers.leftTxBytes]).toEqual([10, 0]);
    expect(count([device('tap0', 1), device('tap1', 7)], 120, 1)).toEqual([120, 11]);
    expect(ledgers.leftRxBytes).toBe(0);
    ledgers.assign([]);
    expect(ledgers.leftRxBytes).toBe(131);
  });

  it('follows a device to its new name, also when another takes the old one', () => {
    count([device('tap0', 1)], 100);
    expect(count([device('tap1', 1)], 130)).toEqual([130]);
    expect(count([device('tap1', 5), device('tap9', 1)], 4, 140)).toEqual([4, 140]);
    expect(ledgers.leftRxBytes).toBe(0);
  });

  it('takes no device without an index for another one, and none of another namespace', () => {
    count([device('tap0')], 100);
    expect(count([device('tap1')], 30)).toEqual([30]);
    expect(ledgers.leftRxBytes).toBe(100);
    count([device('tap2', 3)], 5);
    expect(count([device('tap3', 3, 'pod')], 6)).toEqual([6]);
    expect(ledgers.leftRxBytes).toBe(135);
  });

  it('gives two interfaces of one name a ledger each', () => {
    const [one, other] = ledgers.assign([device('tap0', 1), device('tap0', 1)]);
    expect(one).not.toBe(other);
    expect(names(ledgers.assign([device('tap0', 1)]))).toEqual(['tap0']);
  });

  it('forgets one by one what a VM had that changes its interfaces all the time, but not what they came to', () => {
    for (let i = 0; i < 1000; i++) count([device(`tap${i}`, i)], 1);
    ledgers.assign([]);
    expect(ledgers.leftRxBytes).toBe(1000);
    expect(count([device('tap999', 5000)], 1)).toEqual([2]);
    expect(count([device('tap0', 5001)], 1)).toEqual([1]);
  });
});
