import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ThreadClock, VcpuLedger } from './vcpu-ledger.js';

const clock = (run: number, wait = 0, timeslices = 0): ThreadClock => ({ run, wait, timeslices });

describe('the sum of a vCPU', () => {
  it('is what its thread has counted', () => {
    const ledger = new VcpuLedger();
    expect(ledger.add(0, '11@5', clock(100, 20, 3))).toEqual(clock(100, 20, 3));
    expect(ledger.add(0, '11@5', clock(150, 20, 4))).toEqual(clock(150, 20, 4));
  });

  it('goes on with the next thread', () => {
    const ledger = new VcpuLedger();
    ledger.add(1, '11@5', clock(100, 20, 3));
    expect(ledger.add(1, '12@9', clock(7, 1, 1))).toEqual(clock(107, 21, 4));
    expect(ledger.add(1, '12@9', clock(8, 1, 1))).toEqual(clock(108, 21, 4));
  });

  it('goes on with a thread that has the id of the last one', () => {
    const ledger = new VcpuLedger();
    ledger.add(1, '11@5', clock(100));
    expect(ledger.add(1, '11@900', clock(300))).toEqual(clock(400));
  });

  it('does not have what another vCPU’s already has of the same thread', () => {
    const ledger = new VcpuLedger();
    ledger.add(0, '11@5', clock(100));
    expect(ledger.add(7, '11@5', clock(130))).toEqual(clock(30));
    expect(ledger.add(0, '11@5', clock(130))).toEqual(clock(100));
  });

  it('does not go back with a clock in ticks that does', () => {
    const ledger = new VcpuLedger();
    ledger.add(0, '11@5', clock(100));
    expect(ledger.add(0, '11@5', clock(90))).toEqual(clock(100));
    expect(ledger.add(0, '11@5', clock(100))).toEqual(clock(100));
  });

  it('stays unknown where a clock is', () => {
    const ledger = new VcpuLedger();
    for (const run of [10, 30]) expect(ledger.add(0, '11@5', clock(run, Number.NaN))).toEqual(clock(run, Number.NaN));
  });

  it('is refused to more vCPUs than any VM has', () => {
    const ledger = new VcpuLedger();
    for (let vcpu = 0; vcpu < 4096; vcpu++) expect(ledger.add(vcpu, `${vcpu}@1`, clock(1))).not.toBeNull();
    expect(ledger.add(4096, '5000@1', clock(1))).toBeNull();
    expect(ledger.add(3, '5000@1', clock(1))).toEqual(clock(2));
  });

  it('never goes back, and all together are never more than the threads used, whatever is said of them', () => {
    const turn = fc.array(fc.tuple(fc.nat(3), fc.nat(5), fc.nat(100)), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 12 }), (turns) => {
        const ledger = new VcpuLedger();
        const used = new Map<number, number>();
        const sums = new Map<number, number>();
        for (const [vcpu, thread, grown] of turns.flat()) {
          used.set(thread, (used.get(thread) ?? 1) + grown);
          const sum = ledger.add(vcpu, `${thread}@1`, clock(used.get(thread) ?? Number.NaN))?.run ?? Number.NaN;
          expect(sum).toBeGreaterThanOrEqual(sums.get(vcpu) ?? Number.NEGATIVE_INFINITY);
          sums.set(vcpu, sum);
        }
        const total = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
        expect(total(sums.values())).toBeLessThanOrEqual(total(used.values()));
      }),
    );
  });
});
