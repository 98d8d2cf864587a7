import { HostError } from '../../../host/host-error.js';

/** `enum ofp_error_type`. 12 exists from 1.3 on. */
const HELLO_FAILED = 0;
const BAD_REQUEST = 1;
const METER_MOD_FAILED = 12;

/** `OFPBRC_*`: a version, a type, statistics, a vendor or an extension of it that the switch does not know. */
const UNKNOWN_TO_IT: ReadonlySet<number> = new Set([0, 1, 2, 3, 4]);
const NOT_PERMITTED: Readonly<Record<number, number>> = { [HELLO_FAILED]: 1, [BAD_REQUEST]: 5 };

/** The switch said no: `OFPT_ERROR`. EOPNOTSUPP for what it has not got, EPROTONOSUPPORT for our versions, EPERM, and EIO for all else. */
export class OpenFlowRefusal extends HostError {
  constructor(
    /** `enum ofp_error_type`. */
    readonly type: number,
    /** Of that type. */
    readonly reason: number,
  ) {
    super(codeOf(type, reason), `the switch answers error ${type}/${reason}`);
    this.name = 'OpenFlowRefusal';
  }
}

function codeOf(type: number, reason: number): string {
  if (NOT_PERMITTED[type] === reason) return 'EPERM';
  if (type === HELLO_FAILED) return 'EPROTONOSUPPORT';
  // A switch whose datapath has no meters answers a question for all of them with one that is invalid.
  if (type === METER_MOD_FAILED) return 'EOPNOTSUPP';
  return type === BAD_REQUEST && UNKNOWN_TO_IT.has(reason) ? 'EOPNOTSUPP' : 'EIO';
}
