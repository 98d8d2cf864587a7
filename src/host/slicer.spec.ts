import { describe, expect, it } from 'vitest';
import { StoppedClock } from '../../test/fake-proc.js';
import { Slicer } from './slicer.js';

describe('Slicer', () => {
  it('asks for a pause only once a slice is over', async () => {
    const clock = new StoppedClock();
    const slicer = new Slicer(clock);
    expect(slicer.pause()).toBeUndefined();
    clock.ms += 0.9;
    expect(slicer.pause()).toBeUndefined();
    clock.ms += 0.2;
    expect(slicer.pause()).toBeInstanceOf(Promise);
  });

  it('lets the event loop turn, and begins the next slice after it', async () => {
    const clock = new StoppedClock();
    const slicer = new Slicer(clock);
    clock.ms += 5;
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    clock.ms += 5;
    await slicer.pause();
    expect(turned).toBe(true);
    expect(slicer.pause()).toBeUndefined();
    clock.ms += 1;
    expect(slicer.pause()).toBeDefined();
  });
});
