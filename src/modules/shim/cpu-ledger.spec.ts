import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { CpuLedger, type Entry, PARTS, Part } from './cpu-ledger.js';

let ledger: CpuLedger;
beforeEach(() => {
  ledger = new CpuLedger();
});

const update = (entries: readonly (readonly [Part, string, number])[]): void =>
  ledger.update(entries.map(([part, key, ticks]): Entry => [part, { key, name: '', ticks, guestTicks: 0 }]));
const grown = (): number[] => [...ledger.grown];
const totals = (): number[] => [...ledger.totals];
const { shim, vmm, virtiofsd, vcpu } = Part;

describe('CpuLedger', () => {
  it('sums by part and says what the last update added', () => {
    update([
      [shim, 's', 10],
      [vmm, 'a', 1],
      [vmm, 'b', 2],
      [virtiofsd, 'f', 5],
      [vcpu, 'c', 100],
    ]);
    expect([grown(), totals()]).toEqual([
      [10, 3, 5, 100],
      [10, 3, 5, 100],
    ]);
    update([
      [shim, 's', 12],
      [vmm, 'a', 1],
      [vmm, 'b', 6],
      [virtiofsd, 'f', 5],
      [vcpu, 'c', 200],
    ]);
    expect([grown(), totals()]).toEqual([
      [2, 4, 0, 100],
      [12, 7, 5, 200],
    ]);
  });

  it('keeps what a thread had counted when it ends: a vCPU that is unplugged is no spike of anything', () => {
    update([
      [vmm, 'a', 1],
      [vcpu, 'c', 100],
      [vcpu, 'd', 50],
    ]);
    update([
      [vmm, 'a', 2],
      [vcpu, 'c', 110],
    ]);
    expect([grown(), totals()]).toEqual([
      [0, 1, 0, 10],
      [0, 2, 0, 160],
    ]);
  });

  it('counts a thread on that one reading missed, and once what one names twice', () => {
    update([
      [vmm, 'a', 1],
      [vcpu, 'c', 100],
    ]);
    update([[vmm, 'a', 2]]);
    update([
      [vmm, 'a', 3],
      [vcpu, 'c', 130],
      [vcpu, 'c', 130],
    ]);
    expect([grown(), totals()]).toEqual([
      [0, 1, 0, 30],
      [0, 3, 0, 130],
    ]);
  });

  it('counts a thread that came from its start: a vCPU that is plugged in is no spike of the VMM', () => {
    update([
      [vmm, 'a', 1],
      [vcpu, 'c', 100],
    ]);
    update([
      [vmm, 'a', 2],
      [vcpu, 'c', 100],
      [vcpu, 'e', 30],
    ]);
    expect(grown()).toEqual([0, 1, 0, 30]);
  });

  it('moves a thread that turns out to be a vCPU without counting anything twice', () => {
    update([
      [vmm, 'a', 1],
      [vmm, 'x', 40],
    ]);
    update([
      [vmm, 'a', 1],
      [vcpu, 'x', 45],
    ]);
    expect([grown(), totals()]).toEqual([
      [0, 0, 0, 5],
      [0, 41, 0, 5],
    ]);
  });

  it('does not go back with a sum that the kernel scaled down, and does not count the way up again', () => {
    update([[vmm, 'a', 10]]);
    update([[vmm, 'a', 9]]);
    expect([grown()[vmm], totals()[vmm]]).toEqual([0, 10]);
    update([[vmm, 'a', 11]]);
    expect([grown()[vmm], totals()[vmm]]).toEqual([1, 11]);
  });

  it('never goes back and always adds up, whatever threads do', () => {
    const entry = fc.tuple(fc.constantFrom(shim, vmm, virtiofsd, vcpu), fc.constantFrom('a', 'b', 'c'), fc.nat(1000));
    const reading = fc.uniqueArray(entry, { selector: ([, key]) => key });
    fc.assert(
      fc.property(fc.array(reading), (readings) => {
        ledger = new CpuLedger();
        for (const entries of readings) {
          const before = totals();
          update(entries);
          for (let part = 0; part < PARTS; part++) {
            expect(ledger.grown[part]).toBeGreaterThanOrEqual(0);
            expect(ledger.totals[part]).toBe(before[part] + ledger.grown[part]);
          }
        }
      }),
    );
  });
});
