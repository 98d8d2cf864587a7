import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';

/** Nobody listens, or who did has gone. */
const DEAD: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'ENOTSOCK', 'EPIPE']);

/** Whether there is no such socket; one at which nobody listens is what a program left behind that ended. */
export const isNowhere = (error: unknown): boolean => codeOf(error) === 'ENOENT';

export type Lacking = Exclude<Outcome, typeof Outcome.ok>;

/** Why a switch or its database did not answer; `gone` where it does not run. */
export function outcomeOfSwitch(error: unknown): Lacking {
  const code = codeOf(error);
  if (DEAD.has(code)) return Outcome.gone;
  // Its queue of connections is full, or it does not read: it hangs, and is as silent as one that was asked.
  if (code === 'EAGAIN') return Outcome.timeout;
  const outcome = outcomeOfErrno(error);
  return outcome === Outcome.ok ? Outcome.ioError : outcome;
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
