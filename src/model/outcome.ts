/**
 * The result of one collector for one instance: ok, absent with a reason, or failed with a code.
 * One small integer, so that a table cell holds it and the hot path allocates nothing.
 */
export const Outcome = {
  ok: 0,
  gone: 1,
  notConfigured: 2,
  notPermitted: 3,
  unsupported: 4,
  lockdown: 5,
  migrating: 6,
  timeout: 11,
  malformed: 12,
  tooLarge: 13,
  busy: 14,
  ioError: 15,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

export type AbsentReason = 'gone' | 'not_configured' | 'not_permitted' | 'unsupported' | 'lockdown' | 'migrating';
export type FailureCode = 'timeout' | 'malformed' | 'too_large' | 'busy' | 'io_error';

/** `outcome` and, unless it is ok, `reason`: the words of the JSON document and of the label values. */
export interface OutcomeWords {
  readonly outcome: 'ok' | 'absent' | 'failed';
  readonly reason?: AbsentReason | FailureCode;
}

const WORDS: Readonly<Record<number, OutcomeWords>> = {
  [Outcome.ok]: { outcome: 'ok' },
  [Outcome.gone]: { outcome: 'absent', reason: 'gone' },
  [Outcome.notConfigured]: { outcome: 'absent', reason: 'not_configured' },
  [Outcome.notPermitted]: { outcome: 'absent', reason: 'not_permitted' },
  [Outcome.unsupported]: { outcome: 'absent', reason: 'unsupported' },
  [Outcome.lockdown]: { outcome: 'absent', reason: 'lockdown' },
  [Outcome.migrating]: { outcome: 'absent', reason: 'migrating' },
  [Outcome.timeout]: { outcome: 'failed', reason: 'timeout' },
  [Outcome.malformed]: { outcome: 'failed', reason: 'malformed' },
  [Outcome.tooLarge]: { outcome: 'failed', reason: 'too_large' },
  [Outcome.busy]: { outcome: 'failed', reason: 'busy' },
  [Outcome.ioError]: { outcome: 'failed', reason: 'io_error' },
};

/** Words for a cell; an empty cell (NaN) is a collector whose first turn has not come: failed, busy. */
export const outcomeWords = (code: number): OutcomeWords => WORDS[code] ?? WORDS[Outcome.busy];
export const OUTCOMES: readonly number[] = Object.keys(WORDS).map(Number);

/** ESRCH and ENOENT mean the process is gone, EACCES and EPERM that we may not look: different reasons (proc(5)). */
export function outcomeOfErrno(error: unknown): Outcome {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ESRCH':
    case 'ENOENT':
    case 'ENODEV':
      return Outcome.gone;
    case 'EACCES':
    case 'EPERM':
      return Outcome.notPermitted;
    case 'EOPNOTSUPP':
    case 'EPROTONOSUPPORT':
    case 'ENOSYS':
      return Outcome.unsupported;
    case 'EAGAIN':
    case 'EBUSY':
    case 'EMFILE':
    case 'ENFILE':
      return Outcome.busy;
    case 'EFBIG':
      return Outcome.tooLarge;
    case 'ETIMEDOUT':
      return Outcome.timeout;
    case 'EBADMSG':
      return Outcome.malformed;
    default:
      return Outcome.ioError;
  }
}
