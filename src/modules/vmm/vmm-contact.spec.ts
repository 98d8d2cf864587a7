import { describe, expect, it } from 'vitest';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { EMPTY_ANSWER } from '../../../test/vmm-answer.js';
import { pauseMs } from '../../host/pacing.js';
import { Outcome } from '../../model/outcome.js';
import { VmmContact } from './vmm-contact.js';

const INTERVAL_MS = 15_000;
const MIDDLE = 0.5;

describe('VmmContact', () => {
  const contact = (phase = 0): VmmContact => new VmmContact(new FakeSubject(null), phase);
  const pause = (one: VmmContact): number => pauseMs(one, INTERVAL_MS, MIDDLE);

  it('is asked ever less often while it does not answer, and at once as often when it does', () => {
    const one = contact(1);
    expect(pause(one)).toBe(2000);
    one.askedAt = 0;
    for (const expected of [15_000, 30_000, 60_000]) {
      expect(pause(one)).toBe(expected);
      one.failed(Outcome.timeout);
    }
    one.answered(EMPTY_ANSWER, 0, 0);
    expect(pause(one)).toBe(INTERVAL_MS);
    expect(one.failures).toBe(3);
  });

  it('is as new with another process: nothing that the last one said or did not say counts', () => {
    const one = contact();
    one.askedAt = 5;
    one.answered(EMPTY_ANSWER, 1, 1);
    one.failed(Outcome.timeout);
    one.begin(new FakeProcess(), null);
    expect(one).toMatchObject({ answer: null, askedAt: null, inRow: 0, outcome: Outcome.busy, isLost: false, failures: 1 });
    expect(pause(one)).toBe(0);
  });
});
