import { expect, it } from 'vitest';
import { HostError } from '../../../host/host-error.js';
import { Outcome } from '../../../model/outcome.js';
import { outcomeOfSwitch } from './switch-outcome.js';

it.each([
  ['ENOENT', Outcome.gone],
  ['ECONNREFUSED', Outcome.gone],
  ['ECONNRESET', Outcome.gone],
  ['EAGAIN', Outcome.timeout],
  ['ETIMEDOUT', Outcome.timeout],
  ['EMFILE', Outcome.busy],
  ['EACCES', Outcome.notPermitted],
  ['EPROTONOSUPPORT', Outcome.unsupported],
  ['EBADMSG', Outcome.malformed],
])('knows what %s means of a switch', (code, outcome) => {
  expect(outcomeOfSwitch(new HostError(code, 'of a test'))).toBe(outcome);
});
