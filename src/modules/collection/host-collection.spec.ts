import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { HostCollector, HostCollectorAbout } from '../../model/host-collector.js';
import { Outcome } from '../../model/outcome.js';
import { HostCollection } from './host-collection.js';

class Told implements HostCollector {
  readonly intervalMs = 1000;
  readings = 0;
  isClosed = false;
  answer: () => Outcome | Promise<Outcome> = () => Outcome.ok;

  constructor(readonly about: HostCollectorAbout) {}

  read(): Outcome | Promise<Outcome> {
    this.readings++;
    return this.answer();
  }
  families() {
    return [];
  }
  close(): void {
    this.isClosed = true;
  }
}

const told = (name: string, tier: 'sweep' | 'timer'): Told => new Told({ name, tier, reads: 'nothing', enabled: true });

let now: number;
let swept: Told;
let timed: Told;
let other: Told;
let off: Told;
let defects: unknown[];
let collection: HostCollection;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  now = 0;
  defects = [];
  [swept, timed, other, off] = [told('swept', 'sweep'), told('timed', 'timer'), told('other', 'timer'), told('off', 'timer')];
  const clock = { now: () => now, monotonic: () => now };
  collection = new HostCollection(
    [swept, timed, other, off],
    (name) => name !== 'off',
    clock,
    (name) => defects.push(name),
  );
});
afterEach(() => {
  collection.stop();
  vi.useRealTimers();
});

const state = (name: string) => collection.states.find(({ collector }) => collector.about.name === name) ?? expect.fail(name);

it('reads those of a sweep in every sweep, the others never there', () => {
  collection.sweep();
  collection.sweep();
  expect([swept, timed, off].map(({ readings }) => readings)).toEqual([2, 0, 0]);
});

it('is busy, with no time and no age, before the first reading', () => {
  expect(state('timed')).toMatchObject({ outcome: Outcome.busy, seconds: null, readAt: null, lastSuccessMs: null });
});

it('reads those with a timer once at the start and then at their interval, counted from the end of a reading', async () => {
  await collection.start(100);
  expect(timed.readings).toBe(1);
  await vi.advanceTimersByTimeAsync(999);
  expect(timed.readings).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(timed.readings).toBe(2);
  expect(off.readings).toBe(0);
});

it('waits for the first readings no longer than it is told; one that hangs holds nobody else up and is not asked again', async () => {
  timed.answer = () => new Promise(() => undefined);
  const started = collection.start(100);
  await vi.advanceTimersByTimeAsync(100);
  await started;
  await vi.advanceTimersByTimeAsync(5000);
  expect([timed.readings, other.readings]).toEqual([1, 6]);
  expect(state('timed').outcome).toBe(Outcome.busy);
});

it('says of a reading that never ends that it took too long, though the one before was good', async () => {
  await collection.start(100);
  timed.answer = () => new Promise(() => undefined);
  await vi.advanceTimersByTimeAsync(61_000);
  expect(state('timed')).toMatchObject({ outcome: Outcome.timeout, lastSuccessMs: 0 });
  expect(state('other').outcome).toBe(Outcome.ok);
});

it('keeps when a reading was good last', async () => {
  now = 5;
  collection.sweep();
  now = 9;
  swept.answer = () => Outcome.notPermitted;
  collection.sweep();
  expect(state('swept')).toMatchObject({ outcome: Outcome.notPermitted, readAt: 9, lastSuccessMs: 5 });
});

it('takes what a collector throws for a defect, says it once, and asks again', async () => {
  swept.answer = () => {
    throw new Error('defect');
  };
  timed.answer = () => Promise.reject(new Error('defect'));
  collection.sweep();
  collection.sweep();
  await collection.start(100);
  await vi.advanceTimersByTimeAsync(1000);
  expect(state('swept')).toMatchObject({ outcome: Outcome.ioError, unexpected: 2 });
  expect(state('timed')).toMatchObject({ outcome: Outcome.ioError, unexpected: 2 });
  expect(defects).toEqual(['swept', 'timed']);
});

it('takes a promise of a collector of the sweep for a defect', () => {
  swept.answer = () => Promise.resolve(Outcome.ok);
  collection.sweep();
  expect(state('swept')).toMatchObject({ outcome: Outcome.ioError, unexpected: 1 });
});

it('reads nothing any more once it is stopped, also where a reading was under way, and closes all that were on', async () => {
  let end: (outcome: Outcome) => void = () => undefined;
  timed.answer = () =>
    new Promise((resolve) => {
      end = resolve;
    });
  const started = collection.start(1);
  await vi.advanceTimersByTimeAsync(1);
  await started;
  collection.stop();
  end(Outcome.ok);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([timed.readings, other.readings]).toEqual([1, 1]);
  expect([swept, timed, other, off].map(({ isClosed }) => isClosed)).toEqual([true, true, true, false]);
});

it('closes the others where one throws at its end', () => {
  swept.close = () => {
    throw new Error('defect');
  };
  collection.stop();
  expect([timed.isClosed, other.isClosed]).toEqual([true, true]);
  expect(defects).toEqual(['swept']);
  swept.close = () => undefined;
});
