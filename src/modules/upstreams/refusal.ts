import { PIN_MISMATCH } from '../../host/https-client.js';
import { Outcome, outcomeOfErrno } from '../../model/outcome.js';

/** What has to be looked at to have it answered. */
export type Cause =
  | 'token'
  | 'token_file'
  | 'ca_file'
  | 'certificate'
  | 'rights'
  | 'address'
  | 'page'
  | 'names'
  | 'size'
  | 'self'
  | 'upstream';

/** Why there is nothing. */
export interface Refusal {
  readonly outcome: Exclude<Outcome, typeof Outcome.ok>;
  readonly cause: Cause;
  /** The rest of a sentence about the upstream, without secrets and without what a stranger wrote. */
  readonly why: string;
}

const OK = 200;
const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
const NOT_FOUND = 404;
const TOO_MANY_REQUESTS = 429;
const SERVICE_UNAVAILABLE = 503;

/** What OpenSSL calls a certificate that is not good (X509_verify_cert_error_string(3)), Node's word for its names, and ours. */
const CERTIFICATE = /^(?!ERR_SSL_).*CERT|^SELF_SIGNED|^INVALID_(CA|PURPOSE)$|^UNABLE_TO_|^PATH_LENGTH_EXCEEDED$|^HOSTNAME_MISMATCH$/;

const CERTIFICATES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate has another name',
  HOSTNAME_MISMATCH: 'its certificate has another name',
  [PIN_MISMATCH]: 'its certificate is not the one that is pinned',
};

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'its socket is not there',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNRESET: 'it closed the connection before its answer was whole',
};

/** Of a connection that came to nothing. @param error of the host's clients */
export function refusalOf(error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  // A defect of ours: a stranger's have a word.
  if (code === undefined) throw error;
  if (code in CERTIFICATES || CERTIFICATE.test(code)) {
    const why = CERTIFICATES[code] ?? `nobody who is trusted has signed its certificate (${code})`;
    return { outcome: Outcome.notPermitted, cause: 'certificate', why };
  }
  if (code === 'ETIMEDOUT') return { outcome: Outcome.timeout, cause: 'upstream', why: 'it gave no whole answer in time' };
  if (code === 'EFBIG') return { outcome: Outcome.tooLarge, cause: 'size', why: 'its answer is longer than max-bytes' };
  if (code.startsWith('HPE_')) return { outcome: Outcome.malformed, cause: 'address', why: `what answers there is no HTTP (${code})` };
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return { outcome: Outcome.ioError, cause: 'address', why: `TLS could not be agreed on (${code})` };
  }
  const outcome = outcomeOfErrno(error);
  return {
    outcome: outcome === Outcome.ok ? Outcome.ioError : outcome,
    cause: 'address',
    why: NETWORK[code] ?? `it cannot be reached (${code})`,
  };
}

/** Of an answer; undefined for a good one. @param hasToken whether one was sent */
export function refusalByStatus(status: number, hasToken: boolean): Refusal | undefined {
  if (status === OK) return undefined;
  if (!hasToken && (status === UNAUTHORIZED || status === FORBIDDEN)) {
    return { outcome: Outcome.notPermitted, cause: 'token', why: `it wants a token (${status})` };
  }
  if (status === UNAUTHORIZED) return { outcome: Outcome.notPermitted, cause: 'token', why: 'it wants another token (401)' };
  if (status === FORBIDDEN) return { outcome: Outcome.notPermitted, cause: 'rights', why: 'this token may not read it (403)' };
  if (status === NOT_FOUND) return { outcome: Outcome.unsupported, cause: 'page', why: 'it has no such page (404)' };
  if (status >= 300 && status < 400) {
    return { outcome: Outcome.ioError, cause: 'page', why: `it sends elsewhere (${status}), where nobody follows with a token` };
  }
  const isBusy = status === TOO_MANY_REQUESTS || status === SERVICE_UNAVAILABLE;
  return { outcome: isBusy ? Outcome.busy : Outcome.ioError, cause: 'upstream', why: `it answers ${status}` };
}
