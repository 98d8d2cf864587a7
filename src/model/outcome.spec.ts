import { describe, expect, it } from 'vitest';
import { errno } from '../../test/fake-process.js';
import { OUTCOMES, Outcome, outcomeOfErrno, outcomeWords } from './outcome.js';

describe('outcomeWords', () => {
  it('has words of its own for each outcome', () => {
    expect(OUTCOMES).toEqual(Object.values(Outcome));
    const words = OUTCOMES.map((code) => JSON.stringify(outcomeWords(code)));
    expect(new Set(words).size).toBe(OUTCOMES.length);
  });

  it('gives a reason for all but ok', () => {
    for (const code of OUTCOMES) expect(outcomeWords(code).reason === undefined).toBe(code === Outcome.ok);
    expect(outcomeWords(Outcome.ok)).toEqual({ outcome: 'ok' });
    expect(outcomeWords(Outcome.notPermitted)).toEqual({ outcome: 'absent', reason: 'not_permitted' });
    expect(outcomeWords(Outcome.malformed)).toEqual({ outcome: 'failed', reason: 'malformed' });
  });

  it('takes an empty cell for a collector whose turn has not come', () => {
    expect(outcomeWords(Number.NaN)).toEqual({ outcome: 'failed', reason: 'busy' });
  });
});

describe('outcomeOfErrno', () => {
  it.each([
    ['ESRCH', Outcome.gone],
    ['ENOENT', Outcome.gone],
    ['ENODEV', Outcome.gone],
    ['EACCES', Outcome.notPermitted],
    ['EPERM', Outcome.notPermitted],
    ['EOPNOTSUPP', Outcome.unsupported],
    ['EPROTONOSUPPORT', Outcome.unsupported],
    ['EMFILE', Outcome.busy],
    ['EAGAIN', Outcome.busy],
    ['EFBIG', Outcome.tooLarge],
    ['ETIMEDOUT', Outcome.timeout],
    ['EBADMSG', Outcome.malformed],
    ['EIO', Outcome.ioError],
    ['', Outcome.ioError],
  ])('%s', (code, outcome) => {
    expect(outcomeOfErrno(errno(code))).toBe(outcome);
  });

  it('takes anything else that is thrown for an error of ours', () => {
    for (const thrown of [new Error('x'), 'ESRCH', { code: 'ESRCH' }, null, undefined])
      expect(outcomeOfErrno(thrown)).toBe(Outcome.ioError);
  });
});
