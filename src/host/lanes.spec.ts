import { describe, expect, it } from 'vitest';
import { Lanes } from './lanes.js';

describe('lanes', () => {
  it('hold so many at a time, the others come in their order', async () => {
    const lanes = new Lanes(2);
    const ends: (() => void)[] = [];
    const began: number[] = [];
    const all = [0, 1, 2, 3].map((number) =>
      lanes.run(async () => {
        began.push(number);
        await new Promise<void>((resolve) => {
          ends[number] = resolve;
        });
        return number;
      }),
    );
    await Promise.resolve();
    expect(began).toEqual([0, 1]);
    ends[1]();
    expect(await all[1]).toBe(1);
    expect(began).toEqual([0, 1, 2]);
    ends[0]();
    await all[0];
    ends[2]();
    await all[2];
    ends[3]();
    expect(await all[3]).toBe(3);
  });

  it('are free again after work that failed', async () => {
    const lanes = new Lanes(1);
    await expect(lanes.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await lanes.run(async () => 5)).toBe(5);
  });
});
