import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyMeasure } from './measure.js';
import { MeasureLedger } from './measure-ledger.js';
import { BOUND_COUNT } from './words.js';

const anyBuckets = fc
  .array(fc.oneof(fc.nat(1000), fc.constant(0)), { minLength: BOUND_COUNT + 1, maxLength: BOUND_COUNT + 1 })
  .map((counts) => Float64Array.from(counts));

describe('a sum', () => {
  it('never goes back, whatever a source says, and its count is that of its buckets', () => {
    const step = fc.record({
      buckets: anyBuckets,
      sum: fc.nat(1_000_000),
      bytes: fc.nat(1_000_000),
      anew: fc.boolean(),
      second: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const sum = emptyMeasure();
        const ledgers = [new MeasureLedger(sum), new MeasureLedger(sum)];
        let before = { buckets: new Float64Array(BOUND_COUNT + 1), sumNanoseconds: 0, bytes: 0 };
        for (const { buckets, sum: nanoseconds, bytes, anew, second } of steps) {
          const ledger = ledgers[Number(second)];
          if (anew) ledger.beginAnew();
          ledger.buckets('rtt', buckets);
          ledger.sumNanoseconds('rtt', nanoseconds);
          ledger.amount('send_bytes', bytes);
          const rtt = sum.timings.get('rtt');
          const now = {
            buckets: Float64Array.from(rtt?.buckets ?? before.buckets),
            sumNanoseconds: rtt?.sumNanoseconds ?? 0,
            bytes: sum.amounts.get('send_bytes') ?? 0,
          };
          expect(now.buckets.every((count, bound) => count >= before.buckets[bound])).toBe(true);
          expect(now.sumNanoseconds).toBeGreaterThanOrEqual(before.sumNanoseconds);
          expect(now.bytes).toBeGreaterThanOrEqual(before.bytes);
          expect(rtt?.count ?? 0).toBe(now.buckets.reduce((total, count) => total + count, 0));
          before = now;
        }
      }),
    );
  });

  it('of several is what each counted, once', () => {
    const sum = emptyMeasure();
    const [one, other] = [new MeasureLedger(sum), new MeasureLedger(sum)];
    expect([one.amount('read_bytes', 5), other.amount('read_bytes', 7), one.amount('read_bytes', 5)]).toEqual([true, true, false]);
    one.beginAnew();
    expect(one.amount('read_bytes', 2)).toBe(true);
    expect(sum.amounts.get('read_bytes')).toBe(14);
  });

  it('has the latest of whoever has something new to say', () => {
    const sum = emptyMeasure();
    const [one, other] = [new MeasureLedger(sum), new MeasureLedger(sum)];
    one.lastNanoseconds('dns', 10);
    other.lastNanoseconds('dns', 20);
    expect([one.lastNanoseconds('dns', 10), one.lastNanoseconds('dns', Number.NaN)]).toEqual([false, false]);
    expect(sum.timings.get('dns')?.lastNanoseconds).toBe(20);
    expect(one.lastNanoseconds('dns', 11)).toBe(true);
    expect(sum.timings.get('dns')?.lastNanoseconds).toBe(11);
  });

  it('knows 0 from nothing, and takes no number that is none', () => {
    const sum = emptyMeasure();
    const ledger = new MeasureLedger(sum);
    expect(ledger.amount('retransmits', Number.NaN)).toBe(false);
    expect(sum.amounts.has('retransmits')).toBe(false);
    expect(ledger.amount('retransmits', 0)).toBe(true);
    expect(sum.amounts.get('retransmits')).toBe(0);
    ledger.buckets('dns', new Float64Array(BOUND_COUNT + 1));
    expect(sum.timings.has('dns')).toBe(false);
  });
});
