import { describe, expect, it } from 'vitest';
import { FakeProcess } from '../../../test/fake-process.js';
import { readShimText } from '../../../test/shim-reading.js';
import { FakeSubject } from '../../../test/subject.js';
import { pauseMs } from '../../host/pacing.js';
import { Outcome } from '../../model/outcome.js';
import { ShimSocket } from './shim-socket.js';

const SECOND = 1000;
const INTERVAL = 15 * SECOND;
const text = readShimText('kata_agent_x 1\n');

const make = (phase = 0): ShimSocket => new ShimSocket(new FakeSubject(new FakeProcess()), phase);

describe('the next question to a shim', () => {
  it('comes soon after a sandbox does, spread where many come at once', () => {
    expect([0, 0.5, 1].map((phase) => pauseMs(make(phase), INTERVAL, 0.5))).toEqual([0, SECOND, 2 * SECOND]);
    expect(pauseMs(make(1), 500, 0.5)).toBe(500);
  });

  it('comes an interval after a good answer, a little more or less', () => {
    const socket = make();
    socket.askedAt = 0;
    expect([0, 0.5, 1].map((chance) => pauseMs(socket, INTERVAL, chance))).toEqual([13.5 * SECOND, INTERVAL, 16.5 * SECOND]);
  });

  it('comes later after each failure, at most five minutes, and as before after a success', () => {
    const socket = make();
    socket.askedAt = 0;
    const pauses = Array.from({ length: 40 }, () => {
      socket.failed(Outcome.timeout);
      return pauseMs(socket, INTERVAL, 0.5) / SECOND;
    });
    expect(pauses.slice(0, 6)).toEqual([30, 60, 120, 240, 300, 300]);
    expect(pauses.at(-1)).toBe(300);
    expect(socket.failures).toBe(40);
    expect(pauseMs(socket, 400 * SECOND, 0.5)).toBe(400 * SECOND);
    socket.answered(text, 10, 0, 0);
    expect(pauseMs(socket, INTERVAL, 0.5)).toBe(INTERVAL);
    expect(socket.failures).toBe(40);
  });

  it('is the first again for another shim, and what the last one said is forgotten', () => {
    const socket = make();
    socket.askedAt = 5;
    socket.answered(text, 10, 0, 0);
    socket.failed(Outcome.timeout);
    socket.begin(new FakeProcess());
    expect(socket).toMatchObject({ text: null, askedAt: null, inRow: 0, outcome: Outcome.busy, failures: 1 });
    expect(pauseMs(socket, INTERVAL, 0.5)).toBe(0);
  });
});

describe('what a shim said', () => {
  it('is kept for three intervals after it, whatever came later', () => {
    const socket = make();
    socket.answered(text, 10, 1000, 0);
    socket.failed(Outcome.timeout);
    expect(socket.expire(1000 + 3 * INTERVAL, INTERVAL)).toBe(false);
    expect(socket.text).toBe(text);
    expect(socket.outcome).toBe(Outcome.timeout);
    expect(socket.expire(1001 + 3 * INTERVAL, INTERVAL)).toBe(true);
    expect(socket.text).toBeNull();
    expect(socket.expire(1001 + 3 * INTERVAL, INTERVAL)).toBe(false);
  });
});
