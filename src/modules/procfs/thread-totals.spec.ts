import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { errno, FakeProcess } from '../../../test/fake-process.js';
import { Outcome } from '../../model/outcome.js';
import { parseSchedstat } from './schedstat.js';
import { ThreadTotals, updateFromThreads } from './thread-totals.js';

const WORDS = ['waitMicroseconds', 'timeslices'] as const;
const counters = (waitMicroseconds: number, timeslices: number) => ({ waitMicroseconds, timeslices });

describe('ThreadTotals', () => {
  it('adds up all threads', () => {
    const totals = new ThreadTotals(WORDS);
    totals.update(
      new Map([
        ['1', counters(10, 1)],
        ['2', counters(5, 2)],
      ]),
    );
    expect(totals.totals).toEqual(counters(15, 3));
  });

  it('keeps what a thread counted after its end', () => {
    const totals = new ThreadTotals(WORDS);
    totals.update(
      new Map([
        ['1', counters(10, 1)],
        ['2', counters(5, 2)],
      ]),
    );
    totals.update(new Map([['1', counters(11, 2)]]));
    expect(totals.totals).toEqual(counters(16, 4));
  });

  it('counts a new thread with an old id from 0', () => {
    const totals = new ThreadTotals(WORDS);
    totals.update(new Map([['1', counters(10, 5)]]));
    totals.update(new Map([['1', counters(12, 1)]]));
    expect(totals.totals).toEqual(counters(22, 6));
  });

  it('never goes back, whatever threads do', () => {
    const pass = fc.dictionary(fc.constantFrom('1', '2', '3'), fc.record({ waitMicroseconds: fc.nat(1000), timeslices: fc.nat(1000) }));
    fc.assert(
      fc.property(fc.array(pass), (passes) => {
        const totals = new ThreadTotals(WORDS);
        let before = { ...totals.totals };
        for (const threads of passes) {
          totals.update(new Map(Object.entries(threads)));
          for (const word of WORDS) expect(totals.totals[word]).toBeGreaterThanOrEqual(before[word]);
          before = { ...totals.totals };
        }
      }),
    );
  });
});

describe('updateFromThreads', () => {
  let totals: ThreadTotals<(typeof WORDS)[number]>;
  let process: FakeProcess;
  const update = () => updateFromThreads(totals, process, 'schedstat', parseSchedstat);
  beforeEach(() => {
    totals = new ThreadTotals(WORDS);
    process = new FakeProcess(
      new Map([
        ['task/1/schedstat', '1000 2000 3\n'],
        ['task/2/schedstat', '1000 5000 4\n'],
      ]),
    );
  });

  it('reads the file of every thread', () => {
    expect(update()).toBe(Outcome.ok);
    expect(totals.totals).toEqual(counters(7, 7));
  });

  it.each([
    ['malformed', '10 20', Outcome.malformed],
    ['without a value', '1 18446744073709551615 1\n', Outcome.malformed],
    ['not readable', errno('EACCES'), Outcome.notPermitted],
    ['too much for our own descriptors', errno('EMFILE'), Outcome.busy],
  ] as const)('changes nothing when one thread is %s, and goes on from there', (_, content, outcome) => {
    update();
    process.files.set('task/1/schedstat', '1000 9000 9\n');
    process.files.set('task/2/schedstat', content);
    expect(update()).toBe(outcome);
    expect(totals.totals).toEqual(counters(7, 7));
    process.files.set('task/2/schedstat', '1000 6000 5\n');
    expect(update()).toBe(Outcome.ok);
    expect(totals.totals).toEqual(counters(15, 14));
  });

  it('passes over a thread that ended after it was listed', () => {
    process.files.set('task/2/schedstat', errno('ESRCH'));
    expect(update()).toBe(Outcome.ok);
    expect(totals.totals).toEqual(counters(2, 3));
  });

  it('is gone when no thread is left', () => {
    for (const path of process.files.keys()) process.files.set(path, errno('ESRCH'));
    expect(update()).toBe(Outcome.gone);
    process.files.set('task', errno('ENOENT'));
    expect(update()).toBe(Outcome.gone);
  });
});
