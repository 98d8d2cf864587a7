import { describe, expect, it } from 'vitest';
import { FakeSubject } from '../../../test/subject.js';
import { Outcome } from '../../model/outcome.js';
import { VmmContact } from './vmm-contact.js';

const INTERVAL_MS = 15_000;
const MIDDLE = 0.5;

describe('VmmContact', () => {
  const contact = (phase = 0): VmmContact => new VmmContact(new FakeSubject(null), phase);

  it('spreads the first rounds over two seconds, or over a shorter interval', () => {
    expect([0, 0.25, 1].map((phase) => contact(phase).pauseMs(INTERVAL_MS, MIDDLE))).toEqual([0, 500, 2000]);
    expect(contact(1).pauseMs(100, MIDDLE)).toBe(100);
  });

  it('is asked ever less often while it does not answer, five minutes at most, and at once as often when it does', () => {
    const one = contact();
    one.askedAt = 0;
    const pauses = Array.from({ length: 7 }, () => {
      const pause = one.pauseMs(INTERVAL_MS, MIDDLE);
      one.failed(Outcome.timeout);
      return pause;
    });
    expect(pauses).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
    one.inRow = 10_000;
    expect(one.pauseMs(INTERVAL_MS, MIDDLE)).toBe(300_000);
    one.inRow = 0;
    expect(one.pauseMs(INTERVAL_MS, MIDDLE)).toBe(INTERVAL_MS);
  });

  it('is not asked at the same moment as all the others', () => {
    const one = contact();
    one.askedAt = 0;
    expect([one.pauseMs(1000, 0), one.pauseMs(1000, 1)]).toEqual([900, 1100]);
  });

  it('is never asked more often than configured, however long the interval', () => {
    const one = contact();
    one.askedAt = 0;
    one.failed(Outcome.timeout);
    expect(one.pauseMs(600_000, MIDDLE)).toBe(600_000);
  });
});
