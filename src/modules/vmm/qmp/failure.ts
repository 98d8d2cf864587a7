import { Outcome, outcomeOfErrno } from '../../../model/outcome.js';

export type Failure = Exclude<Outcome, typeof Outcome.ok>;

/** The conversation cannot go on: why, as an outcome. */
export class QmpFailure extends Error {
  constructor(
    readonly outcome: Failure,
    message: string,
  ) {
    super(message);
    this.name = 'QmpFailure';
  }
}

/** Of whatever was thrown on the way to an answer. */
export function failureOf(error: unknown): Failure {
  if (error instanceof QmpFailure) return error.outcome;
  const outcome = outcomeOfErrno(error);
  return outcome === Outcome.ok ? Outcome.ioError : outcome;
}

/** Error classes of QMP (qapi/error.json) that say that something is not there; all others say that it did not work this time. */
const MISSING: ReadonlySet<string> = new Set(['CommandNotFound', 'DeviceNotFound', 'DeviceNotActive', 'KVMMissingCap']);

export const outcomeOfClass = (errorClass: string): Failure => (MISSING.has(errorClass) ? Outcome.unsupported : Outcome.ioError);
