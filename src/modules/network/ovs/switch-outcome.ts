import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';

/** Nobody listens, or who did has gone. */
const DEAD: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'ENOTSOCK', 'EPIPE']);

export type Lacking = Exclude<Outcome, typeof Outcome.ok>;

/** Why a switch or its database did not answer; `gone` where it does not run. */
export function outcomeOfSwitch(error: unknown): Lacking {
  if (error instanceof Error && 'code' in error && DEAD.has(error.code)) return Outcome.gone;
  const outcome = outcomeOfErrno(error);
  return outcome === Outcome.ok ? Outcome.ioError : outcome;
}
