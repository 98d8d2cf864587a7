import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Rate, RateLimit } from './rate-limit.js';

const TEN_AND_TWENTY: Rate = { rateLimit: 10, rateBurst: 20 };
let now: number;
beforeEach(() => {
  now = 5000;
});
const limitOf = (rate: Rate = TEN_AND_TWENTY, clients?: number): RateLimit => new RateLimit(rate, () => now, clients);
const given = (limit: RateLimit, times: number, client = 'a'): number =>
  Array.from({ length: times }, () => limit.take(client)).filter((seconds) => seconds === 0).length;

describe('a token bucket for each client', () => {
  it('gives the burst at once, and then what the rate brings', () => {
    const limit = limitOf();
    expect(given(limit, 200)).toBe(20);
    now += 99;
    expect(given(limit, 5)).toBe(0);
    now += 1;
    expect(given(limit, 5)).toBe(1);
    now += 1000;
    expect(given(limit, 50)).toBe(10);
    now += 3_600_000;
    expect(given(limit, 50)).toBe(20);
  });

  it('keeps clients apart', () => {
    const limit = limitOf();
    expect(given(limit, 100, 'a')).toBe(20);
    expect(given(limit, 100, 'b')).toBe(20);
  });

  it.each([
    [{ rateLimit: 10, rateBurst: 1 }, 1],
    [{ rateLimit: 1, rateBurst: 1 }, 1],
    [{ rateLimit: 1_000_000, rateBurst: 1 }, 1],
    [{ rateLimit: 0.1, rateBurst: 1 }, 10],
    [{ rateLimit: 0.3, rateBurst: 1 }, 4],
  ])('says with %j in how many seconds there is one again, rounded up: %d', (rate, seconds) => {
    const limit = limitOf(rate);
    expect(limit.take('a')).toBe(0);
    expect(limit.take('a')).toBe(seconds);
    now += seconds * 1000;
    expect(limit.take('a')).toBe(0);
  });

  it('lets all through where the rate is 0, and remembers nobody', () => {
    const limit = limitOf({ rateLimit: 0, rateBurst: 1 });
    expect(given(limit, 1000)).toBe(1000);
    expect(limit.size).toBe(0);
  });

  it('obeys a rate that a reload has changed, downward too', () => {
    const rate = { rateLimit: 10, rateBurst: 20 };
    const limit = limitOf(rate);
    expect(given(limit, 1)).toBe(1);
    rate.rateBurst = 3;
    expect(given(limit, 10)).toBe(3);
    rate.rateLimit = 100;
    now += 10;
    expect(given(limit, 10)).toBe(1);
  });

  it('gives in no stretch of time more than burst and rate allow, and starves nobody who keeps to the rate', () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 });
    fc.assert(
      fc.property(pauses, (steps) => {
        const limit = limitOf({ rateLimit: 10, rateBurst: 5 });
        const began = now;
        let count = 0;
        for (const step of steps) {
          now += step;
          const seconds = limit.take('a');
          if (seconds === 0) count++;
          else expect(seconds).toBe(1);
          expect(count).toBeLessThanOrEqual(5 + ((now - began) / 1000) * 10 + 1e-6);
          if (step >= 101) expect(seconds).toBe(0);
        }
      }),
    );
  });
});

describe('the table of clients', () => {
  it('has a bound: whoever has been silent for longest is forgotten, not whoever asks', () => {
    const limit = limitOf(TEN_AND_TWENTY, 3);
    given(limit, 20, 'a');
    for (const client of ['b', 'c']) given(limit, 1, client);
    expect(given(limit, 5, 'a')).toBe(0);
    given(limit, 1, 'd');
    expect(limit.size).toBe(3);
    expect(given(limit, 5, 'a')).toBe(0);
    // b was forgotten, which gives it no more than a full bucket.
    expect(given(limit, 100, 'b')).toBe(20);
  });

  it('of thirty thousand addresses holds ten thousand', () => {
    const limit = limitOf();
    for (let client = 0; client < 30_000; client++) if (limit.take(String(client)) !== 0) expect.fail(`${client} was refused`);
    expect(limit.size).toBe(10_000);
  });
});
