import { describe, expect, it } from 'vitest';
import { settledWithin, timeLeft, withDeadline } from './deadline.js';

const never = new Promise<never>(() => undefined);

describe('timeLeft', () => {
  it('grows less until 1, which is no 0', () => {
    let now = 100;
    const left = timeLeft(130, () => now);
    expect(left()).toBe(30);
    now = 129.5;
    expect(left()).toBe(1);
    now = 10_000;
    expect(left()).toBe(1);
  });

  it('is on the clock of the machine where no other is given', () => {
    expect(timeLeft(performance.now() + 60_000)()).toBeGreaterThan(1);
    expect(timeLeft(performance.now() - 60_000)()).toBe(1);
  });
});

describe('withDeadline', () => {
  it('gives what the work gives', async () => {
    await expect(withDeadline(Promise.resolve(7), 60_000, 'it')).resolves.toBe(7);
    await expect(withDeadline(Promise.reject(new Error('no')), 60_000, 'it')).rejects.toThrow('no');
  });

  it('ends a wait that does not', async () => {
    await expect(withDeadline(never, 5, 'reading it')).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      message: 'reading it took longer than 5 ms',
    });
  });

  it('leaves no rejection unhandled when the work fails afterwards', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_, reject) => {
      fail = reject;
    });
    await expect(withDeadline(work, 1, 'it')).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    fail(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('keeps no timer once the work is done', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    await withDeadline(Promise.resolve(), 3_600_000, 'it');
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(before);
  });
});

describe('settledWithin', () => {
  it('waits for all, whatever becomes of them', async () => {
    let settled = 0;
    const one = Promise.resolve().then(() => settled++);
    const other = Promise.reject(new Error('refused')).finally(() => settled++);
    await settledWithin([one, other], 60_000);
    expect(settled).toBe(2);
  });

  it('waits no longer than the deadline', async () => {
    await expect(settledWithin([new Promise(() => undefined)], 5)).resolves.toBeUndefined();
  });
});
