import { expect, it } from 'vitest';
import { Outcome } from '../../model/outcome.js';
import { notOkOf, UnixApi } from './unix-api.js';

it.each([
  ['EPIPE', Outcome.busy],
  ['ECONNREFUSED', Outcome.gone],
  ['EPERM', Outcome.notPermitted],
  ['ETIMEDOUT', Outcome.timeout],
  ['EFBIG', Outcome.tooLarge],
  ['EAGAIN', Outcome.busy],
  ['HPE_INVALID_CONSTANT', Outcome.malformed],
  ['ENODATA', Outcome.malformed],
  ['ECONNRESET', Outcome.ioError],
])('%s is outcome %d', (code, outcome) => {
  expect(notOkOf(Object.assign(new Error(code), { code }))).toBe(outcome);
});

it('is an outcome whatever is thrown', () => {
  expect([notOkOf('x'), notOkOf(undefined), notOkOf(new Error('x'))]).toEqual([Outcome.ioError, Outcome.ioError, Outcome.ioError]);
});

it('is gone once it is ended, even in the middle of a question', async () => {
  const hanging = {
    use: <T>(): Promise<T> =>
      new Promise((_, reject) => {
        setImmediate(() => {
          api.end();
          reject(Object.assign(new Error('aborted'), { code: 'ABORT_ERR' }));
        });
      }),
  };
  const api = new UnixApi(hanging, () => performance.now());
  expect(await api.get('/', performance.now() + 20_000)).toBe(Outcome.gone);
  expect([api.isEnded, api.intrusion]).toEqual([true, { connections: 0, questions: 0, connectedMs: 0 }]);
});
