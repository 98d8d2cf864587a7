import { expect, it } from 'vitest';
import { FakeProcess } from '../../../test/fake-process.js';
import { FakeSubject } from '../../../test/subject.js';
import { HighWater } from './high-water.js';

const subject = new FakeSubject(new FakeProcess());

it('nothing goes back in one process, and another one begins anew', () => {
  const water = new HighWater();
  const raise = (exits: number, halts: number) => [...water.raise(subject, new Map(Object.entries({ exits, halts }))).values()];
  expect(raise(6000, 10)).toEqual([6000, 10]);
  expect(raise(1001, 11)).toEqual([6000, 11]);
  expect(raise(6001, 0)).toEqual([6001, 11]);
  subject.process = new FakeProcess();
  expect(raise(5, 1)).toEqual([5, 1]);
});

it('a name that was not told does not come back by itself', () => {
  const water = new HighWater();
  water.raise(subject, new Map([['exits', 7]]));
  expect(water.raise(subject, new Map()).size).toBe(0);
  expect(water.raise(subject, new Map([['exits', 3]])).get('exits')).toBe(7);
});
